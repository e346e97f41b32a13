package synthetic

import (
	"fmt"
	"strings"
	"time"
)

func (e *encountered) allergies() {
	base := allergyIntolerance{ResourceType: "AllergyIntolerance", ClinicalStatus: hl7("allergyintolerance-clinical", "active"),
		VerificationStatus: hl7("allergyintolerance-verification", "confirmed"), Patient: e.w.subject(), Recorded: instant(e.at), Recorder: e.doctor}
	if len(e.w.persona.allergic) == 0 {
		base.Code = in(snomed("716186003", "No known allergy"), "")
		e.add("AllergyIntolerance", base)
	}
	for _, a := range e.w.persona.allergic {
		r := base
		r.Type, r.Category, r.Criticality, r.Code = "allergy", []string{a.category}, a.criticality, in(a.code, a.code.Display)
		r.Reaction = []reaction{{[]concept{in(a.reaction, "")}, a.severity}}
		e.add("AllergyIntolerance", r)
	}
}

// diagnose records an illness and what was done to find it.
func (e *encountered) diagnose(c *course) {
	r := condition{ResourceType: "Condition", Meta: e.label, ClinicalStatus: hl7("condition-clinical", "active"), VerificationStatus: hl7("condition-ver-status", "confirmed"),
		Category: []concept{hl7("condition-category", "problem-list-item")}, Code: in(c.code, c.code.Display), Subject: e.w.subject(), Encounter: e.encounter,
		Onset: c.onset.Format(time.DateOnly), Recorded: instant(e.at), Recorder: e.doctor}
	if c.over(e.w.today) { // entered with the known course: the demo's hospital closes episodes in the same record
		r.ClinicalStatus, r.Abatement = hl7("condition-clinical", "resolved"), c.onset.AddDate(0, 0, c.lasts).Format(time.DateOnly)
	}
	e.add("Condition", r)
	if c.procedure.Code != "" {
		e.add("Procedure", procedure{ResourceType: "Procedure", Status: "completed", Code: in(c.procedure, c.procedure.Display), Subject: e.w.subject(), Encounter: e.encounter,
			Performed: instant(e.at.Add(10 * time.Minute)), Performer: []actor{{e.doctor}}, Reason: []concept{in(c.code, "")}})
	}
}

// script is a prescription, as the pharmacy sees it.
type script struct {
	*drug
	id    identifier
	label *meta
	from  time.Time
	until time.Time
}

// treat prescribes the next drug of an illness, one per visit, and orders its laboratory work about once a year.
func (e *encountered) treat(c *course) {
	step := e.number - c.visit
	if step < len(c.drugs) {
		d := c.drugs[step]
		if c.treated.IsZero() {
			c.treated = e.at
		}
		s := script{drug: d, id: e.w.number("prescription", "RX"), label: e.label, from: e.at, until: e.w.today}
		if c.lasts > 0 {
			s.until = c.onset.AddDate(0, 0, c.lasts)
		}
		status := "active"
		if s.until.Before(e.w.today) {
			status = "completed"
		}
		e.add("MedicationRequest", medicationRequest{ResourceType: "MedicationRequest", Meta: e.label, Identifier: []identifier{s.id}, Status: status, Intent: "order",
			Medication: in(d.code, d.text), Subject: e.w.subject(), Encounter: e.encounter, Authored: instant(e.at), Requester: e.doctor,
			Reason: []concept{in(c.code, "")}, Dosage: d.directions()})
		e.w.scripts = append(e.w.scripts, s)
	}
	if every := max(1, 300/e.w.persona.apart); step%every == 0 {
		for _, p := range c.panels {
			e.order(p)
		}
	}
}

func (d *drug) directions() []dosage {
	route := in(snomed("26643006", "Oral route"), "")
	if strings.Contains(d.text, "inhaler") {
		route = in(snomed("447694001", "Respiratory tract route"), "")
	}
	return []dosage{{Text: d.sig, AsNeeded: d.perDay == 0, Route: route}}
}

func (e *encountered) order(p *panel) {
	for _, x := range e.due {
		if x == p {
			return
		}
	}
	e.due = append(e.due, p)
}

// note writes what was said, seen, thought and agreed.
func (e *encountered) note(news, known []*course) {
	var said, thought, agreed []string
	for _, c := range news {
		said, thought, agreed = append(said, c.told), append(thought, c.found), append(agreed, c.plan)
	}
	for _, c := range known {
		thought = append(thought, c.later)
	}
	if len(said) == 0 {
		said = append(said, pick(e.w.d, []string{"Feels well, no new complaints.", "Sleeps and eats well.", "Nothing new since the last visit.", "Comes for the agreed check."}))
	}
	if len(thought) == 0 {
		healthy := []string{"Healthy for the age.", "No finding that needs treatment."}
		if e.w.months(e.at) < adult {
			healthy = append(healthy, "Grows and develops as expected.")
		}
		thought = append(thought, pick(e.w.d, healthy))
	}
	if len(agreed) == 0 {
		agreed = append(agreed, pick(e.w.d, []string{"Continue as before.", "Next visit as arranged.", "Same treatment, call if anything changes."}))
	}
	text := fmt.Sprintf("Visit of %s, %s.\nSubjective: %s\nObjective: %s.\nAssessment: %s\nPlan: %s\n", e.w.patient.Name, e.at.Format("2 January 2006"),
		strings.Join(said, " "), strings.Join(e.objective, ", "), strings.Join(thought, " "), strings.Join(agreed, " "))
	e.add("DocumentReference", documentReference{ResourceType: "DocumentReference", Meta: e.label, Identifier: []identifier{e.w.number("document", "DOC")}, Status: "current", DocStatus: "final",
		Type: in(loinc("11506-3", "Progress note"), ""), Category: []concept{{Coding: []coding{{"http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category", "clinical-note", ""}}}},
		Subject: e.w.subject(), Date: instant(e.at.Add(25 * time.Minute)), Author: []*reference{e.doctor},
		Content: []content{{attachment{"text/plain; charset=utf-8", "en", []byte(text), "Progress note"}}},
		Context: docContext{[]*reference{e.encounter}, span{Start: instant(e.at), End: instant(e.at.Add(25 * time.Minute))}}})
}
