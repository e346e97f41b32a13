package wearable_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"vitalog/fhir"
	"vitalog/wearable"
)

const head = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE HealthData [
<!ELEMENT HealthData (ExportDate,Me,(Record|Correlation)*)>
]>
<HealthData locale="en_IT">
 <ExportDate value="2026-03-03 09:00:00 +0100"/>
`

func record(kind, unit, value, from, to string) string {
	return fmt.Sprintf(` <Record type="HKQuantityTypeIdentifier%s" sourceName="Maria’s Watch" unit="%s" creationDate="%s" startDate="%s" endDate="%s" value="%s">`+"\n"+
		`  <MetadataEntry key="HKMetadataKeyHeartRateMotionContext" value="1"/>`+"\n </Record>\n", kind, unit, from, from, to, value)
}

const at = "2026-03-02 08:30:00 +0100"

// readings are the observations of an export, and how many records were left out.
func readings(t testing.TB, export io.Reader) (out []string, left int) {
	t.Helper()
	left, err := wearable.Apple(export, func(r *wearable.Reading) error {
		raw, err := r.Observation()
		if err != nil {
			return err
		}
		if _, err := fhir.Parse(raw); err != nil {
			return err
		}
		out = append(out, r.Day()+" "+string(raw))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out, left
}

func TestReadingsAreToldByTheUnitThatStandsWithThem(t *testing.T) {
	for _, c := range []struct{ kind, unit, value, code, want string }{
		{"HeartRate", "count/min", "61", "8867-4", `{"value":61,"unit":"/min","system":"http://unitsofmeasure.org","code":"/min"}`},
		{"RestingHeartRate", "count/min", "58.50", "40443-4", `{"value":58.50,"unit":"/min",`},
		{"HeartRateVariabilitySDNN", "ms", "41.2", "80404-7", `{"value":41.2,"unit":"ms",`},
		{"OxygenSaturation", "%", "0.97", "59408-5", `{"value":97,"unit":"%",`},
		{"RespiratoryRate", "count/min", "14", "9279-1", `{"value":14,`},
		{"BodyTemperature", "degF", "98.6", "8310-5", `{"value":37,"unit":"°C",`},
		{"BodyTemperature", "degC", "36.60", "8310-5", `{"value":36.60,"unit":"°C",`},
		{"BodyMass", "lb", "150.5", "29463-7", `"value":150.5,"unit":"lb","system":"http://unitsofmeasure.org","code":"[lb_av]"}`},
		{"BodyMass", "st", "10", "29463-7", `{"value":63.502932,"unit":"kg",`},
		{"Height", "m", "1.72", "8302-2", `{"value":172,"unit":"cm",`},
		{"BodyMassIndex", "count", "22.1", "39156-5", `{"value":22.1,"unit":"kg/m2",`},
		{"StepCount", "count", "312", "55423-8", `{"value":312,"unit":"steps","system":"http://unitsofmeasure.org","code":"{steps}"}`},
		{"BloodGlucose", "mmol<180.1558800000541>/L", "5.5", "41653-7", `{"value":99.085734,"unit":"mg/dL",`},
	} {
		unit := strings.NewReplacer("<", "&lt;", ">", "&gt;").Replace(c.unit)
		got, left := readings(t, strings.NewReader(head+record(c.kind, unit, c.value, at, at)+"</HealthData>"))
		if len(got) != 1 || left != 0 || !strings.Contains(got[0], c.want) || !strings.Contains(got[0], `"code":"`+c.code+`"`) || !strings.Contains(got[0], `"effectiveDateTime":"2026-03-02T08:30:00+01:00"`) {
			t.Errorf("%s %s %s: got %s, %d left; want %s", c.kind, c.value, c.unit, got, left, c.want)
		}
	}
}

func TestABloodPressureIsOneReadingOfItsCorrelation(t *testing.T) {
	both := record("BloodPressureSystolic", "mmHg", "121", at, at) + record("BloodPressureDiastolic", "mmHg", "79", at, at)
	got, left := readings(t, strings.NewReader(head+both+fmt.Sprintf(`<Correlation type="HKCorrelationTypeIdentifierBloodPressure" sourceName="Cuff" startDate="%s" endDate="%[1]s">`, at)+both+"</Correlation></HealthData>"))
	if len(got) != 1 || left != 0 || !strings.Contains(got[0], `"component":[`) || !strings.Contains(got[0], `{"value":121,"unit":"mmHg"`) || !strings.Contains(got[0], `"code":"85354-9"`) {
		t.Errorf("got %s, %d left", got, left)
	}
}

func TestWhatCantBeToldIsLeftOutAndCounted(t *testing.T) {
	got, left := readings(t, strings.NewReader(head+record("AppleExerciseTime", "min", "1", at, at)+record("HeartRate", "beats", "61", at, at)+record("HeartRate", "count/min", "many", at, at)+
		record("HeartRate", "count/min", "61", "yesterday", at)+record("HeartRate", "count/min", "61", at, "2026-03-01 08:30:00 +0100")+
		record("HeartRate", "count/min", "61", "2026-03-02 08:30:00 +1500", at)+record("HeartRate", "count/min", "61", at, "2026-03-02 08:31:00 -2300")+
		record("StepCount", "count", "7", at, "2026-03-02 08:31:00 +0100")+"</HealthData>"))
	if len(got) != 1 || left != 7 || !strings.Contains(got[0], `"effectivePeriod":{"end":"2026-03-02T08:31:00+01:00","start":"2026-03-02T08:30:00+01:00"}`) {
		t.Errorf("got %s, %d left", got, left)
	}
}

func TestWhatIsNoExportIsRefused(t *testing.T) {
	for name, raw := range map[string]string{
		"nothing":            "",
		"another document":   "<html/>",
		"an end too early":   head + record("HeartRate", "count/min", "61", at, at),
		"nested too deep":    head + strings.Repeat("<a>", 100),
		"an endless element": head + `<Record type="` + strings.Repeat("x", 3<<20) + `"/></HealthData>`,
		"an endless comment": head + "<!--" + strings.Repeat("x", 3<<20) + "--></HealthData>",
		"an entity":          head + "<Record type=\"&e;\"/></HealthData>",
	} {
		if _, err := wearable.Apple(strings.NewReader(raw), func(*wearable.Reading) error { return nil }); err == nil {
			t.Errorf("%s was read", name)
		}
	}
	stop := errors.New("stop")
	if _, err := wearable.Apple(strings.NewReader(head+record("HeartRate", "count/min", "61", at, at)), func(*wearable.Reading) error { return stop }); err != stop {
		t.Errorf("got %v, want the caller's error", err)
	}
}

// endless is the rest of an export of many records, made while it is read.
type endless struct {
	left      int
	item, end string
	rest      []byte
}

func (e *endless) Read(p []byte) (int, error) {
	if len(e.rest) == 0 {
		switch {
		case e.left > 0:
			e.rest = []byte(e.item)
		case e.left == 0:
			e.rest = []byte(e.end)
		default:
			return 0, io.EOF
		}
		e.left--
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

// heldWhile is how much more memory was held than before when read called each.
func heldWhile(t *testing.T, read func(each func()) error) uint64 {
	t.Helper()
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	most := before.HeapAlloc
	if err := read(func() {
		runtime.GC()
		runtime.ReadMemStats(&now)
		most = max(most, now.HeapAlloc)
	}); err != nil {
		t.Fatal(err)
	}
	return most - before.HeapAlloc
}

func TestALargeExportIsReadInBoundedMemory(t *testing.T) {
	n := 0
	held := heldWhile(t, func(each func()) error {
		_, err := wearable.Apple(io.MultiReader(strings.NewReader(head), &endless{left: 60_000, item: record("HeartRate", "count/min", "61", at, at), end: "</HealthData>"}), func(*wearable.Reading) error {
			if n++; n%20_000 == 0 {
				each()
			}
			return nil
		})
		return err
	})
	if n != 60_000 {
		t.Errorf("%d readings", n)
	}
	if held > 8<<20 {
		t.Errorf("reading held %d KiB", held>>10)
	}
}

func FuzzApple(f *testing.F) {
	f.Add([]byte(head + record("HeartRate", "count/min", "61", at, at) + "</HealthData>"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		wearable.Apple(bytes.NewReader(raw), func(r *wearable.Reading) error {
			o, err := r.Observation()
			if err == nil {
				_, err = fhir.Parse(o)
			}
			if err != nil {
				t.Error(err)
			}
			return nil
		})
	})
}
