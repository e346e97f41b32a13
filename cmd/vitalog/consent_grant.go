package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"vitalog/consent"
	"vitalog/exchange"
)

// grantFlags are what a grant can be told.
type grantFlags struct {
	request                                    uint64
	to, sections, purpose, until, rights, note string
	uses                                       uint32
	yes, dryRun                                bool
}

func (p *program) consentGrantCommand() *cobra.Command {
	var f grantFlags
	c := &cobra.Command{
		Use:   "grant",
		Short: "Let an organisation read or write, as the patient",
		Long: `Grants what a request asks for, or what the flags say; flags narrow or change a request. Before anything is signed it says in one sentence
what will hold, and asks. When it is done it shows a receipt that the validators signed, checked against this app's own genesis.

Sensitive sections (mental-health, substance-use, sexual-health, hiv, genetics) are granted by name only.`,
		Example: "  vitalog consent grant --app maria --request 3 --sections vitals,medications --until 90d\n" +
			"  vitalog consent grant --app maria --to \"Hôpital du Lac\" --sections all --purpose TREAT --rights read --until 2027-01-31\n" +
			"  vitalog consent grant --app maria --to st-elena --sections labs --purpose TREAT --rights write --until stop --yes",
		Args: cobra.NoArgs,
	}
	p.appFlag(c)
	l := c.Flags()
	l.Uint64Var(&f.request, "request", 0, "number of a request in the inbox")
	l.StringVar(&f.to, "to", "", "the organisation: its name, the beginning of it, or its number")
	l.StringVar(&f.sections, "sections", "", "sections, separated by commas, or all (which leaves sensitive ones out)")
	l.StringVar(&f.purpose, "purpose", "", "purpose of use: TREAT, HPAYMT, HRESCH …")
	l.StringVar(&f.until, "until", "", "3d, 90d, a last day like 2027-01-31, or stop: until you stop it")
	l.StringVar(&f.rights, "rights", "read", "read, write, or read,write")
	l.Uint32Var(&f.uses, "uses", 0, "how many times it may be read (default any number)")
	l.StringVar(&f.note, "label", "", "what you call it: my hospital")
	l.BoolVar(&f.yes, "yes", false, "don't ask")
	l.BoolVar(&f.dryRun, "dry-run", false, "say what would hold, and end")
	p.jsonFlag(c)
	p.passphraseFlags(c)
	c.RunE = p.asPatient(func(ctx context.Context, a *app, _ []string) error {
		s, request, err := a.share(ctx, f)
		if err != nil {
			return err
		}
		sentence := fmt.Sprintf("%s may %s %s, for %s, %s%s.", a.organisation(s.Member), rightsWords(s.Rights), sentenceOf(s.Sections),
			purposeWords(s.Purpose), untilWords(s.Until), usesWords(s.Uses))
		if f.dryRun {
			p.print("%s", sentence)
			return nil
		}
		if err := p.confirm(f.yes, sentence); err != nil {
			return err
		}
		done, err := a.Grant(ctx, s)
		if err != nil {
			return err
		}
		if request != nil {
			if err := a.Answer(ctx, *request, done, ""); err != nil && !errors.Is(err, exchange.ErrConflict) {
				return err
			}
		}
		return a.final(ctx, "vitalog.grant/v1", done)
	})
	return c
}

// share makes the grant out of a request and the flags, which come first.
func (a *app) share(ctx context.Context, f grantFlags) (s exchange.Share, request *exchange.Wished, err error) {
	s = exchange.Share{Uses: f.uses, Label: f.note, Purpose: f.purpose}
	until := f.until
	if f.request != 0 {
		w, err := a.request(ctx, f.request)
		if err != nil {
			return s, nil, err
		}
		if f.to != "" {
			return s, nil, misused("--request %d says who asks: leave --to out", f.request)
		}
		request, s.Member, s.Sections = &w, int(w.Member), w.Sections
		if s.Purpose == "" {
			s.Purpose = w.Purpose
		}
		if s.Uses == 0 {
			s.Uses = w.Uses
		}
		if until == "" {
			until = "stop"
			if w.Lasts > 0 {
				s.Until = time.Now().Add(time.Duration(w.Lasts) * time.Millisecond)
			}
		}
	} else if s.Member, err = findMember(a.genesis, f.to); err != nil {
		return s, nil, err
	}
	if f.sections != "" || f.request == 0 {
		if s.Sections, err = parseSections(f.sections); err != nil {
			return s, nil, err
		}
	}
	if s.Purpose == "" {
		return s, nil, misused("--purpose is missing: TREAT, HPAYMT, HRESCH …")
	}
	if until == "" {
		return s, nil, misused("--until is missing: 3d, 90d, a date, or stop: until you stop it")
	}
	if s.Until.IsZero() {
		if s.Until, err = parseUntil(until, time.Now()); err != nil {
			return s, nil, err
		}
	}
	s.Rights, err = parseRights(f.rights)
	if s.Rights&consent.Read == 0 {
		s.Uses = 0
	}
	return s, request, err
}

func usesWords(n uint32) string {
	if n == 0 {
		return ""
	}
	return ", " + count(int(n), "time")
}

// final shows that entries are on the ledger, from receipts that hold with this app's genesis.
func (a *app) final(ctx context.Context, schema string, list []exchange.Shared) error {
	for _, g := range list {
		v, err := a.prove(ctx, g)
		if err != nil {
			return fmt.Errorf("it is on the ledger, but the proof fails: %w", err)
		}
		if a.p.json {
			row := a.row(g, time.Now())
			row.Schema, row.Signed, row.Of = schema, v.Signed, v.Of
			if err := a.p.line(row); err != nil {
				return err
			}
			continue
		}
		a.p.print("%s %s: final in block %d (%d of %d signed)", "✓", g.Section, g.Block, v.Signed, v.Of)
	}
	return nil
}
