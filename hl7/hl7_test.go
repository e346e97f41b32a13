package hl7_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vitalog/chart"
	"vitalog/fhir"
	"vitalog/hl7"
)

var update = flag.Bool("update", false, "write the golden files anew")

const samples = "../../shared/data/hl7v2/microsoft-fhir-converter"

var settings = hl7.Settings{Member: "St. Elena", Processing: []string{"P", "T"}}

// sampled calls f with each sample message.
func sampled(t testing.TB, f func(name string, raw []byte)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(samples, "*.hl7"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		if os.Getenv("CI") != "" {
			t.Fatalf("no sample messages in %s", samples)
		}
		t.Skipf("no sample messages in %s", samples)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		f(strings.TrimSuffix(filepath.Base(file), ".hl7"), raw)
	}
}

// bundle is what a sample makes where nothing is there yet, but who is merged.
func bundle(raw []byte) (now, later []byte, why *hl7.Error) {
	m, err := hl7.Parse(raw)
	if err != nil {
		return nil, nil, err.(*hl7.Error)
	}
	c, why := hl7.Read(m, settings)
	if why != nil {
		return nil, nil, why
	}
	known := hl7.Known{}
	if c.Merges() {
		known.Prior = &hl7.Current{ID: "prior", Raw: []byte(`{"resourceType":"Patient","id":"prior","name":[{"family":"Before"}]}`)}
	}
	return c.Bundle(known)
}

func TestEachSampleMakesItsBundleOrIsRefusedWithItsReason(t *testing.T) {
	var refused bytes.Buffer
	taken := map[string]bool{}
	sampled(t, func(name string, raw []byte) {
		now, later, why := bundle(raw)
		if why != nil {
			fmt.Fprintf(&refused, "%-40s %s %d %s\n", name, why.Code, why.Number, why)
			return
		}
		taken[name+".json"] = true
		var got bytes.Buffer
		for _, b := range [][]byte{now, later} {
			if b == nil {
				continue
			}
			if err := json.Indent(&got, b, "", "  "); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			got.WriteByte('\n')
			checkBundle(t, name, b)
		}
		golden(t, name+".json", got.Bytes())
	})
	golden(t, "refused.txt", refused.Bytes())
	files, _ := filepath.Glob("testdata/golden/*.json")
	for _, f := range files {
		if !taken[filepath.Base(f)] {
			t.Errorf("%s is of no sample that is taken", f)
		}
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata/golden", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Errorf("%v: go test -update writes it; then read it", err)
		return
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; got\n%s", path, got)
	}
}

// checkBundle holds a bundle to what the gateway takes.
func checkBundle(t testing.TB, name string, b []byte) {
	t.Helper()
	kind, err := fhir.ReadBundle(bytes.NewReader(b), func(e *fhir.Entry) error {
		if e.Invalid != nil {
			return e.Invalid
		}
		_, _, err := chart.Place(e.Resource)
		return err
	})
	if err != nil || kind != "transaction" {
		t.Errorf("%s: got a %s, %v", name, kind, err)
	}
}

// message is one of lines.
func message(lines ...string) []byte { return []byte(strings.Join(lines, "\r") + "\r") }

const (
	msh = `MSH|^~\&|ADT1|GHH|||20260302083000+0100||ADT^A01^ADT_A01|00017|P|2.5.1`
	pid = `PID|1||8011^^^GHH^MR||Rossi^Maria||19800101|F`
	pv1 = `PV1|1|I|W3^12^1||||||||||||||||V1^^^GHH^VN`
)

func TestAMessageIsReadWithAnyLineEndAndAMark(t *testing.T) {
	want, _, why := bundle(message(msh, pid, pv1))
	if why != nil {
		t.Fatal(why)
	}
	for _, raw := range []string{msh + "\n" + pid + "\n" + pv1, msh + "\r\n" + pid + "\r\n" + pv1 + "\r\n", "\ufeff" + msh + "\r" + pid + "\r\r" + pv1} {
		if got, _, why := bundle([]byte(raw)); why != nil || !bytes.Equal(got, want) {
			t.Errorf("%q: got %s, %v", raw[:20], got, why)
		}
	}
}

func TestWhatCantBeReadIsRefusedWithItsReason(t *testing.T) {
	for _, c := range []struct {
		name, raw string
		code      hl7.Code
		number    hl7.Number
	}{
		{"nothing", "", hl7.Reject, hl7.SequenceError},
		{"a batch", "FHS|^~\\&|\r" + msh, hl7.Reject, hl7.SequenceError},
		{"two messages", string(message(msh, pid, msh, pid)), hl7.Reject, hl7.SequenceError},
		{"delimiters twice", strings.Replace(string(message(msh, pid)), `^~\&`, `^^\&`, 1), hl7.Reject, hl7.DataTypeError},
		{"delimiters that are letters", "MSHA^~\\&Ab", hl7.Reject, hl7.DataTypeError},
		{"no segment name", string(message(msh, "a line that broke")), hl7.Reject, hl7.SequenceError},
		{"bytes that are no UTF-8", string(message(msh, "PID|1||8011^^^GHH^MR||M\xfcller")), hl7.Reject, hl7.DataTypeError},
		{"a character set", string(message(msh+"||||||ISO IR87", "PID|1||8011^^^GHH^MR||M\xfcller")), hl7.Reject, hl7.TableValueNotFound},
		{"no control id", string(message(strings.Replace(msh, "00017", "", 1), pid)), hl7.Reject, hl7.RequiredFieldMissing},
		{"version 3", string(message(strings.Replace(msh, "2.5.1", "3.0", 1), pid)), hl7.Reject, hl7.UnsupportedVersion},
		{"for debugging", string(message(strings.Replace(msh, "|P|", "|D|", 1), pid)), hl7.Reject, hl7.UnsupportedProcessing},
		{"another event", string(message(strings.Replace(msh, "A01^ADT_A01", "A60", 1), pid)), hl7.Reject, hl7.UnsupportedEvent},
		{"another type", string(message(strings.Replace(msh, "ADT^A01^ADT_A01", "SIU^S12", 1), pid)), hl7.Reject, hl7.UnsupportedType},
		{"no patient", string(message(msh, pv1)), hl7.Fail, hl7.RequiredFieldMissing},
		{"too many segments", msh + "\r" + strings.Repeat("ZZZ|1\r", hl7.MaxSegments), hl7.Reject, hl7.InternalError},
		{"too many fields", msh + "\r" + pid + strings.Repeat("|", hl7.MaxFields), hl7.Reject, hl7.InternalError},
		{"too many repetitions", msh + "\r" + pid + strings.Repeat("~", hl7.MaxRepeats), hl7.Reject, hl7.InternalError},
		{"too large", msh + "\r" + strings.Repeat(" ", hl7.MaxMessage), hl7.Reject, hl7.InternalError},
	} {
		_, _, why := bundle([]byte(c.raw))
		if why == nil || why.Code != c.code || why.Number != c.number {
			t.Errorf("%s: got %+v, want %s %d", c.name, why, c.code, c.number)
		}
	}
}

func TestEscapesAndCharacterSetsBecomeTheText(t *testing.T) {
	for _, c := range []struct{ charset, sent, want string }{
		{"", `A\T\B\F\C\S\D\R\E\E\F`, `A&B|C^D~E\\F`},
		{"", `line\.br\next\H\bold\N\`, `line\nnextbold`},
		{"", `M\XC3BC\ller`, `Müller`},
		{"", `Müller`, `Müller`},
		{"", `C:\temp`, `C:\\temp`},
		{"8859/1", "M\xfcller", "Müller"},
		{"8859/15", "M\xfcller \xa4", "Müller €"},
	} {
		got, _, why := bundle(message(msh+"||||||"+c.charset, "PID|1||8011^^^GHH^MR||"+c.sent))
		if want := `"family":"` + c.want + `"`; why != nil || !strings.Contains(string(got), want) {
			t.Errorf("%q: got %s, %v; want %s", c.sent, got, why, want)
		}
	}
}

func TestTimesKeepTheirPrecisionAndInventNoZone(t *testing.T) {
	rome, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		header, sent string
		zone         *time.Location
		want         string
	}{
		{"20260302", "20260302083000", nil, `"2026-03-02"`},
		{"20260302", "20260302083000.5-0500", nil, `"2026-03-02T08:30:00.5-05:00"`},
		{"20260302083000+0100", "202603020830", nil, `"2026-03-02T08:30:00+01:00"`},
		{"20260302", "20260702083000", rome, `"2026-07-02T08:30:00+02:00"`},
		{"20260302", "202603", nil, `"2026-03"`},
		{"20260302", "2026", nil, `"2026"`},
		{"20260302", "20260231", nil, ``},
		{"20260302", "03/02/2026", nil, ``},
		{"20260302", "2026030225", nil, `"2026-03-02"`},
	} {
		m, err := hl7.Parse(message(strings.Replace(msh, "20260302083000+0100", c.header, 1), pid, pv1+strings.Repeat("|", 25)+c.sent))
		if err != nil {
			t.Fatal(err)
		}
		s := settings
		s.Zone = c.zone
		change, why := hl7.Read(m, s)
		if why != nil {
			t.Fatal(why)
		}
		got, _, why := change.Bundle(hl7.Known{})
		if why != nil {
			t.Fatal(why)
		}
		_, start, found := strings.Cut(string(got), `"period":{"start":`)
		start, _, _ = strings.Cut(start, "}")
		if start != c.want || found != (c.want != "") {
			t.Errorf("%s: got %s, want %s", c.sent, start, c.want)
		}
	}
}

func TestAnUpdateChangesWhatTheMessageSaysAndNothingElse(t *testing.T) {
	m, err := hl7.Parse(message(strings.Replace(msh, "A01^ADT_A01", "A08", 1), `PID|1||8011^^^GHH^MR||Rossi^Maria||""|F`, pv1))
	if err != nil {
		t.Fatal(err)
	}
	c, why := hl7.Read(m, settings)
	if why != nil {
		t.Fatal(why)
	}
	system := c.Patient[0].System
	now := `{"resourceType":"Patient","id":"p","birthDate":"1980-01-01","gender":"male","link":[{"other":{"reference":"Patient/q"},"type":"replaces"}],
		"identifier":[{"system":"` + system + `","value":"8011"},{"system":"urn:x","value":"1"}],"multipleBirthInteger":1.0}`
	visit := `{"resourceType":"Encounter","id":"e","identifier":[{"system":"` + system + `","value":"V1"}],"status":"planned","length":{"value":1.50}}`
	got, _, why := c.Bundle(hl7.Known{Patient: &hl7.Current{ID: "p", Raw: []byte(now)}, Resources: []hl7.Current{{ID: "e", Raw: []byte(visit)}}})
	if why != nil {
		t.Fatal(why)
	}
	for _, want := range []string{`"url":"Patient/p"`, `"gender":"female"`, `"Patient/q"`, `"urn:x"`, `"multipleBirthInteger":1.0`, `"url":"Encounter/e"`, `"status":"in-progress"`, `{"value":1.50}`} {
		if !strings.Contains(string(got), want) {
			t.Errorf("%s is missing in %s", want, got)
		}
	}
	for _, not := range []string{"birthDate", "POST", "urn:uuid:p"} {
		if strings.Contains(string(got), not) {
			t.Errorf("%s is in %s", not, got)
		}
	}
}

func TestAnAnswerNamesItsMessageAndSaysWhy(t *testing.T) {
	now := time.Date(2026, 3, 2, 8, 30, 1, 0, time.FixedZone("", 3600))
	m, err := hl7.Parse(message(msh, pid))
	if err != nil {
		t.Fatal(err)
	}
	const head = "MSH|^~\\&|||ADT1|GHH|20260302083001+0100||ACK^A01^ACK|A00017|P|2.5.1\r"
	if got, want := string(hl7.Answer(m, nil, now)), head+"MSA|AA|00017\r"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	got := string(hl7.Answer(m, &hl7.Error{Code: hl7.Fail, Number: hl7.UnknownKey, At: "MRG-1", Text: "a|b\nü"}, now))
	if want := head + "MSA|AE|00017|MRG-1: a\\F\\b??\rERR||MRG^1^1|204^Unknown key identifier^HL70357|E||||MRG-1: a\\F\\b??\r"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	got = string(hl7.Answer(nil, &hl7.Error{Code: hl7.Reject, Number: hl7.SequenceError, Text: "no message"}, now))
	if want := "MSH|^~\\&|||||20260302083001+0100||ACK|A|P|2.5.1\rMSA|AR||no message\rERR|||100^Segment sequence error^HL70357|E||||no message\r"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzMessage(f *testing.F) {
	f.Add(message(msh, pid, pv1))
	f.Add([]byte("MSH|^~\\&#|a|b|||20260302||ORU^R01|1|P|2.8||||||8859/1\rPID|||1^^^A\rOBR|1|||a^b^LN\rOBX|1|SN|c||>^1\rOBX|2|NM|c||.5|\\X41\\|1-2|H\rNTE|||x"))
	f.Add([]byte("MSH|^~\\&|a|b|||20260302||VXU^V04|1|P|2.5.1\rPID|||1^^^A\rORC|RE|1^A|2^B\rRXA|0|1|20260101||140^x^CVX|0.5|mL^^UCUM||00\rRXR|IM\rOBX|1|CE|64994-7^x^LN|1|V05\r"))
	f.Add([]byte("MSH|^~\\&|a|b|||20260302||ADT^A40|1|P|2.5.1\rPID|||1^^^A\rMRG|2^^^A\r"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := hl7.Parse(raw)
		var why *hl7.Error
		if err != nil {
			why = err.(*hl7.Error)
		} else {
			if again, err := hl7.Parse(m.Bytes()); m.Control() != "" && err == nil && !bytes.Equal(again.Bytes(), m.Bytes()) {
				t.Errorf("%q becomes %q", m.Bytes(), again.Bytes())
			}
			var b []byte
			if b, _, why = bundle(raw); why == nil && b != nil {
				checkBundle(t, "fuzz", b)
			}
		}
		if _, err := hl7.Parse(hl7.Answer(m, why, time.Unix(0, 0))); err != nil {
			t.Errorf("the answer can't be read: %v", err)
		}
	})
}

func FuzzDocument(f *testing.F) {
	f.Add([]byte(`<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3"><id root="1.2.3" extension="4"/><code code="34133-9" codeSystem="2.16.840.1.113883.6.1"/><title>T</title>` +
		`<effectiveTime value="20260302083000+0100"/><recordTarget><patientRole><id root="1.2" extension="1"/><addr use="HP"><city>Torino</city></addr><telecom value="tel:+1"/><patient><name use="L"><given>A</given>` +
		`<family>B</family></name><birthTime value="1980"/></patient></patientRole></recordTarget><author><assignedAuthor><id root="1.3"/></assignedAuthor></author></ClinicalDocument>`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, why := hl7.ReadDocument(raw, settings, "")
		if why != nil {
			return
		}
		now, later, why := c.Bundle(hl7.Known{})
		if why != nil {
			t.Fatal(why)
		}
		checkBundle(t, "fuzz", now)
		checkBundle(t, "fuzz", later)
	})
}
