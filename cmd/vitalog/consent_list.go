package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"vitalog/exchange"
	"vitalog/key"
)

// granted is one grant as it is printed.
type granted struct {
	Schema       string     `json:"schema"`
	Organisation string     `json:"organisation,omitempty"`
	Device       string     `json:"device,omitempty"`
	Proxy        string     `json:"proxy,omitempty"` // who reads for the patient
	Link         bool       `json:"link,omitempty"`
	Section      string     `json:"section"`
	Rights       string     `json:"rights"`
	Purpose      string     `json:"purpose,omitempty"`
	From         *time.Time `json:"from,omitempty"`
	Until        *time.Time `json:"until,omitempty"` // absent: until it is stopped
	Uses         uint32     `json:"uses,omitempty"`
	Used         uint32     `json:"used"`
	Label        string     `json:"label,omitempty"`
	State        string     `json:"state"` // active, not yet, ended, used up, stopped
	Log          key.Log    `json:"log"`
	Entry        uint64     `json:"entry"`
	Block        uint64     `json:"block"`
	Signed       int        `json:"signed,omitempty"` // validators, where a receipt was checked
	Of           int        `json:"of,omitempty"`
}

func (a *app) row(g exchange.Shared, now time.Time) granted {
	out := granted{Schema: "vitalog.consent/v1", Device: g.Device, Proxy: g.Proxy, Link: g.Link, Section: g.Section.String(), Rights: g.Rights.String(), Purpose: g.Purpose,
		From: moment(g.From), Until: moment(g.Until), Uses: g.Uses, Used: g.Used, Label: g.Label, State: "active", Log: g.Log, Entry: g.Entry, Block: g.Block}
	if g.Member >= 0 {
		out.Organisation = a.organisation(g.Member)
	}
	ms := uint64(now.UnixMilli())
	switch {
	case g.Revoked:
		out.State = "stopped"
	case ms < g.From:
		out.State = "not yet"
	case g.Until != 0 && ms >= g.Until:
		out.State = "ended"
	case g.Uses != 0 && g.Used >= g.Uses:
		out.State = "used up"
	}
	return out
}

func moment(ms uint64) *time.Time {
	if ms == 0 {
		return nil
	}
	t := time.UnixMilli(int64(ms)).UTC()
	return &t
}

// who holds the grant, in words.
func (g *granted) who() string {
	if g.Proxy != "" {
		return g.Proxy + ", for you"
	}
	if g.Device != "" {
		return "your device " + g.Device
	}
	if g.Link {
		return "a health link"
	}
	return g.Organisation
}

func (g *granted) until() string {
	if g.Until == nil {
		return "you stop it"
	}
	return stamp(*g.Until)
}

func (p *program) consentListCommand() *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use: "list", Short: "Who may do what, as the patient",
		Long:    "Lists the organisations and devices that hold grants, each with its sections, its purpose and its end.",
		Example: "  vitalog consent list --app maria\n  vitalog consent list --app ~/my-health --all --json", Args: cobra.NoArgs,
	}
	p.appFlag(c)
	c.Flags().BoolVar(&all, "all", false, "also what has ended")
	p.jsonFlag(c)
	p.passphraseFlags(c)
	c.RunE = p.asPatient(func(ctx context.Context, a *app, _ []string) error {
		list, err := a.Sharing(ctx)
		if err != nil {
			return err
		}
		rows := p.listing("WHO", "MAY", "FOR", "UNTIL", "STATE", "SECTIONS")
		where := map[string]int{} // what differs in the section alone is one row
		for _, s := range list {
			g := a.row(s, time.Now())
			if g.State != "active" && g.State != "not yet" && !all {
				continue
			}
			head := []string{g.who(), g.Rights, purposeWords(g.Purpose), g.until(), g.State}
			id := strings.Join(head, "\x00")
			if n, ok := where[id]; ok && !p.json {
				rows.rows[n][5] += ", " + g.Section
				continue
			}
			where[id] = len(rows.rows)
			if err := rows.add(g, append(head, g.Section)...); err != nil {
				return err
			}
		}
		return rows.end("nothing is shared with anybody")
	})
	return c
}

func (p *program) consentShowCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "show WHO", Short: "One organisation's or device's grants in full, as the patient",
		Long:    "Shows every grant that the organisation ever held: what for, since which block, how often it was used, and a checked receipt of each.",
		Example: "  vitalog consent show --app maria \"St. Elena Hospital\"", Args: cobra.ExactArgs(1),
	}
	p.appFlag(c)
	p.jsonFlag(c)
	p.passphraseFlags(c)
	c.RunE = p.asPatient(func(ctx context.Context, a *app, args []string) error {
		which, who, err := a.stops(args[0], "", "")
		if err != nil {
			return err
		}
		list, err := a.Sharing(ctx)
		if err != nil {
			return err
		}
		list = slices.DeleteFunc(list, func(g exchange.Shared) bool { return !which(g) })
		if len(list) == 0 {
			return advise(fmt.Errorf("%s never held a grant", who), "vitalog consent list --app %s", p.app)
		}
		rows := p.listing("SECTION", "MAY", "FOR", "UNTIL", "STATE", "USED", "ENTRY", "BLOCK", "SIGNED")
		for _, s := range list {
			v, err := a.prove(ctx, s)
			if err != nil {
				return err
			}
			g := a.row(s, time.Now())
			g.Signed, g.Of = v.Signed, v.Of
			err = rows.add(g, g.Section, g.Rights, purposeWords(g.Purpose), g.until(), g.State, fmt.Sprint(g.Used), fmt.Sprint(g.Entry), fmt.Sprint(g.Block),
				fmt.Sprintf("%d of %d", g.Signed, g.Of))
			if err != nil {
				return err
			}
		}
		return rows.end("")
	})
	return c
}
