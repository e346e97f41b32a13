package wearable_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"vitalog/definition"
	"vitalog/fhir"
	"vitalog/wearable"
)

// connected are the observations of records of Health Connect, and how many were left out.
func connected(t testing.TB, r io.Reader) (out []string, left int) {
	t.Helper()
	left, err := wearable.HealthConnect(r, func(r *wearable.Reading) error {
		raw, err := r.Observation()
		if err != nil {
			return err
		}
		o, err := fhir.Parse(raw)
		if err != nil {
			return err
		}
		for _, f := range definition.Validate(o, nil) {
			if i := f.Issue(); i.Severity == fhir.Failure {
				t.Errorf("%s: %s: %s", raw, i.Element, i.Text)
			}
		}
		out = append(out, r.Day()+" "+string(raw))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out, left
}

func TestRecordsOfHealthConnectAreToldAsTheGoldenFileHasThem(t *testing.T) {
	raw, err := os.ReadFile("testdata/health-connect.json")
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/health-connect.golden")
	if err != nil {
		t.Fatal(err)
	}
	got, left := connected(t, bytes.NewReader(raw))
	if all := strings.Join(got, "\n") + "\n"; all != string(want) || left != 2 {
		t.Errorf("%d left, want 2; got\n%s", left, all)
	}
}

func stepsRecord(more string) string {
	return `{"startTime":"2026-03-02T08:00:00Z","endTime":"2026-03-02T08:10:00Z"` + more + `}`
}

func TestRecordsComeInThreeForms(t *testing.T) {
	typed := stepsRecord(`,"recordType":"Steps","count":7`)
	for name, raw := range map[string]string{
		"an array": "[" + typed + "]", "an object with records": `{"records":[` + typed + `]}`, "an object of types": `{"Steps":[` + stepsRecord(`,"count":7`) + `],"HeartRate":[]}`,
		"by their long names": ` { "StepsRecord" : [` + stepsRecord(`,"count":7,"recordType":"Steps"`) + `]}`, "with a next page": `{"records":[` + typed + `],"pageToken":"x"}`,
	} {
		got, left := connected(t, strings.NewReader(raw))
		if len(got) != 1 || left != 0 || !strings.Contains(got[0], `"value":7,`) {
			t.Errorf("%s: got %q, %d left", name, got, left)
		}
		if !wearable.IsHealthConnect([]byte(raw)) {
			t.Errorf("%s: is not known by its beginning", name)
		}
	}
	for _, raw := range []string{"", "{", `{"resourceType":"Observation"}`, `{"id":"1","resourceType":"Observation"}`, "<HealthData>", `"records"`} {
		if wearable.IsHealthConnect([]byte(raw)) {
			t.Errorf("%q is taken for records", raw)
		}
	}
}

func TestARecordThatCantBeToldIsLeftOutAndCounted(t *testing.T) {
	at := `"time":"2026-03-02T08:00:00Z"`
	for _, raw := range []string{
		stepsRecord(`,"recordType":"Steps","count":"7"`), stepsRecord(`,"recordType":"Steps","count":1e9`), stepsRecord(`,"recordType":"Steps"`), stepsRecord(`,"count":7`),
		stepsRecord(`,"recordType":"Steps","count":7,"startZoneOffset":{"totalSeconds":90000}`), stepsRecord(`,"recordType":"Steps","count":7,"startZoneOffset":{"totalSeconds":30}`),
		stepsRecord(`,"recordType":"Steps","count":7,"startZoneOffset":1`), stepsRecord(`,"recordType":"Steps","count":7,"startZoneOffset":"east"`),
		`{"recordType":"Steps","count":7,"startTime":"2026-03-02T08:10:00Z","endTime":"2026-03-02T08:00:00Z"}`, `{"recordType":"Steps","count":7,"startTime":"2026-03-02","endTime":"2026-03-02"}`,
		`{"recordType":"Weight",` + at + `,"weight":{"value":70,"unit":"stones"}}`, `{"recordType":"Weight",` + at + `,"weight":70}`, `{"recordType":"Weight",` + at + `,"weight":{"value":70}}`,
		`{"recordType":"BloodPressure",` + at + `,"systolic":{"inMillimetersOfMercury":121}}`, `{"recordType":"BloodGlucose",` + at + `,"specimenSource":5,"level":{"inMillimolesPerLiter":5}}`,
		`{"recordType":"HeartRate","samples":[]}`, `{"recordType":"HeartRate","samples":[7]}`, `{"recordType":"Potion",` + at + `}`,
		`{"recordType":"SleepSession","startTime":"2026-03-02T08:00:00Z","endTime":"2026-03-02T08:10:00Z","stages":[{"startTime":"2026-03-02T07:00:00Z","endTime":"2026-03-02T08:10:00Z","stage":4}]}`,
		`{"recordType":"SleepSession","startTime":"2026-03-02T08:00:00Z","endTime":"2026-03-02T08:10:00Z","stages":[{"startTime":"2026-03-02T08:00:00Z","endTime":"2026-03-02T08:10:00Z","stage":4},{"startTime":"2026-03-02T08:00:00Z","endTime":"2026-03-02T08:10:00Z","stage":5}]}`,
	} {
		if got, left := connected(t, strings.NewReader("["+raw+"]")); len(got) != 0 || left != 1 {
			t.Errorf("%s: got %q, %d left", raw, got, left)
		}
	}
	if got, left := connected(t, strings.NewReader(`{"Weight":[`+stepsRecord(`,"recordType":"Steps","count":7`)+`]}`)); len(got) != 0 || left != 1 {
		t.Errorf("another type than that of its list: got %q, %d left", got, left)
	}
}

func TestWhatIsNoListOfRecordsIsRefused(t *testing.T) {
	record := stepsRecord(`,"recordType":"Steps","count":7`)
	for name, raw := range map[string]string{
		"nothing": "", "a number": "7", "an object without records": "{}", "another object": `{"patients":[]}`, "a list of numbers": "[7]", "records that are none": `{"records":{}}`,
		"an end too early": "[" + record, "an end within a record": "[" + record[:20], "more behind it": "[]" + record, "no JSON": "[" + record + "}", "a member twice": `[{"count":1,"count":2}]`,
		"records twice": `{"records":[],"records":[]}`, "nested too deep": "[" + strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40) + "]",
		"an endless record": `[{"notes":"` + strings.Repeat("x", 9<<20) + `"}]`, "an endless space": "[" + strings.Repeat(" ", 9<<20) + "]",
	} {
		if left, err := wearable.HealthConnect(strings.NewReader(raw), func(*wearable.Reading) error { return nil }); err == nil {
			t.Errorf("%s was read, %d left", name, left)
		}
	}
	stop := errors.New("stop")
	if _, err := wearable.HealthConnect(strings.NewReader("["+record+"]"), func(*wearable.Reading) error { return stop }); err != stop {
		t.Errorf("got %v, want the caller's error", err)
	}
}

func TestManyRecordsAreReadInBoundedMemory(t *testing.T) {
	one := stepsRecord(`,"recordType":"Steps","count":7`)
	n := 0
	held := heldWhile(t, func(each func()) error {
		_, err := wearable.HealthConnect(io.MultiReader(strings.NewReader("["+one), &endless{left: 60_000, item: ",\n" + one, end: "]"}), func(*wearable.Reading) error {
			if n++; n%20_000 == 0 {
				each()
			}
			return nil
		})
		return err
	})
	if n != 60_001 {
		t.Errorf("%d readings", n)
	}
	if held > 8<<20 {
		t.Errorf("reading held %d KiB", held>>10)
	}
}

func FuzzHealthConnect(f *testing.F) {
	raw, err := os.ReadFile("testdata/health-connect.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	for _, line := range bytes.Split(raw, []byte("\n")) {
		f.Add([]byte(fmt.Sprintf("[%s]", bytes.TrimRight(line, ","))))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		wearable.HealthConnect(bytes.NewReader(raw), func(r *wearable.Reading) error {
			o, err := r.Observation()
			if err != nil {
				t.Fatal(err)
			}
			parsed, err := fhir.Parse(o)
			if err != nil {
				t.Fatalf("%s: %v", o, err)
			}
			for _, f := range definition.Validate(parsed, nil) {
				if i := f.Issue(); i.Severity == fhir.Failure {
					t.Errorf("%s: %s: %s", o, i.Element, i.Text)
				}
			}
			return nil
		})
	})
}
