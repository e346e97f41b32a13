package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"vitalog/exchange"
	"vitalog/gateway"
)

// askerFlags are who asks at a member and what for. The patient gets to see all of it.
func askerFlags(c *cobra.Command, who *exchange.Asker) {
	c.Flags().StringVar(&who.Practitioner, "practitioner", "", "the person's number at this member")
	c.Flags().StringVar(&who.Name, "name", "", "the person's name, as the patient will read it")
	c.Flags().StringVar(&who.Role, "role", "", "the person's role: physician, nurse, pharmacist …")
	c.Flags().StringVar(&who.Purpose, "purpose", "", "purpose of use: TREAT, HPAYMT, HOPERAT, HRESCH, PUBHLTH …")
	c.Flags().StringVar(&who.Reason, "reason", "", "why, in a few words for the patient")
}

// checkAsker refuses whom the patient couldn't recognise.
func checkAsker(who exchange.Asker) error {
	if who.Practitioner == "" || who.Role == "" || who.Purpose == "" {
		return misused("say who asks and what for: --practitioner, --role and --purpose; the patient will see it")
	}
	return nil
}

func (p *program) tokenCommand() *cobra.Command {
	return group("token", "Access tokens for the member's own software", "  vitalog token issue --practitioner okafor --role cardiologist --purpose TREAT", p.tokenIssueCommand())
}

func (p *program) tokenIssueCommand() *cobra.Command {
	var who exchange.Asker
	var minutes int
	c := &cobra.Command{
		Use:   "issue",
		Short: "Make an access token for a practitioner and a purpose",
		Long: `Prints a bearer token for the member's FHIR endpoint, signed with a key of its keyring. What is read with it stands on the ledger, and
the patient sees name, role, purpose and reason. The member needn't be running.`,
		Example: "  TOKEN=$(vitalog token issue --practitioner okafor --name \"Dr. Ada Okafor\" --role cardiologist --purpose TREAT)\n" +
			"  curl -H \"Authorization: Bearer $TOKEN\" http://localhost:18401/fhir/Patient/4c1d",
		Args: cobra.NoArgs,
	}
	askerFlags(c, &who)
	c.Flags().IntVar(&minutes, "minutes", 5, "how long it is good for, at most 5")
	p.jsonFlag(c)
	p.passphraseFlags(c)
	c.RunE = p.soon(func(_ context.Context, _ []string) error {
		if err := checkAsker(who); err != nil {
			return err
		}
		life := time.Duration(minutes) * time.Minute
		if life <= 0 || life > gateway.MaxTokenLife {
			return misused("--minutes %d: want 1 to %d", minutes, int(gateway.MaxTokenLife/time.Minute))
		}
		m, err := p.member()
		if err != nil {
			return err
		}
		ring, err := m.keys()
		if err != nil {
			return err
		}
		now := time.Now()
		text, err := gateway.IssueToken(ring.Tokens(), m.config.Name, m.config.URL()+"/fhir", who, life, now)
		if err != nil {
			return usage{err}
		}
		if p.json {
			return p.line(struct {
				Schema  string    `json:"schema"`
				Token   string    `json:"token"`
				Expires time.Time `json:"expires"`
				FHIR    string    `json:"fhir"`
			}{"vitalog.token/v1", text, now.Add(life).UTC().Truncate(time.Second), m.config.URL() + "/fhir"})
		}
		_, err = fmt.Fprintln(p.out, text)
		return err
	})
	return c
}
