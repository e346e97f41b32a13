package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"vitalog/exchange"
	"vitalog/section"
)

// asked is a request as it is printed.
type asked struct {
	Schema       string   `json:"schema"`
	Number       uint64   `json:"number"` // entry in the inbox
	Request      string   `json:"request"`
	Organisation string   `json:"organisation"`
	Practitioner string   `json:"practitioner,omitempty"`
	Name         string   `json:"name,omitempty"`
	Role         string   `json:"role,omitempty"`
	Purpose      string   `json:"purpose"`
	Reason       string   `json:"reason,omitempty"`
	Sections     []string `json:"sections"`
	Lasts        uint64   `json:"lastsMs,omitempty"`
	Uses         uint32   `json:"uses,omitempty"`
	Block        uint64   `json:"block"`
	Answer       string   `json:"answer,omitempty"`
}

func (a *app) asked(w exchange.Wished) asked {
	out := asked{Schema: "vitalog.request/v1", Number: w.Entry, Request: fmt.Sprintf("%x", w.ID), Organisation: a.organisation(int(w.Member)),
		Practitioner: w.Practitioner, Name: w.Name, Role: w.Role, Purpose: w.Purpose, Reason: w.Reason, Lasts: w.Lasts, Uses: w.Uses, Block: w.Block}
	for _, s := range w.Sections {
		out.Sections = append(out.Sections, s.String())
	}
	switch {
	case w.Granted:
		out.Answer = "granted"
	case w.Answered:
		out.Answer = "denied"
	}
	return out
}

func (p *program) consentInboxCommand() *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:     "inbox",
		Short:   "Who asks for access, as the patient",
		Long:    `Lists the requests that wait for an answer. Each is signed by the member that it comes from; the number is what 'grant' and 'deny' take.`,
		Example: "  vitalog consent inbox --app maria\n  vitalog consent inbox --app ~/my-health --all --json",
		Args:    cobra.NoArgs,
	}
	p.appFlag(c)
	c.Flags().BoolVar(&all, "all", false, "answered ones too")
	p.jsonFlag(c)
	p.passphraseFlags(c)
	c.RunE = p.asPatient(func(ctx context.Context, a *app, _ []string) error {
		list, spam, err := a.Inbox(ctx)
		if err != nil {
			return err
		}
		rows := p.listing("NO", "FROM", "WHO", "WANTS TO READ", "FOR", "HOW LONG", "WHY", "ANSWER")
		for _, w := range list {
			q := a.asked(w)
			if q.Answer != "" && !all {
				continue
			}
			err := rows.add(q, strconv.FormatUint(q.Number, 10), q.Organisation, person(q.Name, q.Role, q.Practitioner), sectionNames(w.Sections),
				purposeWords(q.Purpose), howLong(q.Lasts), q.Reason, q.Answer)
			if err != nil {
				return err
			}
		}
		if spam > 0 {
			p.say("%s that can't be read, and so come from no member", count(spam, "post"))
		}
		if !p.json && !rows.empty() {
			p.say("next: vitalog consent grant --app %[1]s --request NO, or vitalog consent deny --app %[1]s NO", p.app)
		}
		return rows.end("nobody waits for an answer")
	})
	return c
}

func howLong(ms uint64) string {
	span := time.Duration(ms) * time.Millisecond
	switch {
	case ms == 0:
		return "until you stop it"
	case span%day == 0:
		return count(int(span/day), "day")
	}
	return span.String()
}

// person is how people are named: name and role, or what there is of it.
func person(name, role, number string) string {
	if name == "" {
		name = number
	}
	if role != "" {
		return name + ", " + role
	}
	return name
}

// request finds one request of the inbox.
func (a *app) request(ctx context.Context, number uint64) (exchange.Wished, error) {
	list, _, err := a.Inbox(ctx)
	if err != nil {
		return exchange.Wished{}, err
	}
	for _, w := range list {
		if w.Entry == number {
			return w, nil
		}
	}
	return exchange.Wished{}, advise(fmt.Errorf("there is no request %d in the %s", number, section.Inbox), "vitalog consent inbox --app %s", a.p.app)
}

func (p *program) consentDenyCommand() *cobra.Command {
	var words string
	c := &cobra.Command{
		Use:     "deny NO",
		Short:   "Answer a request with no, as the patient",
		Long:    `Answers a request with no. The answer is sealed to the member that asks, and signed; to all others it is one more post into an inbox.`,
		Example: "  vitalog consent deny --app maria 3\n  vitalog consent deny --app maria 3 --note \"ask me at my next visit\"",
		Args:    cobra.ExactArgs(1),
	}
	p.appFlag(c)
	c.Flags().StringVar(&words, "note", "", "words for who asks")
	p.passphraseFlags(c)
	c.RunE = p.asPatient(func(ctx context.Context, a *app, args []string) error {
		number, err := strconv.ParseUint(args[0], 10, 64)
		if err != nil {
			return misused("%q is no number of the inbox", args[0])
		}
		w, err := a.request(ctx, number)
		if err != nil {
			return err
		}
		if err := a.Answer(ctx, w, nil, words); err != nil {
			return err
		}
		p.say("%s gets nothing, and is told so", a.organisation(int(w.Member)))
		return nil
	})
	return c
}
