package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"vitalog/exchange"
	"vitalog/receipt"
	"vitalog/section"
)

// erasedAgain is how often a command that waits asks.
const erasedAgain = time.Second

func (p *program) recordErasedCommand() *cobra.Command {
	var sections, to string
	var wait bool
	c := &cobra.Command{
		Use:   "erased",
		Short: "What the patient had erased, which members have deleted it, and the certificate of that",
		Long: `Lists what was ordered blocked or destroyed in the patient's record, and of what was destroyed what every member has said since: that it deleted it from its
disk and its bucket, or nothing yet. All of it is held against the validators' signatures.

With --certificate it is written as a file that anybody can check with the genesis alone, whoever is there then or not: 'vitalog verify certificate'. It tells
which logs are the patient's and names no content. With --wait it ends when every member has said so.`,
		Example: "  vitalog record erased --app maria\n  vitalog record erased --app maria --section labs --wait --certificate labs.certificate",
		Args:    cobra.NoArgs,
	}
	p.appFlag(c)
	c.Flags().StringVar(&sections, "section", "", "only these sections, separated by commas")
	c.Flags().StringVar(&to, "certificate", "", "write the certificate to this file")
	c.Flags().BoolVar(&wait, "wait", false, "until every member has said that it deleted")
	p.jsonFlag(c)
	p.passphraseFlags(c)
	c.RunE = p.long(func(ctx context.Context, _ []string) error {
		list, err := eachSection(sections)
		if err != nil {
			return err
		}
		a, err := p.patient()
		if err != nil {
			return err
		}
		all, err := a.Erasures(ctx, list...)
		if err != nil {
			return err
		}
		in := map[exchange.Ordered]section.Section{}
		var orders []exchange.Ordered
		for _, e := range all {
			if in[e.Ordered] = e.Section; e.Destroy {
				orders = append(orders, e.Ordered)
			} else if err := p.showBlocked(e); err != nil {
				return err
			}
		}
		if len(orders) == 0 {
			if to != "" {
				return errors.New("nothing was destroyed: there is nothing to certify")
			}
			p.say("Nothing was destroyed.")
			return nil
		}
		certificate, shown, err := a.certificate(ctx, p, wait, orders)
		if err != nil {
			return err
		}
		for i := range shown {
			if err := p.showErased(a.genesis, &shown[i], in[exchange.Ordered{Log: shown[i].Log, Entry: shown[i].Entry}].String()); err != nil {
				return err
			}
		}
		if to == "" {
			return nil
		}
		if err := p.into(to, func() error { _, err := p.out.Write(certificate.Encode()); return err }); err != nil {
			return err
		}
		p.say("the certificate of %s is in %s", count(len(shown), "order"), to)
		return nil
	})
	return c
}

// certificate gets it, with wait when it is complete.
func (a *app) certificate(ctx context.Context, p *program, wait bool, orders []exchange.Ordered) (*receipt.Certificate, []receipt.Erased, error) {
	bar := p.progress()
	defer bar.done()
	again := time.NewTicker(erasedAgain)
	defer again.Stop()
	for {
		c, shown, err := a.Certificate(ctx, orders...)
		left := slices.IndexFunc(shown, func(e receipt.Erased) bool { return !e.Complete() })
		if err != nil || !wait || left < 0 {
			return c, shown, err
		}
		member := slices.Index(shown[left].Deleted, nil)
		bar.show("waiting for %s", a.organisation(member))
		select {
		case <-again.C:
		case <-ctx.Done():
			return nil, nil, advise(fmt.Errorf("%s has not said yet that it deleted: %w", a.organisation(member), ctx.Err()), "without --wait it shows how far it is")
		}
	}
}

// blocked is an order that only blocks.
type blocked struct {
	Schema  string    `json:"schema"`
	Section string    `json:"section"`
	Entry   uint64    `json:"entry"`
	Entries []uint64  `json:"entries"`
	At      time.Time `json:"at"`
	Block   uint64    `json:"block"`
}

func (p *program) showBlocked(e exchange.Erasure) error {
	if p.json {
		return p.line(blocked{"vitalog.blocked/v1", e.Section.String(), e.Entry, e.Entries, e.At.UTC(), e.Block})
	}
	p.print("%s in %s: blocked for ever %s, block %d", count(len(e.Entries), "record"), e.Section, e.At.UTC().Format(time.RFC3339), e.Block)
	return nil
}
