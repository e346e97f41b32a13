package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"vitalog/home"
	"vitalog/key"
	"vitalog/op"
	"vitalog/section"
)

func (p *program) receiptCommand() *cobra.Command {
	return group("receipt", "Proofs that something is on the ledger", "  vitalog receipt get log:5f… 12 -o 12.receipt\n  vitalog receipt get vitals 12 --app maria -o 12.receipt", p.receiptGetCommand())
}

func (p *program) receiptGetCommand() *cobra.Command {
	var to string
	c := &cobra.Command{
		Use:   "get LOG ENTRY",
		Short: "Get the receipt of an entry, and check it",
		Long: `Writes the receipt of an entry as bytes (spec/receipt.md), after it was held against the own genesis. LOG is a log's id; with --app it may
be a section's name.`,
		Example: "  vitalog receipt get log:5f… 12 -o 12.receipt\n  vitalog receipt get vitals 12 --app maria -o vitals-12.receipt",
		Args:    cobra.ExactArgs(2),
	}
	p.appFlag(c)
	c.Flags().StringVarP(&to, "output", "o", "", "file (default standard output, if that is no terminal)")
	p.passphraseFlags(c)
	c.RunE = p.soon(func(ctx context.Context, args []string) error {
		entry, err := strconv.ParseUint(args[1], 10, 64)
		if err != nil {
			return misused("%q is no entry's number", args[1])
		}
		if to == "" && onTerminal(p.out) {
			return misused("a receipt is bytes: give -o, or lead it into a pipe")
		}
		var log key.Log
		var h *home.Client
		var g *op.Genesis
		if p.app != "" {
			a, err := p.patient()
			if err != nil {
				return err
			}
			h, g = a.home, a.genesis
			if s, err := section.Parse(args[0]); err == nil {
				log = a.keys.Log(s)
			}
		} else {
			m, err := p.member()
			if err != nil {
				return err
			}
			if h, err = m.home(); err != nil {
				return err
			}
			g = m.genesis
		}
		if log == (key.Log{}) {
			if err := log.UnmarshalText([]byte(args[0])); err != nil {
				return misused("%q is no log: want log: and 64 hex digits, or with --app a section", args[0])
			}
		}
		head, err := h.Head(ctx, log)
		if err != nil {
			return err
		}
		if entry >= head.Size {
			return fmt.Errorf("entry %d: the log has %s", entry, entries(head.Size))
		}
		r, err := h.Receipt(ctx, log, entry)
		if err != nil {
			return err
		}
		v, err := r.Verify(g)
		if err != nil {
			return err
		}
		write := func() error { _, err := p.out.Write(r.Encode()); return err }
		if to == "" {
			return write()
		}
		if err := p.into(to, write); err != nil {
			return err
		}
		p.say("entry %d of %v: final in block %d (%d of %d signed), in %s", v.Number, v.Log, v.Height-1, v.Signed, v.Of, to)
		return nil
	})
	return c
}
