package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"vitalog/exchange"
	"vitalog/grant"
	"vitalog/keyring"
)

const (
	claimFile    = "claim" // in a patient's app directory: what was claimed, sealed by the keyring
	claimContext = "vitalog/v1/keyring/claim"
)

var errNoCard = errors.New("the code of the claim card is needed")

func (p *program) claimCommand() *cobra.Command {
	var address, card string
	c := &cobra.Command{
		Use: "claim", Short: "Take over the chart that a claim card is of",
		Long: `A hospital that enrolled you without an app gave you a card. This makes your own keys in --app, has the hospital hand the chart over, and puts
your keys in the place of the hospital's. What the hospital was granted stays: look at it and stop it with 'vitalog consent'.

The code is read from --card-file, from standard input (after the passphrase, if that comes from there too), or from the terminal. A claim
that broke off goes on when it is called again: with the card at first, without it as soon as the chart is yours.

Write the 24 words down afterwards: vitalog key words.`,
		Example: "  vitalog claim --app ~/my-health --home http://localhost:18401\n  vitalog claim --app ~/my-health --home http://localhost:18401 --card-file card.txt --passphrase-file p",
		Args:    cobra.NoArgs,
	}
	c.Flags().StringVar(&p.app, "app", "", "directory of the keys; it is made if it isn't there")
	c.Flags().StringVar(&address, "home", "", "address of the home member, for new keys; it need not be the hospital's")
	c.Flags().StringVar(&card, "card-file", "", "file that holds the card's code, mode 0600")
	p.jsonFlag(c)
	p.passphraseFlags(c)
	c.RunE = p.long(func(ctx context.Context, _ []string) error {
		a, read, err := p.claimant(ctx, address, card)
		if err != nil {
			return err
		}
		return a.claim(ctx, read)
	})
	return c
}

// claimant is the app that claims, and its card; nil if it is in the middle of a claim that needs none. The card is read before keys are made.
func (p *program) claimant(ctx context.Context, address, file string) (*app, *grant.ClaimCard, error) {
	if p.app == "" {
		return nil, nil, misused("--app is missing: the directory of the patient's keys")
	}
	if _, err := os.Stat(filepath.Join(p.app, appFile)); err == nil {
		a, err := p.patient()
		if err != nil {
			return nil, nil, err
		}
		own, err := a.ring.Own()
		if err != nil {
			return nil, nil, err
		}
		found, err := exchange.Claimed(ctx, a.home, own)
		if err != nil || found != nil {
			return a, nil, err
		}
		card, err := p.readCard(file)
		return a, card, err
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	if address == "" {
		return nil, nil, misused("--home is missing: the address of the member through which new keys reach the network")
	}
	passphrase, err := p.newPassphrase("the patient's keyring")
	if err != nil {
		return nil, nil, err
	}
	defer clear(passphrase)
	card, err := p.readCard(file)
	if err != nil {
		return nil, nil, err
	}
	a, err := p.newApp(ctx, address, "", passphrase)
	return a, card, err
}

// readCard reads a code, which is never shown.
func (p *program) readCard(file string) (*grant.ClaimCard, error) {
	var text []byte
	var err error
	switch {
	case file != "":
		text, err = readSecret(file, errNoCard)
	case onTerminal(os.Stdin):
		text, err = p.ask("The code on the card: ")
	default:
		text, err = io.ReadAll(io.LimitReader(p.in, 1<<12))
	}
	if err != nil {
		return nil, err
	}
	defer clear(text)
	card, err := grant.ParseClaimCard(string(chomp(text)))
	if err != nil {
		return nil, advise(usage{err}, "type all 16 groups of the card; hyphens, spaces and small letters don't matter")
	}
	return card, nil
}

// claim does it, and says what came of it.
func (a *app) claim(ctx context.Context, card *grant.ClaimCard) error {
	var last exchange.Claiming
	own, err := a.ring.Own()
	if err != nil {
		return err
	}
	claimed, err := exchange.Claim(ctx, a.home, own, card, func(c exchange.Claiming) { last = c })
	if claimed != nil {
		if err := errors.Join(err, a.findClaim(ctx)); err != nil {
			return advise(err, "vitalog claim --app %s", a.dir)
		}
	}
	switch {
	case errors.Is(err, exchange.ErrCardNotGood), errors.Is(err, exchange.ErrCardUsed), errors.Is(err, exchange.ErrCardLater):
		return advise(err, "vitalog claim --app %s", a.dir)
	case err != nil:
		return advise(err, "the claim goes on where it was: vitalog claim --app %s", a.dir)
	}
	if a.p.json {
		return a.p.line(struct {
			Schema  string `json:"schema"`
			Chart   string `json:"chart"`
			Opens   int    `json:"opens"`
			Records int    `json:"records"`
		}{"vitalog.claim/v1", a.ChartID(), last.Done, last.Of})
	}
	a.p.print("chart    %s\nrecords  %d of %d that were written before open with your keys", a.ChartID(), last.Done, last.Of)
	a.p.say("next: vitalog key words --app %[1]s, on paper; vitalog consent list --app %[1]s shows who may read", a.dir)
	return nil
}

// findClaim keeps what the keys have claimed, by the patient's index on the ledger, and goes on with it.
func (a *app) findClaim(ctx context.Context) error {
	own, err := a.ring.Own()
	if err != nil {
		return err
	}
	c, err := exchange.Claimed(ctx, a.home, own)
	if err != nil || c == nil {
		return err
	}
	plain := c.Encode()
	defer clear(plain)
	path := filepath.Join(a.dir, claimFile)
	if err := os.WriteFile(path+".new", a.ring.SealLocal([]byte(claimContext), plain), 0o600); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	return a.connect()
}

// loadClaim is what findClaim has kept, or nil.
func (a *app) loadClaim() (*keyring.Claim, error) {
	path := filepath.Join(a.dir, claimFile)
	sealed, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	plain, err := a.ring.OpenLocal([]byte(claimContext), sealed)
	if err != nil {
		return nil, advise(fmt.Errorf("%s: %w", path, err), "remove the file, then: vitalog claim --app %s", a.dir)
	}
	defer clear(plain)
	c, err := keyring.DecodeClaim(plain)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}
