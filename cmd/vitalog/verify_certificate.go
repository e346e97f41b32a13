package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"vitalog/key"
	"vitalog/op"
	"vitalog/receipt"
)

func (p *program) verifyCertificateCommand() *cobra.Command {
	var genesis string
	c := &cobra.Command{
		Use:   "certificate FILE",
		Short: "Check an erasure certificate offline, with nothing but the genesis",
		Long: `Shows which records were ordered destroyed, when, and which members have said on the ledger since that they have deleted them. It needs no network and
no member. It is complete when every member of the genesis has said so.

What a member says is its word: that it deleted, the ledger can't see. What it rests on is the genesis: get that, or the network's id, from several members.`,
		Example: "  vitalog verify certificate erased.certificate --genesis genesis.json",
		Args:    cobra.ExactArgs(1),
	}
	c.Flags().StringVar(&genesis, "genesis", "", "the network's genesis file")
	p.jsonFlag(c)
	c.RunE = p.soon(func(_ context.Context, args []string) error {
		g, b, err := p.readProof(genesis, args[0])
		if err != nil {
			return err
		}
		x, err := receipt.DecodeCertificate(b)
		if err != nil {
			return fmt.Errorf("%s: %w: %w", args[0], errAltered, err)
		}
		shown, err := x.Verify(g)
		if err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
		for i := range shown {
			if err := p.showErased(g, &shown[i], ""); err != nil {
				return err
			}
		}
		if !p.json {
			p.print("It rests on the genesis of %v, on less than a third of its validators being dishonest, and on the members' word.", g.Network())
		}
		return nil
	})
	return c
}

// certified is what a certificate shows of one order to destroy.
type certified struct {
	Schema   string                 `json:"schema"`
	Network  key.Network            `json:"network"`
	Log      key.Log                `json:"log"`
	Entry    uint64                 `json:"entry"`
	Section  string                 `json:"section,omitempty"` // to the patient alone
	Signer   key.Verifier           `json:"signer"`
	At       time.Time              `json:"at"`
	Block    uint64                 `json:"block"` // at the latest
	Records  []receipt.ErasedRecord `json:"records"`
	Members  []deletionOf           `json:"members"`
	Kept     []receipt.KeptRecords  `json:"kept,omitempty"` // copies that their author keeps
	Complete bool                   `json:"complete"`
}

// deletionOf is what a member says of it.
type deletionOf struct {
	Name    string `json:"name"`
	Deleted bool   `json:"deleted"`
	*receipt.Deletion
}

// showErased prints what is known of an order to destroy. Whose section it was only the patient knows.
func (p *program) showErased(g *op.Genesis, e *receipt.Erased, section string) error {
	x := certified{"vitalog.certificate/v1", g.Network(), e.Log, e.Entry, section, e.Signer, e.At, e.Block, e.Records, nil, e.Kept, e.Complete()}
	for i, m := range g.Members {
		x.Members = append(x.Members, deletionOf{m.Name, e.Deleted[i] != nil, e.Deleted[i]})
	}
	if p.json {
		return p.line(x)
	}
	where := "in " + e.Log.String()
	if section != "" {
		where = "in " + section
	}
	p.print("%s of entry %d %s: ordered destroyed %s, by block %d", count(len(e.Records), "record"), e.Entry, where, e.At.Format(time.RFC3339), e.Block)
	for _, m := range x.Members {
		if m.Deleted {
			p.print("  ✓ %s deleted it by %s, with all that was ordered up to block %d", m.Name, m.At.Format(time.RFC3339), m.Upto)
		} else {
			p.print("  – %s has not said yet that it deleted it", m.Name)
		}
	}
	for _, k := range x.Kept {
		p.print("  ! entries %d-%d: their author keeps its own copy until %s, which opens for it alone", k.From, k.To-1, k.Until.Format(time.DateOnly))
	}
	if x.Complete {
		p.print("  complete: every member of %q has said that it is gone", g.Name)
	}
	return nil
}
