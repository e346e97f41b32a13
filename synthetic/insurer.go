package synthetic

import (
	"time"
)

type (
	coverage struct {
		ResourceType string       `json:"resourceType"`
		Identifier   []identifier `json:"identifier"`
		Status       string       `json:"status"`
		Subscriber   string       `json:"subscriberId"`
		Beneficiary  *reference   `json:"beneficiary"`
		Period       span         `json:"period"`
		Payor        []*reference `json:"payor"`
	}
	benefit struct {
		ResourceType string       `json:"resourceType"`
		Identifier   []identifier `json:"identifier"`
		Status       string       `json:"status"`
		Type         concept      `json:"type"`
		Use          string       `json:"use"`
		Patient      *reference   `json:"patient"`
		Created      string       `json:"created"`
		Insurer      *reference   `json:"insurer"`
		Provider     *reference   `json:"provider"`
		Outcome      string       `json:"outcome"`
		Insurance    []insured    `json:"insurance"`
		Total        []total      `json:"total"`
	}
	insured struct {
		Focal    bool       `json:"focal"`
		Coverage *reference `json:"coverage"`
	}
	total struct {
		Category concept `json:"category"`
		Amount   money   `json:"amount"`
	}
)

// insure sends the coverage and an explanation of benefit for every fourth visit.
func (w *life) insure() {
	policy := w.number("policy", "POL")
	b := &bundle{w: w}
	b.add("Coverage", coverage{ResourceType: "Coverage", Identifier: []identifier{policy}, Status: "active", Subscriber: w.number("subscriber", "SUB").Value,
		Beneficiary: w.subject(), Period: span{Start: w.visits[0].Format(time.DateOnly)}, Payor: []*reference{insurance}})
	b.send(Insurer, w.visits[0].Add(3*time.Hour))
	for v := 3; v < len(w.visits); v += 4 {
		at := w.visits[v].Add(2 * 24 * time.Hour)
		amount := func(kind string, cents int) total {
			return total{hl7("adjudication", kind), money{decimal(cents, 2), "EUR"}}
		}
		cents := w.d.between(4200, 19900)
		b := &bundle{w: w}
		b.add("ExplanationOfBenefit", benefit{ResourceType: "ExplanationOfBenefit", Identifier: []identifier{w.number("claim", "CLM")}, Status: "active", Type: hl7("claim-type", "professional"), Use: "claim",
			Patient: w.subject(), Created: instant(at), Insurer: insurance, Provider: hospital, Outcome: "complete",
			Insurance: []insured{{true, &reference{Type: "Coverage", Identifier: &policy}}}, Total: []total{amount("submitted", cents), amount("benefit", cents*9/10)}})
		b.send(Insurer, at)
	}
}
