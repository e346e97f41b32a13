package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"vitalog/exchange"
	"vitalog/node"
)

func (p *program) consentCommand() *cobra.Command {
	return group("consent", "Ask for access; grant, narrow and stop it", `  vitalog consent request --patient 4c1d… --practitioner okafor --role cardiologist --purpose TREAT --sections vitals,medications
  vitalog consent inbox --app maria
  vitalog consent grant --app maria --request 3 --sections vitals --until 90d`,
		p.consentRequestCommand(), p.consentInboxCommand(), p.consentGrantCommand(), p.consentDenyCommand(), p.consentRevokeCommand(),
		p.consentListCommand(), p.consentShowCommand())
}

func (p *program) consentRequestCommand() *cobra.Command {
	var who exchange.Asker
	var patient, card, sections, lasts string
	var uses uint32
	c := &cobra.Command{
		Use:   "request",
		Short: "Ask a patient for access, as a member",
		Long: `Leaves a sealed request in the patient's inbox. The patient sees who asks, for which sections, why and for how long, and may narrow it.
The ledger shows only that some member posted something somewhere.`,
		Example: "  vitalog consent request --patient 4c1d… --practitioner okafor --name \"Dr. Ada Okafor\" --role cardiologist --purpose TREAT --sections vitals,medications --for 90d\n" +
			"  vitalog consent request --card vitalog:… --practitioner okafor --role cardiologist --purpose TREAT --sections all",
		Args: cobra.NoArgs,
	}
	askerFlags(c, &who)
	c.Flags().StringVar(&patient, "patient", "", "a patient known here: chart id, or identifier system|value")
	c.Flags().StringVar(&card, "card", "", "the patient's card, vitalog:…")
	c.Flags().StringVar(&sections, "sections", "", "wished sections, separated by commas, or all (which leaves sensitive ones out)")
	c.Flags().StringVar(&lasts, "for", "stop", "how long it is wished: 3d, 90d, 12h, or stop: until the patient stops it")
	c.Flags().Uint32Var(&uses, "uses", 0, "how often it is wished (default any number)")
	p.jsonFlag(c)
	p.passphraseFlags(c)
	c.RunE = p.soon(func(ctx context.Context, _ []string) error {
		if err := checkAsker(who); err != nil {
			return err
		}
		if (patient == "") == (card == "") {
			return misused("say whom to ask: --patient or --card, one of them")
		}
		list, err := parseSections(sections)
		if err != nil {
			return err
		}
		span, err := parseSpan(lasts)
		if err != nil {
			return err
		}
		m, err := p.member()
		if err != nil {
			return err
		}
		if patient != "" {
			if patient, err = m.chart(ctx, who, patient); err != nil {
				return err
			}
		}
		order := node.RequestOrder{Handle: card, Patient: patient, Asker: who, Lasts: uint64(span.Milliseconds()), Uses: uses}
		for _, s := range list {
			order.Sections = append(order.Sections, s.String())
		}
		body, err := json.Marshal(order)
		if err != nil {
			return err
		}
		var posted struct {
			Schema  string `json:"schema"`
			Request string `json:"request"`
		}
		if err := m.control(ctx, http.MethodPost, "request", bytes.NewReader(body), &posted); err != nil {
			return err
		}
		if p.json {
			return p.line(posted)
		}
		p.print("request %s is in the patient's inbox", posted.Request)
		p.say("the patient answers with: vitalog consent inbox --app …; what becomes of it is at GET /fhir/Consent/request.%s", posted.Request)
		return nil
	})
	return c
}

// chartAt is the member that is meant, and the chart id there of a patient.
func (p *program) chartAt(ctx context.Context, who exchange.Asker, patient string) (m *member, id string, err error) {
	if m, err = p.member(); err == nil {
		id, err = m.chart(ctx, who, patient)
	}
	return m, id, err
}

// chart is the chart id of a patient who is given by it or by a business identifier.
func (m *member) chart(ctx context.Context, who exchange.Asker, patient string) (string, error) {
	if !strings.Contains(patient, "|") {
		return strings.TrimPrefix(patient, "Patient/"), nil
	}
	found, err := m.search(ctx, who, "/fhir/Patient?"+query("identifier", patient))
	if err != nil {
		return "", err
	}
	if len(found) != 1 {
		return "", exchange.ErrNotShared
	}
	return summarise(found[0]).ID, nil
}
