package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"vitalog/exchange"
	"vitalog/section"
)

func (p *program) recordCommand() *cobra.Command {
	return group("record", "Read and write records, as a member or as the patient", `  vitalog record list --patient 4c1d… --practitioner okafor --role cardiologist --purpose TREAT
  vitalog record list --app maria --sections vitals
  vitalog record put observation.json --app maria`, p.recordListCommand(), p.recordGetCommand(), p.recordPutCommand(), p.recordEraseCommand(), p.recordErasedCommand(), p.recordKeptCommand())
}

// listed is one resource as it is printed.
type listed struct {
	Schema  string `json:"schema"`
	Type    string `json:"type"`
	ID      string `json:"id"`
	Version string `json:"version,omitempty"`
	When    string `json:"when,omitempty"`
	What    string `json:"what,omitempty"`
	Value   string `json:"value,omitempty"`
	Section string `json:"section,omitempty"`
	Author  string `json:"author,omitempty"`
}

func (p *program) recordListCommand() *cobra.Command {
	var who exchange.Asker
	var patient, kind, sections string
	c := &cobra.Command{
		Use:   "list",
		Short: "List a patient's records",
		Long: `As a member: asks the own gateway for the chart of --patient, or one --type of it. The read is on the ledger before it happens, and the
patient sees it. As the patient (--app): opens the own records with the own keys, of which nobody learns.`,
		Example: "  vitalog record list --patient 4c1d… --type Observation --practitioner okafor --role cardiologist --purpose TREAT\n" +
			"  vitalog record list --app maria --sections vitals,medications",
		Args: cobra.NoArgs,
	}
	p.appFlag(c)
	askerFlags(c, &who)
	c.Flags().StringVar(&patient, "patient", "", "chart id, or identifier system|value")
	c.Flags().StringVar(&kind, "type", "", "only this FHIR type: Observation, MedicationRequest …")
	c.Flags().StringVar(&sections, "sections", "", "only these sections (as the patient)")
	p.jsonFlag(c)
	p.passphraseFlags(c)
	c.RunE = p.soon(func(ctx context.Context, _ []string) error {
		if p.app != "" {
			return p.ownRecords(ctx, sections, kind)
		}
		if err := checkAsker(who); err != nil {
			return err
		}
		if patient == "" {
			return misused("say whose records: --patient, or --app as the patient")
		}
		m, id, err := p.chartAt(ctx, who, patient)
		if err != nil {
			return err
		}
		path := "/fhir/Patient/" + url.PathEscape(id) + "/$everything"
		if kind != "" {
			path = "/fhir/" + url.PathEscape(kind) + "?" + url.Values{"patient": {id}, "_count": {"1000"}}.Encode()
		}
		found, err := m.search(ctx, who, path)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return exchange.ErrNotShared
		}
		out := make([]listed, len(found))
		for i, raw := range found {
			s := summarise(raw)
			out[i] = listed{Schema: "vitalog.record/v1", Type: s.Type, ID: s.ID, Version: s.Version, When: s.When, What: s.What, Value: s.Value}
		}
		return p.listRecords(out)
	})
	return c
}

// search gets all pages of a search, or of a chart.
func (m *member) search(ctx context.Context, who exchange.Asker, path string) (found []json.RawMessage, err error) {
	for path != "" {
		a, err := m.ask(ctx, who, http.MethodGet, path, nil)
		if err != nil {
			return nil, err
		}
		var b struct {
			Link  []struct{ Relation, URL string }
			Entry []struct{ Resource json.RawMessage }
		}
		if err := json.Unmarshal(a.body, &b); err != nil {
			return nil, fmt.Errorf("answer of %s: %w", m.config.Name, err)
		}
		for _, e := range b.Entry {
			found = append(found, e.Resource)
		}
		path = ""
		for _, l := range b.Link {
			if l.Relation == "next" {
				path = strings.TrimPrefix(l.URL, m.config.URL())
			}
		}
	}
	return found, nil
}

// ownRecords opens the patient's own records. One that doesn't open fails alone, at the end.
func (p *program) ownRecords(ctx context.Context, sections, kind string) error {
	a, err := p.patient()
	if err != nil {
		return err
	}
	list := section.Clinical()
	if sections != "" {
		if list, err = parseSections(sections); err != nil {
			return err
		}
	}
	chart, failed, err := a.Record(ctx, list...)
	if err != nil {
		return err
	}
	var out []listed
	for r := range chart.All() {
		if kind != "" && r.Type != kind {
			continue
		}
		v := r.Current()
		s := summarise(v.Render(""))
		author := r.Author().Member
		if author == "" {
			author = "you"
		}
		out = append(out, listed{Schema: "vitalog.record/v1", Type: r.Type, ID: r.ID, Version: v.ID(), When: s.When, What: s.What, Value: s.Value,
			Section: v.Section.String(), Author: author})
	}
	if err := p.listRecords(out); err != nil {
		return err
	}
	for _, f := range failed {
		p.say("%s %v", p.red("✗"), f)
	}
	if len(failed) > 0 {
		return advise(fmt.Errorf("%s: %w", count(len(failed), "record"), errAltered), "ask a member to heal it: vitalog verify --heal")
	}
	return nil
}

// listRecords prints the newest first.
func (p *program) listRecords(out []listed) error {
	slices.SortStableFunc(out, func(a, b listed) int { return strings.Compare(b.When, a.When) })
	rows := p.listing("WHEN", "WHAT", "VALUE", "SECTION", "BY", "RESOURCE")
	for _, r := range out {
		if err := rows.add(r, r.When, r.What, r.Value, r.Section, r.Author, r.Type+"/"+r.ID); err != nil {
			return err
		}
	}
	if !p.json {
		p.say("%s", count(len(out), "resource"))
	}
	return rows.end("")
}
