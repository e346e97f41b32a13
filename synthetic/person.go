package synthetic

import (
	"fmt"
	"time"
)

// persona is the plan of a life: who, how ill, how often seen.
type persona struct {
	gender   string
	age      [2]int // months at today, from and to
	culture  int    // index in cultures; -1: drawn
	visits   int
	apart    int // days between visits
	insured  bool
	wears    bool // a wearable
	ills     []ill
	allergic []*allergy
}

// ill is an illness of a persona: diagnosed at a visit, begun some days earlier.
type ill struct {
	*illness
	visit  int
	before int
}

const year = 12

// personas are lived in turn: patient i has personas[i % len]. The first is the demo's.
var personas = []persona{
	{gender: "female", age: [2]int{44 * year, 49 * year}, culture: 0, visits: 24, apart: 52, wears: true, ills: []ill{{hypertension, 2, 240}, {prediabetes, 8, 200}, {bronchitis, 13, 3}}, allergic: []*allergy{penicillin, shellfish}},
	{gender: "male", age: [2]int{58 * year, 66 * year}, culture: 1, visits: 15, apart: 88, insured: true, wears: true, ills: []ill{{diabetes, 1, 400}, {cholesterolaemia, 4, 500}, {hypertension, 6, 200}}},
	{gender: "female", age: [2]int{8 * year, 10 * year}, culture: 2, visits: 12, apart: 95, ills: []ill{{asthma, 2, 60}, {pollen, 5, 30}}, allergic: []*allergy{peanut}},
	{gender: "female", age: [2]int{27 * year, 33 * year}, culture: 3, visits: 12, apart: 29, insured: true, wears: true, ills: []ill{{pregnancy, 3, 36}}, allergic: []*allergy{latex}},
	{gender: "male", age: [2]int{79 * year, 86 * year}, culture: 4, visits: 16, apart: 72, insured: true, ills: []ill{{kidneys, 0, 1100}, {fibrillation, 5, 20}, {hypertension, 1, 900}}, allergic: []*allergy{penicillin}},
	{gender: "female", age: [2]int{38 * year, 46 * year}, culture: 5, visits: 11, apart: 84, wears: true, ills: []ill{{hypothyroidism, 2, 200}}},
	{gender: "male", age: [2]int{19 * year, 25 * year}, culture: 6, visits: 7, apart: 130, wears: true, ills: []ill{{sprain, 3, 1}, {pollen, 1, 40}}},
	{gender: "male", age: [2]int{63 * year, 72 * year}, culture: 7, visits: 14, apart: 80, insured: true, ills: []ill{{obstruction, 1, 800}, {bronchitis, 8, 2}, {cholesterolaemia, 3, 700}}},
	{gender: "female", age: [2]int{31 * year, 40 * year}, culture: 8, visits: 13, apart: 46, wears: true, ills: []ill{{depression, 2, 80}, {migraine, 4, 300}}, allergic: []*allergy{grass}},
	{gender: "male", age: [2]int{13, 15}, culture: 9, visits: 8, apart: 54, ills: []ill{{otitis, 6, 1}}},
	{gender: "female", age: [2]int{52 * year, 60 * year}, culture: 10, visits: 13, apart: 76, insured: true, ills: []ill{{anaemia, 2, 160}, {cholesterolaemia, 6, 800}}},
	{gender: "male", age: [2]int{14 * year, 16 * year}, culture: 11, visits: 9, apart: 110, wears: true, ills: []ill{{asthma, 1, 70}, {sprain, 5, 1}}},
	{gender: "female", age: [2]int{68 * year, 77 * year}, culture: -1, visits: 15, apart: 70, insured: true, ills: []ill{{hypertension, 1, 500}, {diabetes, 4, 300}, {fibrillation, 9, 15}}, allergic: []*allergy{penicillin}},
	{gender: "male", age: [2]int{41 * year, 51 * year}, culture: -1, visits: 10, apart: 98, wears: true, ills: []ill{{migraine, 1, 200}, {cholesterolaemia, 3, 400}, {hypertension, 5, 250}}},
}

// allergy is a substance and what it did.
type allergy struct {
	code        coding // SNOMED CT
	category    string
	criticality string
	reaction    coding
	severity    string
}

var (
	penicillin = &allergy{snomed("91936005", "Allergy to penicillin"), "medication", "high", snomed("247472004", "Wheal"), "moderate"}
	shellfish  = &allergy{snomed("300913006", "Allergy to shellfish"), "food", "low", snomed("271807003", "Eruption of skin"), "mild"}
	peanut     = &allergy{snomed("91935009", "Allergy to peanut"), "food", "high", snomed("39579001", "Anaphylaxis"), "severe"}
	latex      = &allergy{snomed("300916003", "Latex allergy"), "environment", "low", snomed("271807003", "Eruption of skin"), "mild"}
	grass      = &allergy{snomed("418689008", "Allergy to grass pollen"), "environment", "low", snomed("271807003", "Eruption of skin"), "mild"}
)

// identify gives the patient a name, a birthday and a number.
func (w *life) identify(d *draw, i int) {
	p := &w.patient
	p.Gender = w.persona.gender
	c := w.culture(d)
	if p.Gender == "female" {
		p.Given = pick(d, c.women)
	} else {
		p.Given = pick(d, c.men)
	}
	p.Family = pick(d, c.families)
	age := d.between(w.persona.age[0], max(w.persona.age[0], w.persona.age[1]-1))
	w.born = w.today.AddDate(0, -age, -d.between(1, 27))
	if i == 0 {
		p.Given, p.Family = "Maria", "Alvarez Quispe"
		w.born = time.Date(1979, time.March, 14, 0, 0, 0, 0, time.UTC)
	}
	p.Name = p.Given + " " + p.Family
	p.Birth = w.born.Format(time.DateOnly)
	p.MRN = fmt.Sprintf("MRN-%04d%03d", d.between(1000, 9999), i)
}

func (w *life) culture(d *draw) *culture {
	if w.persona.culture < 0 {
		return &cultures[d.between(0, len(cultures)-1)]
	}
	return &cultures[w.persona.culture]
}

// schedule lays out the visits, the last three days before today, and the courses of the illnesses.
func (w *life) schedule(d *draw) {
	n := w.persona.visits
	w.visits = make([]time.Time, n)
	for v := range w.visits {
		before := 3 + (n-1-v)*w.persona.apart
		if v < n-1 {
			before += d.around(w.persona.apart / 4)
		}
		w.visits[v] = w.today.AddDate(0, 0, -before).Add(time.Duration(d.between(8*60, 16*60)) * time.Minute)
	}
	if first := w.born.AddDate(0, 0, 3); w.visits[0].Before(first) {
		w.visits[0] = first.Add(10 * time.Hour)
	}
	for _, x := range w.persona.ills {
		w.courses = append(w.courses, course{illness: x.illness, visit: x.visit, onset: w.visits[x.visit].AddDate(0, 0, -x.before)})
	}
}
