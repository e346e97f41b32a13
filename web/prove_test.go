package web_test

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/section"
)

// proves runs what a patient relies on, each under its name.
func proves(t *testing.T, walk walker) {
	var got struct {
		Steps      map[string]string // what went wrong
		Took       map[string]int    // ms
		Bytes      map[string]int
		Shifts     map[string]float64
		Complaints []string
	}
	walk(t, &got, "prove.mjs")
	t.Logf("ms of the steps: %v", got.Took)
	t.Logf("bytes of assets to the first view: %v; the layout shifts by: %v", got.Bytes, got.Shifts)
	for _, name := range []string{
		"the first view is at most 60 KB",
		"a new patient",
		"a home member drops an entry",
		"a home member serves an old head",
		"a home member swaps a blob, and only that record fails",
		"a home member invents a row",
		"a home member serves another key",
		"offline the record stays readable",
		"recovery on a fresh profile, which is a second device",
		"another device gets the keys from this one",
		"a passkey opens the keys",
		"nothing of keys or record leaves the device",
	} {
		t.Run(name, func(t *testing.T) {
			if wrong, ran := got.Steps[name]; !ran || wrong != "" {
				t.Error(wrong)
			}
		})
	}
	if len(got.Complaints) > 0 {
		t.Errorf("the browser complains:\n%s", strings.Join(got.Complaints, "\n"))
	}
}

// Each promise of spec/portal.md names a test that is there.
func TestEachPromiseHasItsTest(t *testing.T) {
	page, err := os.ReadFile("../spec/portal.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "## What is promised")
	named := regexp.MustCompile("`([^`]+\\.[a-z]+)`((?:,? \"[^\"]+\")+)")
	found := 0
	for row := range strings.Lines(table) {
		for _, at := range named.FindAllStringSubmatch(row, -1) {
			source, err := os.ReadFile("../" + at[1])
			if err != nil {
				t.Error(err)
			}
			for i, name := range strings.Split(at[2], `"`) {
				if i%2 == 0 {
					continue // between two names
				}
				found++
				if !strings.Contains(string(source), name) {
					t.Errorf("%s has no %q", at[1], name)
				}
			}
		}
	}
	if found < 30 {
		t.Errorf("only %d names were found", found)
	}
}

// look reads the vital signs for a reason that no other look has.
func (h hospital) look(ctx context.Context, chart string) error {
	who := okafor
	who.Reason = fmt.Sprint("look at block ", h.Nodes[0].Chain.Ledger().Height())
	opened, err := h.Nodes[0].Member.Open(ctx, who, chart, exchange.Want{Sections: []section.Section{section.Vitals}})
	if err != nil {
		return err
	}
	opened.Close()
	return nil
}

// write publishes two records in one append.
func (h hospital) write(ctx context.Context, chart string) error {
	var all []exchange.Draft
	for _, name := range []string{"Morning pulse", "Evening pulse"} {
		r, err := fhir.Parse(fmt.Appendf(nil, `{"resourceType":"Observation","status":"final","code":{"text":%q},"valueQuantity":{"value":61,"unit":"/min"}}`, name))
		if err != nil {
			return err
		}
		id := strings.ToLower(strings.ReplaceAll(name, " ", "-"))
		all = append(all, exchange.Draft{Resource: r, ID: id, Section: section.Vitals, Group: id})
	}
	_, err := h.Nodes[0].Member.Publish(ctx, okafor, chart, all)
	return err
}
