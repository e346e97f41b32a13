package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"vitalog/exchange"
	"vitalog/node"
	"vitalog/section"
)

func (p *program) recordKeptCommand() *cobra.Command {
	var o node.KeptOrder
	var out string
	c := &cobra.Command{
		Use:   "kept",
		Short: "Copies that an author must keep of what a patient destroyed",
		Long: `As a member: lists the own copies of records that were destroyed everywhere else, and until when they are kept (retention in vitalog.toml). With
--open one is opened, which needs who, what for and why: it is an entry in the patient's log before it happens, and the patient sees it. With
--out the bytes of an attachment go to a file. As the patient (--app): who keeps what of the own record, until when.`,
		Example: "  vitalog record kept\n  vitalog record kept --open 5f1c20a93b77 --practitioner vance --role \"records officer\" --purpose HLEGAL --reason \"court order 12/2031\"\n" +
			"  vitalog record kept --app maria",
		Args: cobra.NoArgs,
	}
	p.appFlag(c)
	askerFlags(c, &o.Asker)
	c.Flags().StringVar(&o.Copy, "open", "", "open the copy of this name")
	c.Flags().StringVar(&out, "out", "", "of --open: write an attachment's bytes to this file; - is standard output")
	p.jsonFlag(c)
	p.passphraseFlags(c)
	c.RunE = p.soon(func(ctx context.Context, _ []string) error {
		switch {
		case p.app != "" && o.Copy != "", out != "" && o.Copy == "":
			return misused("--out goes with --open, and --open not with --app: a copy opens for its author alone")
		case p.app != "":
			return p.keepers(ctx)
		case o.Copy == "":
			return p.listKept(ctx)
		}
		if err := checkAsker(o.Asker); err != nil {
			return err
		}
		if o.Asker.Reason == "" {
			return misused("say why: --reason; the patient will see it")
		}
		m, err := p.member()
		if err != nil {
			return err
		}
		o.Bytes = out != ""
		order, err := json.Marshal(o)
		if err != nil {
			return err
		}
		if o.Bytes {
			return p.fetchKept(ctx, m, order, out)
		}
		var opened node.KeptOpened
		if err := m.control(ctx, http.MethodPost, "kept", bytes.NewReader(order), &opened); err != nil {
			return err
		}
		return p.showKept(&opened)
	})
	return c
}

func (p *program) listKept(ctx context.Context) error {
	m, err := p.member()
	if err != nil {
		return err
	}
	var all []node.Kept
	if err := m.control(ctx, http.MethodGet, "kept", nil, &all); err != nil {
		return err
	}
	rows := p.listing("COPY", "UNTIL", "RECORDED", "SECTION", "PATIENT", "ENTRY")
	for _, k := range all {
		if err := rows.add(k, k.Copy, k.Until.Format(time.DateOnly), k.At.Format(time.DateOnly), k.Section, k.Patient, fmt.Sprint(k.Entry)); err != nil {
			return err
		}
	}
	return rows.end("nothing that was destroyed is kept here")
}

func (p *program) showKept(k *node.KeptOpened) error {
	if p.json {
		return p.line(k)
	}
	for _, r := range k.Resources {
		p.print("%s", r)
	}
	p.say("kept until %s, written by %s; this opening is entry %d of the patient's log, in block %d", k.Until.Format(time.DateOnly), k.Author, k.Access, k.Block)
	if k.Bytes > 0 {
		p.say("it is an attachment of %d bytes: --out FILE", k.Bytes)
	}
	return nil
}

func (p *program) fetchKept(ctx context.Context, m *member, order []byte, out string) error {
	resp, err := m.open(ctx, operator(), http.MethodPost, node.ControlPrefix+"kept", bytes.NewReader(order))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	moved := &moving{r: resp.Body, verb: "received", size: resp.ContentLength, progress: p.progress()}
	defer moved.progress.done()
	return p.toFile(moved, out)
}

// keeper is one line of what the patient sees: who keeps what was destroyed.
type keeper struct {
	Schema  string    `json:"schema"`
	Member  string    `json:"member,omitempty"` // absent: nobody whom the patient knows
	Section string    `json:"section"`
	From    uint64    `json:"from"` // entries
	To      uint64    `json:"to"`   // the first no more
	Until   time.Time `json:"until"`
}

func keeperOf(k exchange.Keeper) keeper {
	return keeper{"vitalog.keeper/v1", k.Member, k.Section.String(), k.Entries.From, k.Entries.To, k.Until}
}

// says tells it in words.
func (k keeper) says() string {
	who := k.Member
	if who == "" {
		who = "somebody whom you don't know"
	}
	return fmt.Sprintf("%s keeps its own copy of %s in %s until %s, as the law asks of it; you see it if the copy is opened",
		who, count(int(k.To-k.From), "record"), k.Section, k.Until.Format(time.DateOnly))
}

func (p *program) keepers(ctx context.Context) error {
	a, err := p.patient()
	if err != nil {
		return err
	}
	all, err := a.Keepers(ctx, section.Clinical()...)
	if err != nil {
		return err
	}
	rows := p.listing("MEMBER", "UNTIL", "SECTION", "ENTRIES")
	for _, one := range all {
		k := keeperOf(one)
		if err := rows.add(k, k.Member, k.Until.Format(time.DateOnly), k.Section, fmt.Sprintf("%d-%d", k.From, k.To-1)); err != nil {
			return err
		}
	}
	return rows.end("nobody keeps anything that you destroyed")
}
