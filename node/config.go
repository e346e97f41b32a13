package node

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/BurntSushi/toml"

	"vitalog/exchange"
	"vitalog/gateway"
	"vitalog/op"
	"vitalog/panel"
)

// Format is the version of a member's directory. A directory of a newer program is refused.
const Format = 2

// The files of a member's directory.
const (
	ConfigFile  = "vitalog.toml"
	GenesisFile = "genesis.json"
	KeyringFile = "keyring"
	dataDir     = "data"
)

// Config is a member's configuration file. The comments of configText are its manual.
type Config struct {
	Format         int    `toml:"format"`
	Name           string `toml:"name"`
	API            string `toml:"api"`
	Peer           string `toml:"peer"`
	Consensus      string `toml:"consensus"`
	TLSCertificate string `toml:"tls_certificate"`
	TLSKey         string `toml:"tls_key"`
	PassphraseFile string `toml:"passphrase_file"`

	OpenMiB  int64         `toml:"open_mib"`
	OpenIdle time.Duration `toml:"open_idle"`

	SearchAcross panel.Mode `toml:"search_across"`
	SearchCharts int        `toml:"search_charts"`

	SubscriptionEndpoints []string `toml:"subscription_endpoints"`

	HL7           string            `toml:"hl7"`
	HL7ClientCA   string            `toml:"hl7_client_ca"`
	HL7Processing []string          `toml:"hl7_processing"`
	HL7Zone       string            `toml:"hl7_zone"`
	HL7Systems    map[string]string `toml:"hl7_systems"`

	SignInIssuer     string            `toml:"sign_in_issuer"`
	SignInClient     string            `toml:"sign_in_client"`
	SignInSecretFile string            `toml:"sign_in_secret_file"`
	SignInName       string            `toml:"sign_in_name"`
	SignInRole       string            `toml:"sign_in_role"`
	SignInFHIRUser   string            `toml:"sign_in_fhir_user"`
	SignInRoles      map[string]string `toml:"sign_in_roles"`

	Bucket string `toml:"bucket"`

	Retention exchange.Retention `toml:"retention"`

	Metrics string `toml:"metrics"`

	LogLevel    string `toml:"log_level"`
	DiskReserve int    `toml:"disk_reserve"` // MiB

	Validation gateway.Validation `toml:"validation"`
}

const configText = `# Configuration of a Vitalog member. Written once by the program, then yours to edit; restart after a change.

# Version of this directory. The program refuses a directory that a newer program has written.
format = {{.Format}}

# Name of the organisation, as it stands in the genesis.
name = {{printf "%q" .Name}}

# Where software and patients connect: the patients' app under /, its service under /app/v1, FHIR under /fhir, /healthz, /readyz, and the manual
# under /docs.
# On localhost plain HTTP is allowed. On every other address tls_certificate and tls_key are mandatory.
api = {{printf "%q" .API}}

# Where other members connect (HTTP/2, mutual TLS with the keys in the genesis), and where the consensus engine's peers do.
# Both stand in the genesis too: moving them needs the members' agreement.
peer = {{printf "%q" .Peer}}
consensus = {{printf "%q" .Consensus}}

# PEM files of the certificate for api. Paths are relative to this directory.
tls_certificate = {{printf "%q" .TLSCertificate}}
tls_key = {{printf "%q" .TLSKey}}

# File that holds the passphrase of the keyring, mode 0600. Empty: the program asks, or reads standard input.
passphrase_file = {{printf "%q" .PassphraseFile}}

# Charts that were opened stay in memory, so that the next look at them is quick; every look is on the ledger all the same. How many MiB of
# them at most, and for how long after the last look. 0: 512 MiB and 15 minutes; -1 MiB: none.
open_mib = {{.OpenMiB}}
open_idle = {{printf "%q" .OpenIdle}}

# What a search that names no patient looks at: none (it is refused), own (records written here, and those of patients in custody) or all (what
# the patients' grants open). own and all keep a sealed index in data/; another value than before begins an empty one, which
# 'vitalog index rebuild' fills.
search_across = {{printf "%q" .SearchAcross.String}}

# How many charts one such search may open, each with a row that its patient sees. A search that would open more is refused. 0: 100.
search_charts = {{.SearchCharts}}

# Where notifications of FHIR Subscriptions may go: addresses such as "https://hooks.hospital.example/fhir/", with all that lies below them.
# HTTPS, or HTTP to localhost. Nothing is sent anywhere else, and no redirect is followed. Empty: no subscription is taken.
subscription_endpoints = [{{range $i, $e := .SubscriptionEndpoints}}{{if $i}}, {{end}}{{printf "%q" $e}}{{end}}]

# Where interface engines send HL7 v2 messages over MLLP: host:port; empty: nowhere. Off localhost it is TLS with tls_certificate, which is
# mandatory then. With hl7_client_ca, a PEM file, only clients with a certificate of one of its authorities may connect.
hl7 = {{printf "%q" .HL7}}
hl7_client_ca = {{printf "%q" .HL7ClientCA}}

# What MSH-11 of a message may be; empty: only P, production. The zone of times that tell none, such as "Europe/Rome"; empty: they become
# dates. And the URIs of assigning authorities and coding systems, by the names that messages have for them: { "GHH" = "urn:oid:2.16.840" }.
hl7_processing = [{{range $i, $p := .HL7Processing}}{{if $i}}, {{end}}{{printf "%q" $p}}{{end}}]
hl7_zone = {{printf "%q" .HL7Zone}}
hl7_systems = { {{- range $i, $n := .HL7Names}}{{if $i}},{{end}} {{printf "%q = %q" $n (index $.HL7Systems $n)}}{{end}} }

# The OpenID provider where staff sign in for SMART apps: its address, the client id that it knows this member by, and a file of mode 0600
# with the client's secret, empty if it has none. It sends people back to /auth/signed-in of api. Empty: no app that people use gets a token.
# "synthetic": people who don't exist, without a password, for demos on localhost.
sign_in_issuer = {{printf "%q" .SignInIssuer}}
sign_in_client = {{printf "%q" .SignInClient}}
sign_in_secret_file = {{printf "%q" .SignInSecretFile}}

# Claims of its ID tokens with the person's name and role as patients will read them, and with the address of the person's Practitioner.
# Empty: name, role, fhirUser. Who has none of these roles gets nothing: { "group-physicians" = "physician", "group-nurses" = "nurse" }.
sign_in_name = {{printf "%q" .SignInName}}
sign_in_role = {{printf "%q" .SignInRole}}
sign_in_fhir_user = {{printf "%q" .SignInFHIRUser}}
sign_in_roles = { {{- range $i, $n := .SignInRoleNames}}{{if $i}},{{end}} {{printf "%q = %q" $n (index $.SignInRoles $n)}}{{end}} }

# Where ciphertext lies for good: a bucket of this member's own, at a cloud or in a directory: "s3://hospital-vitalog?region=eu-central-1",
# "azblob://vitalog", "gs://hospital-vitalog", "file:///srv/vitalog/bucket". What is fresh is packed into it, sealed, every ten minutes or 8 MiB. Credentials
# come from the platform's usual places and never stand here. Empty: everything stays in data/. A bucket that has something is not to be taken away. Another
# one is filled again by itself; empty the old one then, for what is destroyed from now on is deleted in the new one alone.
bucket = {{printf "%q" .Bucket}}

# How long the law has this member keep what it writes: "10y", "3650d" (1 to 99 years, 1 to 36500 days, from the day on which a record was made). A
# patient who destroys such a record then destroys it everywhere but here, sees until when it is kept, and sees each opening of it. It holds for
# records that are written, and destroyed, while it stands here. Empty: nothing is kept.
retention = {{printf "%q" .Retention}}

# Where Prometheus may ask how the member is doing, at /metrics: host:port; empty: nowhere. It tells bytes, counts and ages, and nothing of any
# patient. Off localhost it is TLS with tls_certificate, which is mandatory then, and who reaches it may read it.
metrics = {{printf "%q" .Metrics}}

# debug, info, warn or error. Logs are JSON lines on standard error, without names, keys or health data.
log_level = {{printf "%q" .LogLevel}}

# MiB that stay free on the disk of data/. With less the member takes no writes; with less than a quarter it stops, waits for room and
# goes on by itself. 0: 256.
disk_reserve = {{.DiskReserve}}

# What is asked of FHIR resources that software writes: lenient (structure, values, required codes, invariants), strict (also what many
# systems get wrong: the types that references lead to, contained resources that nobody uses) or off (readable JSON).
validation = {{printf "%q" .Validation}}
`

// ErrNoMember says that a directory holds no member.
var ErrNoMember = errors.New("no member here")

// Save writes the configuration with its manual.
func (c *Config) Save(dir string) error {
	var b bytes.Buffer
	if err := template.Must(template.New(ConfigFile).Parse(configText)).Execute(&b, c); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	return os.WriteFile(filepath.Join(dir, ConfigFile), b.Bytes(), 0o600)
}

// Load reads and checks the configuration of the member in dir.
func Load(dir string) (*Config, error) {
	path := filepath.Join(dir, ConfigFile)
	var c Config
	meta, err := toml.DecodeFile(path, &c)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w: make one with 'vitalog init', or try the demo", dir, ErrNoMember)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if c.Format != Format {
		return nil, fmt.Errorf("%s: directory of format %d, this program reads %d: use the program that wrote it, or a newer one", path, c.Format, Format)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return nil, fmt.Errorf("%s: unknown setting %q", path, unknown[0].String())
	}
	if c.API == "" || c.Peer == "" || c.Consensus == "" {
		return nil, fmt.Errorf("%s: api, peer and consensus must be set", path)
	}
	if c.DiskReserve < 0 {
		return nil, fmt.Errorf("%s: disk_reserve is %d MiB, less than none", path, c.DiskReserve)
	}
	if c.SearchCharts < 0 {
		return nil, fmt.Errorf("%s: search_charts is %d, less than none", path, c.SearchCharts)
	}
	if c.SignInIssuer == SyntheticStaff && !Local(c.API) {
		return nil, fmt.Errorf("%s: sign_in_issuer is %s, which lets anybody in, and api is %s, which is not localhost", path, SyntheticStaff, c.API)
	}
	if c.SignInIssuer != "" && c.SignInIssuer != SyntheticStaff && (c.SignInClient == "" || len(c.SignInRoles) == 0) {
		return nil, fmt.Errorf("%s: sign_in_issuer needs sign_in_client and sign_in_roles", path)
	}
	if !Local(c.API) && (c.TLSCertificate == "" || c.TLSKey == "") {
		return nil, fmt.Errorf("%s: api is %s, which is not localhost: tls_certificate and tls_key must be set", path, c.API)
	}
	if c.HL7 != "" && !Local(c.HL7) && (c.TLSCertificate == "" || c.TLSKey == "") {
		return nil, fmt.Errorf("%s: hl7 is %s, which is not localhost: tls_certificate and tls_key must be set", path, c.HL7)
	}
	if c.Metrics != "" && !Local(c.Metrics) && (c.TLSCertificate == "" || c.TLSKey == "") {
		return nil, fmt.Errorf("%s: metrics is %s, which is not localhost: tls_certificate and tls_key must be set", path, c.Metrics)
	}
	if c.HL7ClientCA != "" && c.TLSCertificate == "" {
		return nil, fmt.Errorf("%s: hl7_client_ca is set: tls_certificate and tls_key must be too", path)
	}
	if _, err := time.LoadLocation(c.HL7Zone); err != nil {
		return nil, fmt.Errorf("%s: hl7_zone: %w", path, err)
	}
	return &c, nil
}

// HL7Names are the names in HL7Systems, sorted.
func (c *Config) HL7Names() []string { return slices.Sorted(maps.Keys(c.HL7Systems)) }

// defaultReserve is the room on the disk, in MiB, below which a member takes no writes, if the configuration says nothing.
const defaultReserve = 256

// Reserve is how many bytes stay free on the disk.
func (c *Config) Reserve() uint64 {
	if c.DiskReserve > 0 {
		return uint64(c.DiskReserve) << 20
	}
	return defaultReserve << 20
}

// Local tells whether an address is reachable from this machine alone.
func Local(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// URL is where software and apps find the member.
func (c *Config) URL() string {
	if c.TLSCertificate != "" {
		return "https://" + c.API
	}
	return "http://" + c.API
}

// LoadGenesis reads the genesis of the member in dir.
func LoadGenesis(dir string) (*op.Genesis, error) {
	b, err := os.ReadFile(filepath.Join(dir, GenesisFile))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return op.ParseGenesis(b)
}
