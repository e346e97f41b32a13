package synthetic

import (
	"fmt"
	"time"
)

// Makers as resources name them. They are referred to by identifier: who reads a chart need not hold their directory entries.
var (
	hospital   = organization("st-elena", "St. Elena Hospital")
	pharmacy   = organization("corner", "Corner Pharmacy")
	laboratory = organization("riverside", "Riverside Laboratory")
	insurance  = organization("harbour", "Harbour Mutual")
	doctors    = []*reference{practitioner("okafor", "Dr. Ngozi Okafor"), practitioner("lindqvist", "Dr. Signe Lindqvist"), practitioner("rahimi", "Dr. Farid Rahimi")}
)

func organization(value, display string) *reference {
	return &reference{Type: "Organization", Identifier: &identifier{"urn:vitalog:demo:organization", value}, Display: display}
}

func practitioner(value, display string) *reference {
	return &reference{Type: "Practitioner", Identifier: &identifier{"urn:vitalog:demo:practitioner", value}, Display: display}
}

// number is an identifier of this patient under one of the demo's systems.
func (w *life) number(kind, prefix string) identifier {
	return identifier{"urn:vitalog:demo:" + kind, fmt.Sprintf("%s-%08d", prefix, w.ids.next()%100_000_000)}
}

func (w *life) subject() *reference { return &reference{Reference: w.patient.Reference()} }

// register sends the Patient, a few minutes before the first visit.
func (w *life) register() {
	d := w.d.fork("register")
	c := w.culture(d)
	p := &w.patient
	r := patientResource{ResourceType: "Patient", Identifier: []identifier{{MRNSystem, p.MRN}, w.number("national-id", "NID")}, Active: true,
		Name:    []humanName{{"official", p.Name, p.Family, []string{p.Given}}},
		Telecom: []contactPoint{{"phone", fmt.Sprintf("+999 5%02d %03d %03d", d.between(0, 99), d.between(0, 999), d.between(0, 999)), "mobile"}},
		Gender:  p.Gender, BirthDate: p.Birth,
		Address:       []address{{"home", []string{fmt.Sprintf("%s %d", pick(d, c.streets), d.between(2, 89))}, c.city, c.postal, c.country}},
		Communication: []spoken{{concept{Coding: []coding{{System: "urn:ietf:bcp:47", Code: c.language}}}, true}}}
	p.Resource = encode(r)
	b := &bundle{w: w}
	b.add("Patient", r)
	b.entries[0].Request.IfNoneExist = "identifier=" + MRNSystem + "|" + p.MRN
	b.send(Hospital, w.visits[0].Add(-15*time.Minute))
}

// encountered is a visit in the making: its resources refer to the encounter.
type encountered struct {
	bundle
	number    int
	at        time.Time
	doctor    *reference
	encounter *reference
	label     *meta // a sensitivity label, if the visit is about something sensitive
	due       []*panel
	objective []string // what was measured, for the note
}

// visit sends everything that one visit to the hospital makes, and orders what follows from it.
func (w *life) visit(v int) {
	e := &encountered{bundle: bundle{w: w}, number: v, at: w.visits[v], doctor: doctors[(v/4+len(w.patient.Family))%len(doctors)]}
	if v == len(w.visits)-1 {
		e.doctor = doctors[0]
	}
	var news, known []*course
	for i := range w.courses {
		c := &w.courses[i]
		switch {
		case c.visit == v:
			news = append(news, c)
		case c.visit < v && !c.over(e.at):
			known = append(known, c)
		}
	}
	for _, c := range append(append([]*course{}, news...), known...) {
		if c.sensitive {
			e.label = &meta{Security: []coding{{actSystem, "MH", ""}}}
		}
	}
	e.open(news)
	e.vitals(len(news) > 0 || v%6 == 0)
	if v == 0 {
		e.allergies()
	}
	for _, c := range news {
		e.diagnose(c)
	}
	for _, c := range append(append([]*course{}, news...), known...) {
		e.treat(c)
	}
	e.vaccinate()
	e.note(news, known)
	e.send(Hospital, e.at.Add(25*time.Minute))
	if len(e.due) > 0 {
		w.laboratory(e.at.Add(26*time.Hour), e.due)
	}
}

func (e *encountered) open(news []*course) {
	kind := snomed("390906007", "Follow-up encounter")
	switch {
	case e.w.months(e.at) < adult && len(news) == 0:
		kind = snomed("410620009", "Well child visit")
	case e.w.expecting(e.at):
		kind = snomed("424619006", "Prenatal visit")
	case len(news) > 0:
		kind = snomed("185347001", "Encounter for problem")
	case e.number == 0:
		kind = snomed("185349003", "Encounter for check up")
	}
	r := encounter{ResourceType: "Encounter", Meta: e.label, Identifier: []identifier{e.w.number("encounter", "ENC")}, Status: "finished",
		Class: coding{actSystem, "AMB", ""}, Type: []concept{in(kind, "")}, Subject: e.w.subject(), Participant: []participant{{e.doctor}},
		Period: span{instant(e.at), instant(e.at.Add(25 * time.Minute))}, ServiceProvider: hospital}
	for _, c := range news {
		r.ReasonCode = append(r.ReasonCode, concept{Text: c.told})
	}
	e.encounter = e.add("Encounter", r)
}

func (w *life) expecting(t time.Time) bool {
	for i := range w.courses {
		if c := &w.courses[i]; c.illness == pregnancy && !t.Before(c.onset) && !c.over(t) {
			return true
		}
	}
	return false
}
