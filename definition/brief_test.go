package definition_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"vitalog/definition"
	"vitalog/fhir"
	"vitalog/synthetic"
)

// brief is a resource's summary, without the tag that says so.
func brief(r *fhir.Resource) string {
	short := string(r.Subset(func(member string, v fhir.Value) fhir.Value { return definition.Brief(r.Type(), member, v) }))
	head, rest, _ := strings.Cut(short, `,"meta":{"tag":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}]}`)
	return head + rest
}

// Cases are in testdata/briefs.txt: a resource, and under it its summary.
func TestASummaryHasWhatR4Marks(t *testing.T) {
	raw, err := os.ReadFile("testdata/briefs.txt")
	if err != nil {
		t.Fatal(err)
	}
	for c := range strings.SplitSeq(string(raw), "\n\n") {
		lines := strings.Split(strings.TrimSpace(c), "\n")
		if got := brief(parse(t, lines[1])); got != lines[2] {
			t.Errorf("%s\ngot  %s\nwant %s", lines[0], got, lines[2])
		}
	}
}

// A summary lacks nothing that R4 demands, and the summary of a summary is itself.
func TestASummaryIsAValidResource(t *testing.T) {
	for _, p := range synthetic.Patients(3, 3, time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)) {
		for _, b := range p.Batches {
			_, err := fhir.ReadBundle(strings.NewReader(string(b.Bundle)), func(e *fhir.Entry) error {
				short := brief(e.Resource)
				for _, f := range found(parse(t, short), nil) {
					if strings.HasPrefix(f, string(fhir.Failure)) {
						t.Errorf("%s: %s", short, f)
					}
				}
				if again := brief(parse(t, short)); again != short {
					t.Errorf("the summary of %s is %s", short, again)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestAMemberIsToldByItsElement(t *testing.T) {
	for _, c := range []struct {
		kind, member, want string
		must               bool
	}{
		{"Observation", "valueQuantity", "value", false}, {"Observation", "code", "code", true}, {"MedicationRequest", "medicationReference", "medication", true},
		{"Patient", "modifierExtension", "modifierExtension", true}, {"Patient", "colour", "colour", false}, {"Potion", "code", "code", false},
	} {
		if got, must := definition.Element(c.kind, c.member); got != c.want || must != c.must {
			t.Errorf("%s.%s: got %s %t, want %s %t", c.kind, c.member, got, must, c.want, c.must)
		}
	}
}
