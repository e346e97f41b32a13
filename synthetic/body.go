package synthetic

import "time"

// growth is what is usual in childhood, by age in months: medians rounded from the WHO and CDC growth charts and paediatric vital signs.
var growth = []struct{ months, pulse, breaths, systolic, diastolic, weight, height int }{
	{0, 140, 40, 74, 44, 34, 500}, {6, 126, 34, 87, 50, 77, 665}, {12, 118, 30, 91, 53, 96, 750}, {24, 110, 27, 94, 56, 121, 870},
	{48, 100, 24, 97, 60, 162, 1030}, {72, 92, 21, 100, 62, 205, 1160}, {96, 88, 20, 103, 65, 255, 1280}, {120, 84, 19, 106, 67, 320, 1385},
	{144, 80, 18, 109, 69, 400, 1490}, {168, 77, 17, 111, 70, 500, 1600}, {192, 75, 16, 113, 72, 580, 1660}, {216, 72, 15, 115, 74, 655, 1690},
}

const adult = 18 * 12 // months

// months is the patient's age at t.
func (w *life) months(t time.Time) int {
	m := (t.Year()-w.born.Year())*12 + int(t.Month()) - int(w.born.Month())
	if t.Day() < w.born.Day() {
		m--
	}
	return max(m, 0)
}

// constitution draws how this person differs from the usual.
func (w *life) constitution(d *draw) {
	for _, m := range []*measure{systolic, diastolic, pulse, temperature, breaths, weight, height, hemoglobin, leukocytes, platelets, sodium, potassium,
		creatinine, urea, filtration, glucose, glycated, triglyc, hdl, ldl, thyrotropin, ferritin, steps, resting, sleep} {
		w.offsets[m] = d.around(m.spread)
	}
}

// measure is the value of m at t: what is usual at this age, what is usual for this person, what the illnesses do, and the day's noise.
// Body mass index and total cholesterol are computed from other measures by who reports them.
func (w *life) measure(m *measure, t time.Time) int {
	age, sex := w.months(t), 0
	if w.patient.Gender == "male" {
		sex = 1
	}
	v, own, noise := m.usual[sex], w.offsets[m], m.noise
	if age < adult {
		if child, ok := childhood(m, age); ok {
			own, noise = own*child/v, (noise*child+v-1)/v
			v = child
		}
	}
	if years := age/12 - 40; years > 0 {
		switch m {
		case systolic:
			v += years * 3 / 10
		case filtration:
			v -= years * 8 / 10
		case steps:
			v -= years * 90
		}
	}
	v += own
	for i := range w.courses {
		v += w.courses[i].effect(m, t)
	}
	return min(max(v+w.d.around(noise), m.least), m.worst)
}

// childhood interpolates the growth table; ok is false if m has the same values at every age.
func childhood(m *measure, months int) (v int, ok bool) {
	at := func(i int) int {
		g := growth[i]
		switch m {
		case pulse:
			return g.pulse
		case breaths:
			return g.breaths
		case systolic:
			return g.systolic
		case diastolic:
			return g.diastolic
		case weight:
			return g.weight
		case height:
			return g.height
		}
		return 0
	}
	i := 0
	for i+2 < len(growth) && growth[i+1].months <= months {
		i++
	}
	if at(i) == 0 {
		return 0, false
	}
	a, b := growth[i], growth[i+1]
	return at(i) + (at(i+1)-at(i))*(months-a.months)/(b.months-a.months), true
}

// days is the number of whole days from a to b.
func days(a, b time.Time) int { return int(b.Sub(a) / (24 * time.Hour)) }
