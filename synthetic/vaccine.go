package synthetic

import (
	"fmt"
	"time"
)

// vaccine is a product and when it is due, in months of age.
type vaccine struct {
	code coding // CVX
	due  []int
}

func cvx(code, display string) coding { return coding{cvxSystem, code, display} }

// schedule of childhood and of age. Influenza is given to everybody in autumn.
var (
	influenza = cvx("140", "Influenza, seasonal, injectable, preservative free")
	vaccines  = []vaccine{
		{cvx("08", "Hep B, adolescent or pediatric"), []int{0, 1, 6}},
		{cvx("119", "rotavirus, monovalent"), []int{2, 4}},
		{cvx("20", "DTaP"), []int{2, 4, 6, 15, 60}},
		{cvx("49", "Hib (PRP-OMP)"), []int{2, 4, 12}},
		{cvx("10", "IPV"), []int{2, 4, 6, 60}},
		{cvx("133", "Pneumococcal conjugate PCV 13"), []int{2, 4, 6, 12}},
		{cvx("03", "MMR"), []int{12, 60}},
		{cvx("21", "varicella"), []int{12, 60}},
		{cvx("115", "Tdap"), []int{11 * 12}},
		{cvx("113", "Td (adult) preservative free"), []int{24 * 12, 34 * 12, 44 * 12, 54 * 12, 64 * 12, 74 * 12}},
		{cvx("33", "pneumococcal polysaccharide vaccine, 23 valent"), []int{65 * 12}},
	}
)

// vaccinate gives what fell due since the visit before; a year's grace for a first visit.
func (e *encountered) vaccinate() {
	now, before := e.w.months(e.at), max(-1, e.w.months(e.at)-12)
	if e.number > 0 {
		before = e.w.months(e.w.visits[e.number-1])
	}
	for _, v := range vaccines {
		for _, due := range v.due {
			if before < due && due <= now {
				e.inject(v.code)
				break // never two doses of one vaccine on a day
			}
		}
	}
	if now >= 6 && autumn(e.at) && (e.number == 0 || !autumn(e.w.visits[e.number-1])) {
		e.inject(influenza)
	}
}

func autumn(t time.Time) bool { return t.Month() >= time.September && t.Month() <= time.November }

func (e *encountered) inject(code coding) {
	e.add("Immunization", immunization{ResourceType: "Immunization", Status: "completed", Vaccine: in(code, code.Display), Patient: e.w.subject(), Encounter: e.encounter,
		Occurrence: instant(e.at.Add(20 * time.Minute)), Primary: true, LotNumber: fmt.Sprintf("LOT-%07d", e.w.ids.next()%10_000_000), Performer: []actor{{e.doctor}}})
}
