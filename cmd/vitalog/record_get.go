package main

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"vitalog/exchange"
	"vitalog/section"
)

func (p *program) recordGetCommand() *cobra.Command {
	var who exchange.Asker
	var out, span string
	c := &cobra.Command{
		Use:   "get TYPE/ID",
		Short: "Print one resource",
		Long: `Prints a FHIR resource as it was written, but for id, version and references. Whether it isn't there or isn't shared is not told.

With --out the bytes of a Binary go to a file, as they were attached; with --range only some of them. Each call is a read of its own, which the patient sees.`,
		Example: "  vitalog record get Observation/0b6e… --practitioner okafor --role cardiologist --purpose TREAT\n" +
			"  vitalog record get Observation/0b6e… --app maria\n" +
			"  vitalog record get Binary/77d0… --out ct.dcm --range 0-1048575 --practitioner okafor --role cardiologist --purpose TREAT",
		Args: cobra.ExactArgs(1),
	}
	p.appFlag(c)
	askerFlags(c, &who)
	c.Flags().StringVar(&out, "out", "", "write the bytes of a Binary to this file; - is standard output")
	c.Flags().StringVar(&span, "range", "", "of --out: only these bytes, the first and the last, counted from 0: 0-1048575")
	p.passphraseFlags(c)
	bytes := p.long(func(ctx context.Context, args []string) error { return p.fetch(ctx, who, args[0], out, span) })
	resource := p.soon(func(ctx context.Context, args []string) error {
		kind, id, ok := strings.Cut(args[0], "/")
		if !ok || kind == "" || id == "" {
			return misused("%q: want a type and an id, like Observation/0b6e…", args[0])
		}
		if p.app != "" {
			return p.ownRecord(ctx, kind, id)
		}
		if err := checkAsker(who); err != nil {
			return err
		}
		m, err := p.member()
		if err != nil {
			return err
		}
		a, err := m.ask(ctx, who, http.MethodGet, "/fhir/"+url.PathEscape(kind)+"/"+url.PathEscape(id), nil)
		if err != nil {
			return err
		}
		p.print("%s", a.body)
		return nil
	})
	c.RunE = func(c *cobra.Command, args []string) error {
		switch {
		case out == "" && span == "":
			return resource(c, args)
		case out == "" || p.app != "":
			return misused("--range goes with --out, and both with a member's asker, not with --app")
		}
		return bytes(c, args)
	}
	return c
}

func (p *program) ownRecord(ctx context.Context, kind, id string) error {
	a, err := p.patient()
	if err != nil {
		return err
	}
	chart, _, err := a.Record(ctx, section.Clinical()...)
	if err != nil {
		return err
	}
	r := chart.Get(kind, id)
	if r == nil || r.Deleted() {
		return exchange.ErrNotShared
	}
	p.print("%s", r.Current().Render(""))
	return nil
}
