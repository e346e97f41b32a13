package chart_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"vitalog/chart"
	"vitalog/fhir"
	"vitalog/key"
	"vitalog/wire"
)

var (
	hospital = key.NewSigning([32]byte{1})
	lab      = key.NewSigning([32]byte{2})
	rid      = key.Record{7}
)

// sample is the content of spec/content.md.
func sample() *chart.Content {
	return &chart.Content{
		Author:  chart.Author{Member: "St. Elena", Practitioner: "pr-17", Name: "Dr. Ada Lund", Role: "physician"},
		Created: 1772357400000,
		Items: []chart.Item{
			{Type: "Observation", ID: "o1", Status: chart.Active, Supersedes: []uint64{4, 9}, Refs: []chart.Ref{{From: "urn:uuid:1", To: "Patient/p"}},
				Raw: []byte(`{"resourceType":"Observation","subject":{"reference":"urn:uuid:1"},"valueDecimal":1.50}`)},
			{Type: "Condition", ID: "c1", Status: chart.Deleted, Supersedes: []uint64{5}},
		},
	}
}

func encode(t *testing.T, c *chart.Content, by key.Signer) []byte {
	t.Helper()
	if err := c.Sign(by, rid); err != nil {
		t.Fatal(err)
	}
	b, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestContentHasTheBytesOfTheSpecification(t *testing.T) {
	raw, err := os.ReadFile("../spec/testdata/content.json")
	if err != nil {
		t.Fatal(err)
	}
	var v struct{ Seed, Record, Content, Hash string }
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	b := encode(t, sample(), hospital)
	h := wire.Sum("vitalog/v1/content", b[:len(b)-64])
	if got := hex.EncodeToString(b); got != v.Content || h.String() != v.Hash {
		t.Errorf("got  %s\n     %s\nwant %s\n     %s", got, h, v.Content, v.Hash)
	}
	c, err := chart.DecodeContent(b)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Verify(rid); err != nil {
		t.Error(err)
	}
	if x := c.Items[0]; x.Resource().ID() != "" || x.Resource().Type() != "Observation" || string(x.Raw) != string(sample().Items[0].Raw) {
		t.Errorf("got %+v", x)
	}
}

func TestTheAuthorsSignatureHoldsForOneRecordAndOneContent(t *testing.T) {
	b := encode(t, sample(), hospital)
	c, err := chart.DecodeContent(b)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Verify(key.Record{8}); !errors.Is(err, chart.ErrSignature) {
		t.Errorf("another record: got %v", err)
	}
	c.Author.Key = lab.Public()
	if err := c.Verify(rid); !errors.Is(err, chart.ErrSignature) {
		t.Errorf("another author: got %v", err)
	}
	for i := range b {
		changed := bytes.Clone(b)
		changed[i] ^= 1
		if c, err := chart.DecodeContent(changed); err == nil && c.Verify(rid) == nil {
			t.Fatalf("byte %d may be changed", i)
		}
	}
}

func TestContentThatIsNotCanonicalIsNeitherMadeNorRead(t *testing.T) {
	for name, spoil := range map[string]func(*chart.Content){
		"no items":                    func(c *chart.Content) { c.Items = nil },
		"unknown type":                func(c *chart.Content) { c.Items[0].Type = "Banana" },
		"other type":                  func(c *chart.Content) { c.Items[0].Type = "Condition" },
		"bad id":                      func(c *chart.Content) { c.Items[0].ID = "a b" },
		"status 0":                    func(c *chart.Content) { c.Items[0].Status = 0 },
		"status 4":                    func(c *chart.Content) { c.Items[0].Status = 4 },
		"active without resource":     func(c *chart.Content) { c.Items[0].Raw = nil },
		"deleted with resource":       func(c *chart.Content) { c.Items[1].Raw = c.Items[0].Raw },
		"supersedes out of order":     func(c *chart.Content) { c.Items[0].Supersedes = []uint64{9, 4} },
		"supersedes twice":            func(c *chart.Content) { c.Items[0].Supersedes = []uint64{4, 4} },
		"reference to itself":         func(c *chart.Content) { c.Items[0].Refs = []chart.Ref{{From: "a", To: "a"}} },
		"reference to nothing":        func(c *chart.Content) { c.Items[0].Refs = []chart.Ref{{From: "a", To: ""}} },
		"references out of order":     func(c *chart.Content) { c.Items[0].Refs = []chart.Ref{{From: "b", To: "x"}, {From: "a", To: "x"}} },
		"white space around":          func(c *chart.Content) { c.Items[0].Raw = append([]byte(" "), c.Items[0].Raw...) },
		"no FHIR":                     func(c *chart.Content) { c.Items[0].Raw = []byte(`{}`) },
		"one resource twice":          func(c *chart.Content) { c.Items = append(c.Items, c.Items[0]) },
		"member's name too long":      func(c *chart.Content) { c.Author.Member = strings.Repeat("x", 513) },
		"practitioner's name no UTF8": func(c *chart.Content) { c.Author.Name = "\xff" },
	} {
		c := sample()
		spoil(c)
		if err := c.Sign(hospital, rid); err == nil {
			t.Errorf("%s: signed", name)
		}
		if _, err := c.Encode(); err == nil {
			t.Errorf("%s: encoded", name)
		}
	}
	b := encode(t, sample(), hospital)
	for n := range b {
		if _, err := chart.DecodeContent(b[:n]); err == nil {
			t.Fatalf("read a content cut to %d of %d bytes", n, len(b))
		}
	}
	if _, err := chart.DecodeContent(append(bytes.Clone(b), 0)); !errors.Is(err, wire.ErrTrailing) {
		t.Errorf("trailing byte: got %v", err)
	}
	b[0] = 2
	if _, err := chart.DecodeContent(b); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("version 2: got %v", err)
	}
}

func TestRefsNamesOnlyReferencesThatChange(t *testing.T) {
	r, err := fhir.Parse([]byte(`{"resourceType":"Basic","subject":{"reference":"urn:b"},"author":{"reference":"urn:a"},"x":[{"reference":"#c"},{"reference":"urn:b"},{"reference":"Patient/1"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	got := chart.Refs(r, func(s string) string { return strings.Replace(s, "urn:", "Basic/", 1) })
	if len(got) != 2 || got[0] != (chart.Ref{From: "urn:a", To: "Basic/a"}) || got[1] != (chart.Ref{From: "urn:b", To: "Basic/b"}) {
		t.Errorf("got %v", got)
	}
}

func FuzzDecodeContent(f *testing.F) {
	c := sample()
	if err := c.Sign(hospital, rid); err != nil {
		f.Fatal(err)
	}
	b, err := c.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := chart.DecodeContent(b)
		if err != nil {
			return
		}
		again, err := c.Encode()
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("decoded, but encodes to other bytes (%v):\n%x\n%x", err, b, again)
		}
		for _, r := range chart.Fold([]chart.Opened{{Entry: 1, Content: c}}).Problems() {
			t.Fatalf("a single author has a problem: %v", r)
		}
	})
}
