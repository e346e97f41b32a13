package node

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"vitalog/keyring"
	"vitalog/op"

	"golang.org/x/sync/errgroup"
)

// Founder is one member of a network that is being founded on this machine.
type Founder struct {
	Dir        string
	Name       string
	Kind       op.MemberKind
	Validator  bool
	HL7        bool   // listens for HL7 v2 messages
	Host       string // of its addresses; empty: localhost
	Bucket     string // URL of its bucket; empty: none
	Passphrase []byte // of its keyring; nil: one is drawn and kept in a file beside it, mode 0600
}

const passphraseFile = "passphrase"

// Found makes the directories of the founders: a keyring, a genesis that all have in common, and a configuration each, with ports that
// are free now. It refuses directories where a member is. The rings are open, in the order of the founders, for Start.
func Found(name string, params op.Params, founders []Founder) ([]*keyring.Ring, error) {
	g := &op.Genesis{Version: op.Version, Name: name, Founded: uint64(time.Now().UnixMilli()), Params: params}
	g.Members = make([]op.Member, len(founders))
	rings := make([]*keyring.Ring, len(founders))
	configs := make([]*Config, len(founders))
	var making errgroup.Group // the keys take most of the time
	for i, f := range founders {
		if _, err := os.Stat(filepath.Join(f.Dir, ConfigFile)); !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: there is a member already: start it with 'vitalog up', or choose another --dir", f.Dir)
		}
		if err := os.MkdirAll(f.Dir, 0o700); err != nil {
			return nil, err
		}
		c := &Config{Format: Format, Name: f.Name, LogLevel: "info", Bucket: f.Bucket}
		configs[i] = c
		passphrase := f.Passphrase
		if passphrase == nil {
			c.PassphraseFile = passphraseFile
			var err error
			if passphrase, err = DrawPassphrase(f.Dir); err != nil {
				return nil, err
			}
		}
		host := f.Host
		if host == "" {
			host = "localhost"
		}
		addresses := []*string{&c.API, &c.Peer, &c.Consensus}
		if f.HL7 {
			addresses = append(addresses, &c.HL7)
		}
		for _, address := range addresses {
			port, err := FreePort()
			if err != nil {
				return nil, err
			}
			*address = net.JoinHostPort(host, strconv.Itoa(port))
		}
		making.Go(func() error {
			ring, err := keyring.Create(filepath.Join(f.Dir, KeyringFile), passphrase)
			if err != nil {
				return err
			}
			m, err := ring.Public()
			if err != nil {
				return err
			}
			m.Name, m.Kind, m.Validator, m.Endpoint, m.Peer = f.Name, f.Kind, f.Validator, c.Peer, c.Consensus
			g.Members[i], rings[i] = m, ring
			return nil
		})
	}
	if err := making.Wait(); err != nil {
		return nil, err
	}
	if err := g.Check(); err != nil {
		return nil, err
	}
	raw, err := json.MarshalIndent(g, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("genesis: %w", err)
	}
	for i, f := range founders {
		if err := rings[i].Join(g.Network()); err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(f.Dir, GenesisFile), append(raw, '\n'), 0o644); err != nil {
			return nil, err
		}
		// The configuration comes last: its presence says that the directory is whole.
		if err := configs[i].Save(f.Dir); err != nil {
			return nil, err
		}
	}
	return rings, nil
}

// DrawPassphrase draws a passphrase for a keyring in dir and keeps it in a file beside it, mode 0600: for demos and for machines that start
// by themselves. Who copies both has the keys.
func DrawPassphrase(dir string) ([]byte, error) {
	var b [16]byte
	rand.Read(b[:])
	text := []byte(hex.EncodeToString(b[:]))
	if err := os.WriteFile(filepath.Join(dir, passphraseFile), append(text, '\n'), 0o600); err != nil {
		return nil, err
	}
	return text, nil
}
