package synthetic

import (
	"fmt"
	"time"
)

// vitals takes the vital signs of a visit: blood pressure and pulse always, the rest when something is new.
func (e *encountered) vitals(all bool) {
	w, t := e.w, e.at
	sys, dia := w.measure(systolic, t), w.measure(diastolic, t)
	if w.demoEnds(e.number) {
		sys, dia = 109, 75
	}
	dia = min(dia, sys-22)
	kg, cm := w.measure(weight, t), w.measure(height, t)
	bmi := kg * 1_000_000 / (cm * cm) // 0.1 kg / (0.1 cm)² is 10^5 kg/m², and one decimal is kept

	grown := w.months(t) >= adult
	pressure := w.vital(t, concept{Coding: []coding{loinc("85354-9", "Blood pressure panel with all children optional")}, Text: "Blood pressure"})
	for _, x := range []struct {
		m *measure
		v int
	}{{systolic, sys}, {diastolic, dia}} {
		c := component{Code: in(x.m.code, ""), Value: x.m.quantity(x.v)}
		if grown {
			c.Interpretation, c.Range = x.m.judge(x.v)
		}
		pressure.Component = append(pressure.Component, c)
	}
	e.vital(pressure)
	e.objective = append(e.objective, fmt.Sprintf("BP %d/%d mmHg", sys, dia))

	e.single(pulse, w.measure(pulse, t), grown)
	if all || !grown || e.number%2 == 1 {
		e.single(weight, kg, false)
	}
	if all || !grown {
		e.single(height, cm, false)
		e.single(massIndex, bmi, grown)
	}
	if all {
		e.single(temperature, w.measure(temperature, t), true)
		e.single(breaths, w.measure(breaths, t), grown)
		e.single(saturation, w.measure(saturation, t), true)
	}
}

// demoEnds tells whether the visit is the newest of the demo's first patient, whose blood pressure the tour shows.
func (w *life) demoEnds(v int) bool {
	return w.patient.Family == "Alvarez Quispe" && v == len(w.visits)-1
}

func (w *life) vital(t time.Time, code concept) observation {
	return observation{ResourceType: "Observation", Status: "final", Category: []concept{hl7("observation-category", "vital-signs")}, Code: code, Subject: w.subject(), Effective: instant(t)}
}

func (e *encountered) vital(o observation) {
	o.Encounter, o.Performer = e.encounter, []*reference{e.doctor}
	e.add("Observation", o)
}

func (e *encountered) single(m *measure, v int, judged bool) {
	o := e.w.vital(e.at, in(m.code, m.name))
	o.Value = m.quantity(v)
	if judged {
		o.Interpretation, o.Range = m.judge(v)
	}
	e.vital(o)
	e.objective = append(e.objective, fmt.Sprintf("%s %s %s", m.name, decimal(v, m.scale), m.unit))
}

// judge holds a value against the reference range: High, Low or Normal.
func (m *measure) judge(v int) ([]concept, []referenceRange) {
	if m.low == 0 && m.high == 0 {
		return nil, nil
	}
	verdict := coding{hl7Codes + "v3-ObservationInterpretation", "N", "Normal"}
	var r referenceRange
	if m.low != 0 {
		r.Low = m.quantity(m.low)
		if v < m.low {
			verdict.Code, verdict.Display = "L", "Low"
		}
	}
	if m.high != 0 {
		r.High = m.quantity(m.high)
		if v > m.high {
			verdict.Code, verdict.Display = "H", "High"
		}
	}
	return []concept{{Coding: []coding{verdict}}}, []referenceRange{r}
}
