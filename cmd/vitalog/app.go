package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/spf13/cobra"

	"vitalog/consent"
	"vitalog/exchange"
	"vitalog/home"
	"vitalog/internal/demo"
	"vitalog/keyring"
	"vitalog/node"
	"vitalog/op"
	"vitalog/receipt"
)

// appFile is in a patient's app directory, next to the keyring and the genesis.
const appFile = "app.toml"

// appFormat is the version of a patient's app directory.
const appFormat = 1

// appConfig says through which member the patient reaches the network.
type appConfig struct {
	Format         int    `toml:"format"`
	Home           string `toml:"home"`            // address of the home member: it relays, and can read nothing
	Member         int    `toml:"member"`          // its number in the genesis
	PassphraseFile string `toml:"passphrase_file"` // of the keyring; empty: ask
}

const appText = `# A patient's app. The keys are in the file keyring, sealed with a passphrase; without it, only the 24 words bring them back.

# Version of this directory.
format = %d

# Address and number of the home member, through which this app reaches the network. It relays and can't read: change it any day.
home = %q
member = %d

# File that holds the passphrase of the keyring, mode 0600. Empty: the program asks.
passphrase_file = %q
`

func (c *appConfig) save(dir string) error {
	return os.WriteFile(filepath.Join(dir, appFile), fmt.Appendf(nil, appText, c.Format, c.Home, c.Member, c.PassphraseFile), 0o600)
}

// app is a patient's own program: keys here, everything else on the network.
type app struct {
	*exchange.Patient
	p       *program
	dir     string
	config  appConfig
	genesis *op.Genesis
	ring    *keyring.Ring
	keys    *keyring.Patient
	home    *home.Client
}

// patient opens the app that --app means.
func (p *program) patient() (*app, error) {
	dir, config, err := p.findApp()
	if err != nil {
		return nil, err
	}
	a := &app{p: p, dir: dir, config: *config}
	if a.genesis, err = p.loadGenesis(dir); err != nil {
		return nil, err
	}
	if config.Member < 0 || config.Member >= len(a.genesis.Members) {
		return nil, fmt.Errorf("%s: member %d of %d", filepath.Join(dir, appFile), config.Member, len(a.genesis.Members))
	}
	passphrase, err := p.passphrase("the patient's keyring", dir, config.PassphraseFile)
	if err != nil {
		return nil, err
	}
	if a.ring, err = keyring.Open(filepath.Join(dir, node.KeyringFile), passphrase); err != nil {
		return nil, err
	}
	return a, a.connect()
}

// connect has the keys, those of a claimed chart if there is one, work by way of the home member.
func (a *app) connect() (err error) {
	if a.keys, err = a.ring.Own(); err != nil {
		return err
	}
	c, err := a.loadClaim()
	if err != nil {
		return err
	}
	if c != nil {
		a.keys = a.keys.With(c)
	}
	a.home = home.Dial(a.config.Home, a.genesis, a.config.Member, http.DefaultClient)
	a.Patient = exchange.NewPatient(a.home, a.keys)
	return nil
}

// asPatient runs what waits for the network with the app that --app means.
func (p *program) asPatient(w func(ctx context.Context, a *app, args []string) error) func(*cobra.Command, []string) error {
	return p.soon(func(ctx context.Context, args []string) error {
		a, err := p.patient()
		if err != nil {
			return err
		}
		return w(ctx, a, args)
	})
}

// findApp finds the directory: a path, or the name of a patient of the demo.
func (p *program) findApp() (string, *appConfig, error) {
	if p.app == "" {
		return "", nil, misused("--app is missing: the directory of the patient's keys, or a patient of the demo")
	}
	var c appConfig
	_, err := toml.DecodeFile(filepath.Join(p.app, appFile), &c)
	switch {
	case err == nil && c.Format != appFormat:
		return "", nil, fmt.Errorf("%s: app directory of format %d, this program reads %d: use a newer program", p.app, c.Format, appFormat)
	case err == nil:
		return p.app, &c, nil
	case !errors.Is(err, fs.ErrNotExist):
		return "", nil, fmt.Errorf("%s: %w", filepath.Join(p.app, appFile), err)
	}
	base, err := p.base("demo")
	if err != nil {
		return "", nil, err
	}
	if s, err := demo.LoadState(base); err == nil {
		for _, x := range s.Patients {
			if x.App == p.app && x.App != "" {
				n := demo.Number(demo.Pharmacy) // the home member of the demo's patients
				return filepath.Join(base, "patients", x.App), &appConfig{Format: appFormat, Home: s.Members[n].API, Member: n, PassphraseFile: "passphrase"}, nil
			}
		}
	}
	return "", nil, advise(misused("--app %s: no patient's keys there, and no patient of a demo in %s", p.app, base), "vitalog key new --app %s --home http://localhost:…", p.app)
}

// loadGenesis reads an app's copy of the genesis; the demo keeps one for all, with its first member.
func (p *program) loadGenesis(dir string) (*op.Genesis, error) {
	g, err := node.LoadGenesis(dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return g, err
	}
	base := filepath.Dir(filepath.Dir(dir))
	s, e := demo.LoadState(base)
	if e != nil {
		return nil, err
	}
	return node.LoadGenesis(filepath.Join(base, "members", s.Members[0].Name))
}

// organisation is a member's name.
func (a *app) organisation(member int) string {
	if member < 0 || member >= len(a.genesis.Members) {
		return "somebody unknown"
	}
	return a.genesis.Members[member].Name
}

// findMember reads a member's name, number, or the beginning of its name.
func findMember(g *op.Genesis, text string) (int, error) {
	found := -1
	for i, m := range g.Members {
		if strings.EqualFold(m.Name, text) || fmt.Sprint(i) == text {
			return i, nil
		}
		if strings.HasPrefix(strings.ToLower(m.Name), strings.ToLower(text)) && text != "" {
			if found >= 0 {
				return 0, misused("%q is the beginning of two members' names: %s and %s", text, g.Members[found].Name, m.Name)
			}
			found = i
		}
	}
	if found < 0 {
		return 0, advise(misused("%q is no member of the network", text), "vitalog member list")
	}
	return found, nil
}

// prove shows that a grant stands, or has ended, in a state that the validators signed.
func (a *app) prove(ctx context.Context, s exchange.Shared) (*receipt.Verified, error) {
	_, v, err := a.receipt(ctx, s.Log, s.Entry)
	if err != nil {
		return nil, err
	}
	g := consent.Find(v.Head.Terms(), s.Entry)
	if (g == nil || g.Revoked) != s.Revoked {
		return nil, fmt.Errorf("what the validators signed says otherwise about the grant in entry %d of %v: %w", s.Entry, s.Log, errAltered)
	}
	return v, nil
}
