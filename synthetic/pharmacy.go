package synthetic

import "time"

const supply = 90 // days that a handover lasts

// refill hands over what was prescribed: the day after, and again when it runs out.
func (w *life) refill() {
	for i := range w.scripts {
		s := &w.scripts[i]
		for at := s.from.Add(22*time.Hour + time.Duration(w.d.between(0, 240))*time.Minute); at.Before(s.until); at = at.AddDate(0, 0, supply-w.d.between(0, 4)) {
			if !at.Before(w.today) {
				break
			}
			units := s.perDay * supply
			if s.perDay == 0 {
				units = 20
			}
			each := &quantity{Value: decimal(units, 0), Unit: "{dose}", System: ucumSystem, Code: "{dose}"}
			b := &bundle{w: w}
			b.add("MedicationDispense", medicationDispense{ResourceType: "MedicationDispense", Meta: s.label, Identifier: []identifier{w.number("dispense", "DSP")}, Status: "completed",
				Medication: in(s.code, s.text), Subject: w.subject(), Performer: []actor{{pharmacy}}, Prescription: []*reference{{Type: "MedicationRequest", Identifier: &s.id}},
				Quantity: each, DaysSupply: &quantity{Value: decimal(supply, 0), Unit: "d", System: ucumSystem, Code: "d"}, HandedOver: instant(at), Dosage: s.directions()})
			b.send(Pharmacy, at)
			if s.perDay == 0 {
				break
			}
		}
	}
}
