package synthetic

import "time"

const worn = 30 // days of a wearable

// wear sends a day's counts shortly before midnight.
func (w *life) wear() {
	if !w.persona.wears {
		return
	}
	for day := range worn {
		from := w.today.AddDate(0, 0, day-worn)
		to := from.Add(24*time.Hour - time.Minute)
		b := &bundle{w: w}
		for _, m := range []*measure{steps, resting, sleep} {
			b.add("Observation", observation{ResourceType: "Observation", Status: "final", Category: []concept{hl7("observation-category", "activity")}, Code: in(m.code, m.name),
				Subject: w.subject(), Period: &span{instant(from), instant(to)}, Performer: []*reference{w.subject()}, Value: m.quantity(w.measure(m, from)), Device: &reference{Display: "Wrist band"}})
		}
		b.send(Wearable, to)
	}
}
