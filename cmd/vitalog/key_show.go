package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"vitalog/key"
	"vitalog/section"
)

func (p *program) keyListCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "list", Short: "The patient's logs and the public keys that own them",
		Long:    "Lists every section with its log's id and owner key, from the keys alone. Together they tell whose logs belong together: show them to nobody.",
		Example: "  vitalog key list --app ~/my-health --json", Args: cobra.NoArgs,
	}
	p.appFlag(c)
	p.jsonFlag(c)
	p.passphraseFlags(c)
	c.RunE = p.asPatient(func(_ context.Context, a *app, _ []string) error {
		rows := p.listing("SECTION", "LOG", "OWNER")
		for _, s := range section.All() {
			log, owner := a.keys.Log(s), a.keys.Owner(s).Public()
			err := rows.add(struct {
				Schema  string       `json:"schema"`
				Section string       `json:"section"`
				Log     key.Log      `json:"log"`
				Owner   key.Verifier `json:"owner"`
			}{"vitalog.key/v1", s.String(), log, owner}, s.String(), log.String(), owner.String())
			if err != nil {
				return err
			}
		}
		return rows.end("")
	})
	return c
}

func (p *program) keyShowCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "show", Short: "The patient's card: where requests go",
		Long: `Prints the card, which may stand on paper or in a QR code: who has it can ask for access, and read nothing. The chart's id is what
organisations call the patient once something was shared with them.`,
		Example: "  vitalog key show --app ~/my-health", Args: cobra.NoArgs,
	}
	p.appFlag(c)
	p.jsonFlag(c)
	p.passphraseFlags(c)
	c.RunE = p.asPatient(func(_ context.Context, a *app, _ []string) error {
		if p.json {
			return p.line(struct {
				Schema  string      `json:"schema"`
				Card    string      `json:"card"`
				Chart   string      `json:"chart"`
				Network key.Network `json:"network"`
				Home    string      `json:"home"`
				Member  string      `json:"member"`
			}{"vitalog.card/v1", a.Handle().String(), a.ChartID(), a.genesis.Network(), a.config.Home, a.organisation(a.config.Member)})
		}
		p.print("card     %v\nchart    %s\nnetwork  %v\nhome     %s (%s)", a.Handle(), a.ChartID(), a.genesis.Network(), a.organisation(a.config.Member), a.config.Home)
		return nil
	})
	return c
}

func (p *program) keyWordsCommand() *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use: "words", Short: "Show the 24 words that bring the keys back",
		Long:    `The words are the patient's root: whoever reads them is the patient. They are for paper. Off a terminal they are shown only with --yes.`,
		Example: "  vitalog key words --app ~/my-health", Args: cobra.NoArgs,
	}
	p.appFlag(c)
	c.Flags().BoolVar(&yes, "yes", false, "also into a pipe or a file")
	p.passphraseFlags(c)
	c.RunE = p.soon(func(context.Context, []string) error {
		if !yes && !onTerminal(p.out) {
			return advise(usage{errHidden}, "look at them on a terminal, or add --yes if this pipe leads to a safe place")
		}
		a, err := p.patient()
		if err != nil {
			return err
		}
		words, err := a.keys.Words()
		if err != nil {
			return err
		}
		p.say("Whoever has these words is the patient. Paper, no photograph, no file.")
		_, err = fmt.Fprintln(p.out, words)
		return err
	})
	return c
}
