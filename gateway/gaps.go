package gateway

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"vitalog/exchange"
	"vitalog/fhir"
)

// gaps is what an answer lacks of what it was asked for, and why.
type gaps struct {
	broken int      // records that did not open
	ended  []string // why accesses were refused that were allowed when the answer began, in words
}

// gaps adds what was opened lacks, and logs it.
func (g *gateway) gaps(w http.ResponseWriter, x gaps, all ...*exchange.Opened) gaps {
	for _, o := range all {
		g.report(w, o)
		x.broken += len(o.Errors)
		for _, r := range o.Refused {
			x.end(r.Why.String())
		}
	}
	return x
}

func (x *gaps) end(why string) {
	if !slices.Contains(x.ended, why) {
		x.ended = append(x.ended, why)
	}
}

func (x *gaps) any() bool { return x.broken > 0 || len(x.ended) > 0 }

// outcomes are the warnings that go with the answer. They tell neither which records, nor whose.
func (x *gaps) outcomes() (out [][]byte) {
	if x.broken > 0 {
		out = append(out, fhir.Outcome(fhir.Issue{Severity: fhir.Warning, Code: "incomplete",
			Text: fmt.Sprintf("%d parts of the chart did not open: damaged, or out of reach with the members that are up. This answer lacks what is in them.", x.broken)}))
	}
	if len(x.ended) > 0 {
		slices.Sort(x.ended)
		out = append(out, fhir.Outcome(fhir.Issue{Severity: fhir.Warning, Code: "incomplete",
			Text: fmt.Sprintf("This answer is incomplete: access that was shared when it began was refused before it was done (%s). How much is lacking can't be told. "+
				"The patient sees the refusal. Ask the patient to share again.", strings.Join(x.ended, "; "))}))
	}
	return out
}
