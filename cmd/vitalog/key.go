package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"vitalog/home"
	"vitalog/keyring"
	"vitalog/node"
)

func (p *program) keyCommand() *cobra.Command {
	return group("key", "A patient's own keys", "  vitalog key new --app ~/my-health --home http://localhost:18401 --enrol\n  vitalog key words --app ~/my-health",
		p.keyNewCommand(), p.keyRecoverCommand(), p.keyEnrolCommand(), p.keyListCommand(), p.keyShowCommand(), p.keyWordsCommand())
}

func (p *program) keyNewCommand() *cobra.Command {
	var address string
	var enrol bool
	c := &cobra.Command{
		Use:   "new",
		Short: "Make a patient's keys",
		Long: `Draws a patient's root and keeps it in --app, sealed with a passphrase. --home is the member through which the app reaches the network:
it relays and can read nothing. With --enrol the patient's logs are put on the ledger at once.

Write the 24 words down afterwards: vitalog key words. Without them a lost passphrase is a lost record.`,
		Example: "  vitalog key new --app ~/my-health --home http://localhost:18401 --enrol",
		Args:    cobra.NoArgs,
	}
	p.newAppFlags(c, &address, &enrol)
	c.RunE = p.soon(func(ctx context.Context, _ []string) error { return p.makeApp(ctx, address, "", enrol) })
	return c
}

func (p *program) keyRecoverCommand() *cobra.Command {
	var address string
	c := &cobra.Command{
		Use:   "recover",
		Short: "Bring a patient's keys back with the 24 words",
		Long: `Reads the 24 words from the terminal or from standard input (after the passphrase, if that comes from there too) and makes --app anew.
The ledger and the members have everything else.`,
		Example: "  vitalog key recover --app ~/my-health --home http://localhost:18401\n  vitalog key recover --app ~/my-health --home http://localhost:18401 --passphrase-file p < words",
		Args:    cobra.NoArgs,
	}
	p.newAppFlags(c, &address, nil)
	c.RunE = p.soon(func(ctx context.Context, _ []string) error {
		var passphrase []byte
		if p.passphraseStdin { // its line comes before the words
			var err error
			if passphrase, err = p.firstLine(); err != nil {
				return err
			}
			defer clear(passphrase)
		}
		words, err := p.words()
		if err != nil {
			return err
		}
		if p.passphraseStdin {
			return p.makeAppWith(ctx, address, words, passphrase, false)
		}
		return p.makeApp(ctx, address, words, false)
	})
	return c
}

func (p *program) newAppFlags(c *cobra.Command, address *string, enrol *bool) {
	c.Flags().StringVar(&p.app, "app", "", "directory to be made for the keys")
	c.Flags().StringVar(address, "home", "", "address of the home member, for instance http://localhost:18401")
	if enrol != nil {
		c.Flags().BoolVar(enrol, "enrol", false, "put the patient's logs on the ledger")
	}
	p.passphraseFlags(c)
}

// words reads the 24 words; they are never shown.
func (p *program) words() (string, error) {
	if onTerminal(os.Stdin) {
		b, err := p.ask("The 24 words: ")
		return string(b), err
	}
	b, err := io.ReadAll(io.LimitReader(p.in, 1<<12))
	if err == nil && len(bytes.TrimSpace(b)) == 0 {
		err = misused("standard input holds no words")
	}
	return string(b), err
}

func (p *program) makeApp(ctx context.Context, address, words string, enrol bool) error {
	if p.app == "" || address == "" {
		return misused("--app and --home are needed: where the keys go, and the member through which they reach the network")
	}
	passphrase, err := p.newPassphrase("the patient's keyring")
	if err != nil {
		return err
	}
	return p.makeAppWith(ctx, address, words, passphrase, enrol)
}

func (p *program) makeAppWith(ctx context.Context, address, words string, passphrase []byte, enrol bool) error {
	a, err := p.newApp(ctx, address, words, passphrase)
	if err != nil {
		return err
	}
	if words != "" {
		if err := a.findClaim(ctx); err != nil {
			return advise(err, "the keys are there; find the chart with: vitalog claim --app %s", p.app)
		}
	}
	if enrol {
		if err := a.Enrol(ctx); err != nil {
			return advise(err, "vitalog key enrol --app %s", p.app)
		}
	}
	p.print("card     %v\nchart    %s\nnetwork  %v\nhome     %s (%s)", a.Handle(), a.ChartID(), a.genesis.Network(), a.organisation(a.config.Member), a.config.Home)
	p.say("the genesis came from the home member: hold the network's id against what another member publishes")
	switch {
	case words != "":
		p.say("next: vitalog consent list --app %s", p.app)
	case !enrol:
		p.say("next: vitalog key words --app %[1]s, then vitalog key enrol --app %[1]s", p.app)
	default:
		p.say("next: vitalog key words --app %s, on paper", p.app)
	}
	return nil
}

// newApp makes the directory. A crash before the last file leaves a directory that 'key new' refuses and 'key recover' can't harm:
// the ring is never written over.
func (p *program) newApp(ctx context.Context, address, words string, passphrase []byte) (*app, error) {
	if p.app == "" || address == "" {
		return nil, misused("--app and --home are needed: where the keys go, and the member through which they reach the network")
	}
	g, member, err := home.Discover(ctx, address, http.DefaultClient)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(p.app, 0o700); err != nil {
		return nil, err
	}
	ring, err := keyring.CreatePatient(filepath.Join(p.app, node.KeyringFile), passphrase, words)
	if errors.Is(err, keyring.ErrExists) {
		return nil, advise(err, "choose another --app; these keys may be the only way to somebody's record")
	}
	if err != nil {
		return nil, err
	}
	if err := ring.Join(g.Network()); err != nil {
		return nil, err
	}
	raw, err := json.MarshalIndent(g, "", "  ")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(p.app, node.GenesisFile), append(raw, '\n'), 0o644); err != nil {
		return nil, err
	}
	a := &app{p: p, dir: p.app, genesis: g, ring: ring, config: appConfig{Format: appFormat, Home: strings.TrimSuffix(address, "/"), Member: member}}
	if p.passphraseFile != "" {
		if a.config.PassphraseFile, err = filepath.Abs(p.passphraseFile); err != nil {
			return nil, err
		}
	}
	if err := a.config.save(p.app); err != nil {
		return nil, err
	}
	return a, a.connect()
}

func (p *program) keyEnrolCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "enrol", Short: "Put the patient's logs on the ledger",
		Long:    "Makes a log for every section of the chart, also for those that stay empty. It can be repeated.",
		Example: "  vitalog key enrol --app ~/my-health", Args: cobra.NoArgs,
	}
	p.appFlag(c)
	p.passphraseFlags(c)
	c.RunE = p.asPatient(func(ctx context.Context, a *app, _ []string) error {
		if err := a.Enrol(ctx); err != nil {
			return err
		}
		p.say("%s the logs are on the ledger", p.green("✓"))
		return nil
	})
	return c
}

// errHidden is for what isn't shown where it could be kept by accident.
var errHidden = fmt.Errorf("the 24 words are shown on a terminal only")
