package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"vitalog/chart"
	"vitalog/exchange"
	"vitalog/section"
)

// grows writes a note with a scan, a dispensed medicine, a lab result and a night of a wearable, each by who makes it.
func (t *tour) grows(ctx context.Context, s *Step) error {
	subject := t.person.Reference()
	stamp := t.now.UTC().Format(time.RFC3339)
	writers := []struct {
		member string
		who    exchange.Asker
		what   map[string]any
	}{
		{StElena, t.okafor.who, note(subject, t.now)},
		{Pharmacy, exchange.Asker{Practitioner: "haddad", Name: "Samir Haddad", Role: "pharmacist", Purpose: exchange.Treat}, map[string]any{"resourceType": "MedicationDispense", "status": "completed",
			"medicationCodeableConcept": text("Lisinopril 10 MG Oral Tablet", "http://www.nlm.nih.gov/research/umls/rxnorm", "314076"), "subject": ref(subject), "whenHandedOver": stamp}},
		{Lab, exchange.Asker{Practitioner: "lab", Name: "Riverside analyzer", Role: "laboratory system", Purpose: exchange.Treat, Machine: true}, map[string]any{"resourceType": "Observation", "status": "final",
			"category": []any{category("http://terminology.hl7.org/CodeSystem/observation-category", "laboratory")}, "code": text("Potassium", "http://loinc.org", "2823-3"),
			"subject": ref(subject), "effectiveDateTime": stamp, "valueQuantity": map[string]any{"value": 4.1, "unit": "mmol/L", "system": "http://unitsofmeasure.org", "code": "mmol/L"}}},
	}
	var wrote []string
	for _, x := range writers {
		staff, err := t.w.Staff(x.member, x.who)
		if err != nil {
			return err
		}
		name, err := staff.writes(ctx, x.what)
		if err != nil {
			return err
		}
		wrote = append(wrote, name)
	}
	night := fmt.Sprintf(`{"entry":[{"fullUrl":"urn:uuid:%s","resource":{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"93832-4","display":"Sleep duration"}]},"subject":{"reference":"Patient/%s"},"effectiveDateTime":"%s","valueQuantity":{"value":412,"unit":"min"}}}]}`,
		uuid(), t.chart, stamp)
	if err := PushDevice(ctx, t.maria, []byte(night)); err != nil {
		return err
	}
	var own *chart.Chart
	err := await(ctx, "something was acknowledged and is not in Maria's record", func(ctx context.Context) (bool, error) {
		var failed []error
		var err error
		if own, failed, err = t.maria.Record(ctx, section.Clinical()...); err != nil || len(failed) > 0 {
			return false, errors.Join(append(failed, err)...)
		}
		missing := func(name string) bool { kind, id, _ := strings.Cut(name, "/"); return own.Get(kind, id) == nil }
		return !slices.ContainsFunc(wrote, missing), nil
	})
	if err != nil {
		return err
	}
	authors := authorsOf(own)
	if len(authors) != 4 {
		return fmt.Errorf("want four writers in one chart, got %d: %v", len(authors), authors)
	}
	s.Shows["resources"], s.Shows["authors"] = own.Len(), authors
	s.say("a doctor's note (St. Elena), a dispensed medicine (Corner Pharmacy), a lab result (Riverside), a night of a wearable")
	s.say("%d resources by %d writers, each sealed where it was made; Maria opens them with her own key", own.Len(), len(authors))
	return nil
}

func authorsOf(c *chart.Chart) []string {
	var out []string
	for r := range c.All() {
		name := r.Author().Member
		if name == "" {
			name = "Maria's " + WearableDevice
		}
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func ref(to string) map[string]any { return map[string]any{"reference": to} }

func text(display, system, code string) map[string]any {
	return map[string]any{"text": display, "coding": []any{map[string]any{"system": system, "code": code, "display": display}}}
}

func category(system, code string) map[string]any {
	return map[string]any{"coding": []any{map[string]any{"system": system, "code": code}}}
}
