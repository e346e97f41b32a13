package synthetic

import (
	"fmt"
	"time"
)

// laboratory reports panels, one DiagnosticReport each with its results in the same batch.
func (w *life) laboratory(at time.Time, due []*panel) {
	if !at.Before(w.today) {
		at = w.today.Add(-time.Hour)
	}
	b := &bundle{w: w}
	for _, p := range due {
		drawn := at.Add(-24 * time.Hour)
		r := diagnosticReport{ResourceType: "DiagnosticReport", Identifier: []identifier{w.number("report", "LAB")}, Status: "final", Category: []concept{hl7("v2-0074", "LAB")},
			Code: in(p.code, ""), Subject: w.subject(), Effective: instant(drawn), Issued: instant(at), Performer: []*reference{laboratory}}
		outside := 0
		for m, v := range w.results(p, drawn) {
			interpretation, span := m.judge(v)
			if interpretation[0].Coding[0].Code != "N" {
				outside++
			}
			r.Result = append(r.Result, b.add("Observation", observation{ResourceType: "Observation", Status: "final", Category: []concept{hl7("observation-category", "laboratory")},
				Code: in(m.code, m.name), Subject: w.subject(), Effective: instant(drawn), Performer: []*reference{laboratory}, Value: m.quantity(v), Interpretation: interpretation, Range: span}))
		}
		r.Conclusion = "All values within the reference range."
		if outside > 0 {
			r.Conclusion = fmt.Sprintf("Outside the reference range: %d of %d values.", outside, len(p.analytes))
		}
		b.add("DiagnosticReport", r)
	}
	b.send(Lab, at)
}

// results measures a panel in its order. Total cholesterol is the sum of its fractions (Friedewald).
func (w *life) results(p *panel, t time.Time) func(yield func(*measure, int) bool) {
	values := make([]int, len(p.analytes))
	total := 0
	for i, m := range p.analytes {
		if m == cholesterol {
			continue
		}
		values[i] = w.measure(m, t)
		if m == triglyc {
			total += values[i] / 5
		} else {
			total += values[i]
		}
	}
	return func(yield func(*measure, int) bool) {
		for i, m := range p.analytes {
			v := values[i]
			if m == cholesterol {
				v = total
			}
			if !yield(m, v) {
				return
			}
		}
	}
}
