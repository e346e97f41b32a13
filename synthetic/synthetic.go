// Package synthetic makes people who don't exist and the years of care that they never had, as FHIR R4.
//
// It promises that the same seed and day give the same bytes on every machine: it computes in integers and reads no clock. Values are
// plausible for age, sex, illness and treatment, and the texts agree with the values. It refuses to resemble anybody: names, streets
// and numbers are composed from its own lists, telephone numbers have a country code that is not assigned.
//
//	2026-03-02T09:40:00Z  hospital  {"resourceType":"Bundle","type":"transaction","entry":[{"fullUrl":"urn:uuid:5c1e…","resource":
//	    {"resourceType":"Observation","status":"final", … "subject":{"reference":"Patient?identifier=urn:vitalog:demo:mrn|MRN-4410297"} …
//
// Terminology codes are SNOMED CT, LOINC, RxNorm and CVX codes in general use. They are samples, not advice.
package synthetic

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Source is who makes a batch.
type Source uint8

// The makers of data.
const (
	Hospital Source = iota + 1
	Pharmacy
	Lab
	Wearable
	Insurer
)

var sourceNames = [...]string{Hospital: "hospital", Pharmacy: "pharmacy", Lab: "lab", Wearable: "wearable", Insurer: "insurer"}

// String is the source in one word.
func (s Source) String() string {
	if s == 0 || int(s) >= len(sourceNames) {
		return fmt.Sprintf("source %d", uint8(s))
	}
	return sourceNames[s]
}

// Batch is what one source sends at one moment: an encounter, a handover at the pharmacy, a laboratory report, a day of a wearable.
type Batch struct {
	Source Source
	At     time.Time // UTC, whole minutes, before the day given to Patients
	// Bundle is a FHIR transaction. Entries have urn:uuid full URLs and refer to each other by them, to the patient by the conditional
	// reference Patient.Reference, and to what other batches made by identifier alone.
	Bundle []byte
}

// Patient is one person and everything that was ever written down about them.
type Patient struct {
	Name   string // in full, as printed
	Given  string
	Family string
	Gender string // FHIR administrative-gender
	Birth  string // YYYY-MM-DD
	MRN    string // under MRNSystem; unique within one call of Patients
	// Resource is the FHIR Patient, without id, as it stands in the first batch.
	Resource []byte
	// Batches are in the order of At; the first registers the Patient and holds nothing else.
	Batches []Batch
}

// MRNSystem is the identifier system of the hospital's record numbers.
const MRNSystem = "urn:vitalog:demo:mrn"

// Reference is how every batch but the first refers to the patient: a FHIR conditional reference.
func (p *Patient) Reference() string { return "Patient?identifier=" + MRNSystem + "|" + p.MRN }

// Patients makes n patients whose care reaches to the eve of today; of today only the UTC date counts. A patient does not depend on n.
// The first is Maria Alvarez Quispe, born 1979: 24 blood pressures from the hospital, the newest 109/75 mmHg.
func Patients(seed uint64, n int, today time.Time) []*Patient {
	out := make([]*Patient, n)
	for i := range out {
		out[i] = Person(seed, i, today)
	}
	return out
}

// Person is the patient at index i of Patients, alone: who needs thousands doesn't hold them all.
func Person(seed uint64, i int, today time.Time) *Patient {
	today = today.UTC().Truncate(24 * time.Hour)
	plan := personas[i%len(personas)]
	d := newDraw(seed, uint64(i))
	w := &life{
		persona: plan,
		today:   today,
		d:       d.fork("care"),
		ids:     d.fork("ids"),
		offsets: map[*measure]int{},
	}
	w.identify(d.fork("person"), i)
	w.schedule(d.fork("schedule"))
	w.constitution(d.fork("body"))
	w.register()
	for v := range w.visits {
		w.visit(v)
	}
	w.refill()
	w.wear()
	if plan.insured {
		w.insure()
	}
	slices.SortStableFunc(w.patient.Batches, func(a, b Batch) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Source, b.Source))
	})
	return &w.patient
}

// life is a patient in the making.
type life struct {
	persona persona
	today   time.Time
	d       *draw // values
	ids     *draw // uuids and numbers, apart so that one more value doesn't change every id
	patient Patient
	born    time.Time
	visits  []time.Time
	offsets map[*measure]int // what is normal for this person, less what is normal
	courses []course
	scripts []script
}
