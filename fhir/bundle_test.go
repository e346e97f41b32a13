package fhir_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"vitalog/fhir"
)

func readAll(r io.Reader) (out []*fhir.Entry, kind string, err error) {
	kind, err = fhir.ReadBundle(r, func(e *fhir.Entry) error {
		if e.Invalid != nil {
			return e.Invalid
		}
		out = append(out, e)
		return nil
	})
	return out, kind, err
}

func TestABundleIsReadEntryByEntry(t *testing.T) {
	es, kind, err := readAll(strings.NewReader(`{"resourceType":"Bundle","type":"transaction","entry":[
		{"fullUrl":"urn:uuid:1","resource": {"resourceType":"Patient" , "multipleBirthInteger":2 } ,"request":{"method":"POST","url":"Patient","ifNoneExist":"identifier=a|b"}},
		{"request":{"method":"DELETE","url":"Patient/7","ifMatch":"W/\"3\""}}]}`))
	if err != nil || kind != "transaction" || len(es) != 2 {
		t.Fatalf("got %d entries of a %q: %v", len(es), kind, err)
	}
	if got, want := string(es[0].Resource.Raw()), `{"resourceType":"Patient" , "multipleBirthInteger":2 }`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if e := es[0]; e.FullURL != "urn:uuid:1" || e.Method != "POST" || e.URL != "Patient" || e.IfNoneExist != "identifier=a|b" || e.Bundle != "transaction" {
		t.Errorf("got %+v", e)
	}
	if e := es[1]; e.Index != 1 || e.Resource != nil || e.Method != "DELETE" || e.IfMatch != `W/"3"` {
		t.Errorf("got %+v", e)
	}
}

func TestABundlesErrorNamesEntryAndElement(t *testing.T) {
	entry := func(s string) string {
		return `{"resourceType":"Bundle","type":"batch","entry":[{"resource":{"resourceType":"Basic"}},` + s + `]}`
	}
	for _, c := range []struct{ in, element string }{
		{entry(`{"resource":{"resourceType":"Observation","code":{"text":"a","text":"b"}}}`), "Bundle.entry[1].resource.code.text"},
		{entry(`{"resource":{"resourceType":"Observation","code":{"coding":[{"code":null}]}}}`), "Bundle.entry[1].resource.code.coding[0].code"},
		{entry(`{"resource":{"resourceType":"Observation","effectiveDateTime":"soon"}}`), "Bundle.entry[1].resource.effectiveDateTime"},
		{entry(`{"resource":{"resourceType":"Banana"}}`), "Bundle.entry[1].resource.resourceType"},
		{entry(`{"resource":7}`), "Bundle.entry[1].resource"},
		{entry(`{"resource":{"resourceType":"Basic"},"request":[]}`), "Bundle.entry[1].request"},
		{entry(`{"fullUrl":7}`), "Bundle.entry[1].fullUrl"},
		{entry(`{"resorce":{}}`), "Bundle.entry[1].resorce"},
		{entry(`{"resource":{"resourceType":"Basic"},"resource":{"resourceType":"Basic"}}`), "Bundle.entry[1].resource"},
		{entry(`7`), "Bundle.entry[1]"},
		{`{"resourceType":"Bundle","type":"batch","entry":{}}`, "Bundle.entry"},
		{`{"resourceType":"Bundle","entry":[]}`, "Bundle.type"},
		{`{"type":"batch"}`, "Bundle.resourceType"},
		{`{"type":"batch","entry":[]}`, "Bundle.entry"},
		{`{"resourceType":"Patient"}`, "Resource.resourceType"},
		{`{"resourceType":"Bundle","type":"batch","entries":[]}`, "Bundle.entries"},
		{`{"resourceType":"Bundle","type":"batch"}{}`, "Bundle"},
		{`{"resourceType":"Bundle","type":"batch","entry":[{`, "Bundle.entry[0]"},
		{``, "Bundle"}, {`[]`, "Bundle"},
	} {
		_, _, err := readAll(strings.NewReader(c.in))
		var e *fhir.Error
		if !errors.As(err, &e) || e.Element != c.element {
			t.Errorf("%s: got %v, want an error about %s", c.in, err, c.element)
		}
	}
}

func TestAResourceMayHaveExactly64MiB(t *testing.T) {
	const before, after = `{"resourceType":"Bundle","type":"batch","entry":[{"resource":`, `}]}`
	head, tail := `{"resourceType":"Binary","data":"`, `"}`
	// stream is the bundle without ever being in memory.
	stream := func(size int) io.Reader {
		fill := int64(size - len(head) - len(tail))
		return io.MultiReader(strings.NewReader(before+head), io.LimitReader(letters{}, fill), strings.NewReader(tail+after))
	}
	es, _, err := readAll(stream(fhir.MaxResource))
	if err != nil || len(es) != 1 || len(es[0].Resource.Raw()) != 64<<20 {
		t.Fatalf("64 MiB: got %d entries: %v", len(es), err)
	}
	raw := append(es[0].Resource.Raw()[:len(es[0].Resource.Raw())-1:len(es[0].Resource.Raw())-1], ' ', '}')
	if _, err := fhir.Parse(raw); !errors.Is(err, fhir.ErrTooLarge) {
		t.Errorf("Parse of 64 MiB and one byte: got %v", err)
	}
	var e *fhir.Error
	if _, _, err := readAll(stream(fhir.MaxResource + 1)); !errors.Is(err, fhir.ErrTooLarge) || !errors.As(err, &e) || e.Element != "Bundle.entry[0].resource" {
		t.Errorf("64 MiB and one byte: got %v", err)
	}
}

func TestAnEndlessValueIsCutOff(t *testing.T) {
	for name, head := range map[string]string{
		"resource": `{"resourceType":"Bundle","type":"batch","entry":[{"resource":{"resourceType":"Binary","data":"`,
		"fullUrl":  `{"resourceType":"Bundle","type":"batch","entry":[{"fullUrl":"`,
		"request":  `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"url":"`,
		"id":       `{"resourceType":"Bundle","id":"`,
		"name":     `{"`,
	} {
		counted := &counter{r: io.MultiReader(strings.NewReader(head), letters{})}
		if _, _, err := readAll(counted); !errors.Is(err, fhir.ErrTooLarge) {
			t.Errorf("%s: got %v", name, err)
		}
		if counted.n > 80<<20 {
			t.Errorf("%s: %d bytes read before it was refused", name, counted.n)
		}
	}
}

// letters are without end.
type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'A'
	}
	return len(p), nil
}

type counter struct {
	r io.Reader
	n int
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

func TestErrorsOfTheStreamAndOfTheCallerComeBack(t *testing.T) {
	broken := errors.New("cable pulled")
	_, _, err := readAll(io.MultiReader(strings.NewReader(`{"resourceType":"Bundle","type":"batch","entry":[{"resource":{"resource`), errorReader{broken}))
	if !errors.Is(err, broken) {
		t.Errorf("stream: got %v", err)
	}
	stop := errors.New("enough")
	n := 0
	_, err = fhir.ReadBundle(strings.NewReader(`{"resourceType":"Bundle","type":"batch","entry":[{},{},{}]}`), func(*fhir.Entry) error {
		if n++; n == 2 {
			return stop
		}
		return nil
	})
	if err != stop || n != 2 {
		t.Errorf("caller: got %v after %d entries", err, n)
	}
}

type errorReader struct{ err error }

func (e errorReader) Read([]byte) (int, error) { return 0, e.err }

func TestWhatIsWrittenIsReadAgainByteForByte(t *testing.T) {
	resource := []byte(`{ "resourceType":"Observation", "valueDecimal": 0.0 }`)
	var b bytes.Buffer
	w := fhir.NewBundleWriter(&b, "searchset", 2, fhir.Link{Relation: "self", URL: `https://a.example/Observation?code="x"`}, fhir.Link{Relation: "next", URL: "n"})
	w.Entry(fhir.Out{FullURL: "https://a.example/Observation/1", Resource: resource, Mode: "match"})
	w.Entry(fhir.Out{Status: "201 Created", Location: "Observation/1/_history/2", ETag: `W/"2"`, Outcome: fhir.Outcome(fhir.Issue{Severity: fhir.Information, Code: "informational", Text: "ä\n"})})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	es, kind, err := readAll(bytes.NewReader(b.Bytes()))
	if err != nil || kind != "searchset" || len(es) != 2 {
		t.Fatalf("got %d entries of a %q: %v\n%s", len(es), kind, err, b.Bytes())
	}
	if !bytes.Equal(es[0].Resource.Raw(), resource) {
		t.Errorf("got %s", es[0].Resource.Raw())
	}
	want := `{"resourceType":"Bundle","type":"searchset","total":2,"link":[{"relation":"self","url":"https://a.example/Observation?code=\"x\""},{"relation":"next","url":"n"}],"entry":[` +
		`{"fullUrl":"https://a.example/Observation/1","resource":` + string(resource) + `,"search":{"mode":"match"}},` +
		`{"response":{"status":"201 Created","location":"Observation/1/_history/2","etag":"W/\"2\"","outcome":{"resourceType":"OperationOutcome","issue":[{"severity":"information","code":"informational","diagnostics":"ä\n"}]}}}]}`
	if b.String() != want {
		t.Errorf("got  %s\nwant %s", b.String(), want)
	}
	b.Reset()
	if err := fhir.NewBundleWriter(&b, "history", -1).Close(); err != nil || b.String() != `{"resourceType":"Bundle","type":"history"}` {
		t.Errorf("empty: got %s, %v", b.String(), err)
	}
}

func FuzzReadBundle(f *testing.F) {
	f.Add([]byte(`{"resourceType":"Bundle","type":"transaction","entry":[{"fullUrl":"urn:uuid:1","resource":{"resourceType":"Patient","id":"1"},"request":{"method":"POST","url":"Patient"}}]}`))
	f.Add([]byte(`{"resourceType":"Bundle","id":"a","type":"batch","total":1,"entry":[{"resource":{"resourceType":"Basic"}},{}],"link":[]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		es, _, err := readAll(bytes.NewReader(raw))
		for _, e := range es {
			if e.Resource != nil && !bytes.Contains(raw, e.Resource.Raw()) {
				t.Fatalf("%s is not in the input", e.Resource.Raw())
			}
		}
		if err == nil && !json.Valid(raw) {
			t.Fatal("took what is no JSON")
		}
	})
}
