package chart_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vitalog/chart"
	"vitalog/fhir"
	"vitalog/key"
	"vitalog/section"
)

var labs = key.Log{5}

// write is an entry of the labs log, one minute per number, that holds one item.
func write(t testing.TB, by key.Signer, n uint64, x chart.Item) chart.Opened {
	t.Helper()
	c := &chart.Content{Items: []chart.Item{x}}
	if err := c.Sign(by, rid); err != nil {
		t.Fatal(err)
	}
	return chart.Opened{Log: labs, Section: section.Labs, Entry: n, At: 1772357400000 + 60_000*n, Content: c}
}

// item is a version of Observation/a.
func item(value string, over ...uint64) chart.Item {
	return chart.Item{Type: "Observation", ID: "a", Status: chart.Active, Supersedes: over, Refs: []chart.Ref{{From: "urn:uuid:1", To: "Patient/p"}},
		Raw: []byte(`{"resourceType":"Observation","id":"theirs",` + "\n" + ` "meta":{"profile":["x"]},"status":"final","subject":{"reference":"urn:uuid:1"},"valueDecimal":` + value + `}`)}
}

func ids(vs []*chart.Version) (out []string) {
	for _, v := range vs {
		out = append(out, v.ID())
	}
	return out
}

// stories give the entries of Observation/a in short: number, author (h or l), what it is over; then heads, history and problems.
const stories = `
one version                  | 4h              | 4   | 4     | 0
amended                      | 4h 9h:4         | 9   | 9 4   | 0
amended twice                | 4h 9h:4 12h:9   | 12  | 12 9 4| 0
a fork is seen               | 4h 9h:4 12h:4   | 9 12| 12 9 4| 0
without naming it is a fork  | 4h 9h           | 4 9 | 9 4   | 0
a fork ends                  | 4h 9h:4 12h:4 13h:9,12 | 13 | 13 12 9 4 | 0
another's does not count     | 4h 9l:4         | 4   | 4     | 1
nor does it end a fork       | 4h 9h 12l:4,9   | 4 9 | 9 4   | 1
later entries are not over   | 4h:9 9h         | 4 9 | 9 4   | 0
superseded, not opened       | 9h:4            | 9   | 9     | 0
given twice                  | 4h 4h 9h:4      | 9   | 9 4   | 0
`

func TestStoriesOfVersions(t *testing.T) {
	for _, line := range strings.Split(strings.TrimSpace(stories), "\n") {
		col := strings.Split(line, "|")
		t.Run(strings.TrimSpace(col[0]), func(t *testing.T) {
			var entries []chart.Opened
			for _, word := range strings.Fields(col[1]) {
				what, list, _ := strings.Cut(word, ":")
				var n uint64
				var who rune
				fmt.Sscanf(what, "%d%c", &n, &who)
				var over []uint64
				for _, s := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' }) {
					var o uint64
					fmt.Sscan(s, &o)
					over = append(over, o)
				}
				by := hospital
				if who == 'l' {
					by = lab
				}
				entries = append(entries, write(t, by, n, item(fmt.Sprintf("%d.0", n), over...)))
			}
			for range 5 { // in whatever order
				rand.Shuffle(len(entries), func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
				c := chart.Fold(entries)
				r := c.Get("Observation", "a")
				if got, want := ids(r.Heads()), strings.Fields(col[2]); !slices.Equal(got, want) {
					t.Fatalf("heads: got %v, want %v", got, want)
				}
				if got, want := ids(r.History()), strings.Fields(col[3]); !slices.Equal(got, want) {
					t.Fatalf("history: got %v, want %v", got, want)
				}
				if got := fmt.Sprint(len(c.Problems())); got != strings.TrimSpace(col[4]) {
					t.Fatalf("problems: got %v", c.Problems())
				}
				for _, p := range c.Problems() {
					if p.Text != chart.NotAuthor || p.Type != "Observation" || p.ID != "a" {
						t.Fatalf("got %+v", p)
					}
				}
			}
		})
	}
}

func TestAVersionIsAnsweredAsReceivedUnderItsOwnIdentity(t *testing.T) {
	c := chart.Fold([]chart.Opened{write(t, hospital, 4, item("1.50")), write(t, hospital, 9, item("0.0", 4))})
	r := c.Get("Observation", "a")
	want := `{"resourceType":"Observation","id":"a",` + "\n" + ` "meta":{"versionId":"9","lastUpdated":"2026-03-01T09:39:00.000Z","profile":["x"]},"status":"final","subject":{"reference":"Patient/p"},"valueDecimal":0.0}`
	if got := string(r.Current().Render("")); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if !fhir.SameButIdentity(r.Current().Render(""), r.Current().Item.Raw) {
		t.Error("more than the identity changed")
	}
	if got := string(r.Current().Render("https://a.example/fhir/")); !strings.Contains(got, `"reference":"https://a.example/fhir/Patient/p"`) {
		t.Errorf("with a base: got %s", got)
	}
	if got := r.Version("4"); got == nil || !bytes.Contains(got.Render(""), []byte("1.50")) || got.Subject() != "Patient/p" {
		t.Errorf("version 4: got %v", got)
	}
	if r.Version("5") != nil || c.Get("Observation", "b") != nil {
		t.Error("found what is not there")
	}
}

func TestADeletedResourceIsKnownButNotFound(t *testing.T) {
	c := chart.Fold([]chart.Opened{write(t, hospital, 4, item("1.50")), write(t, hospital, 9, chart.Item{Type: "Observation", ID: "a", Status: chart.Deleted, Supersedes: []uint64{4}})})
	r := c.Get("Observation", "a")
	if r == nil || !r.Deleted() || r.Current().Render("") != nil || len(r.History()) != 2 {
		t.Fatalf("got %+v", r)
	}
	if found, err := c.Search("Observation", nil); err != nil || len(found) != 0 {
		t.Errorf("search: got %v, %v", found, err)
	}
	for r := range c.All() {
		t.Errorf("listed %s/%s", r.Type, r.ID)
	}
}

func TestSearchKnowsResourcesByTheirReadersNames(t *testing.T) {
	c := chart.Fold([]chart.Opened{write(t, hospital, 4, item("1.50")), write(t, hospital, 9, item("0.0", 4))})
	for query, want := range map[string]int{"_id=a": 1, "_id=theirs": 0, "patient=p": 1, "patient=q": 0, "_lastUpdated=2026-03-01T09:39:00": 1, "_lastUpdated=2026-03-01T09:34:00": 0, "_sort=-date": 1} {
		name, value, _ := strings.Cut(query, "=")
		found, err := c.Search("Observation", map[string][]string{name: {value}})
		if err != nil || len(found) != want || want == 1 && found[0].ID() != "9" {
			t.Errorf("%s: got %v, %v", query, ids(found), err)
		}
	}
	for _, bad := range []string{"colour", "_sort", "_count"} {
		_, err := c.Search("Observation", map[string][]string{bad: {"banana"}})
		var e *fhir.Error
		if !errors.As(err, &e) || e.Element != bad {
			t.Errorf("%s: got %v", bad, err)
		}
	}
}

func samples(tb testing.TB) []string {
	files, err := filepath.Glob("../../shared/data/fhir/*/*.json")
	if err != nil {
		tb.Fatal(err)
	}
	if len(files) == 0 {
		if os.Getenv("CI") == "true" {
			tb.Fatal("no sample bundles in ../shared/data/fhir")
		}
		tb.Skip("no sample bundles in ../shared/data/fhir")
	}
	return files
}

func each(tb testing.TB, file string, f func(*fhir.Entry)) {
	in, err := os.Open(file)
	if err != nil {
		tb.Fatal(err)
	}
	defer in.Close()
	if _, err := fhir.ReadBundle(in, func(e *fhir.Entry) error { f(e); return nil }); err != nil {
		tb.Fatalf("%s: %v", file, err)
	}
}

func TestEverySampleHasAPlace(t *testing.T) {
	places := map[string]int{}
	for _, file := range samples(t) {
		each(t, file, func(e *fhir.Entry) {
			s, directory, err := chart.Place(e.Resource)
			switch {
			case err != nil:
				t.Errorf("%s %s: %v", file, e.Element(), err)
			case directory:
				places["directory"]++
			default:
				places[s.String()]++
			}
		})
	}
	for _, p := range []string{"directory", "demographics", "summary", "medications", "immunizations", "labs", "vitals", "encounters", "procedures", "imaging", "coverage", "care-plans"} {
		if places[p] == 0 {
			t.Errorf("nothing in %s: %v", p, places)
		}
	}
}

func TestAResourceThatWentToAnotherSectionGoesOnThere(t *testing.T) {
	by := key.NewSigning([32]byte{1})
	in := func(log key.Log, s section.Section, n, minute uint64, x chart.Item) chart.Opened {
		o := write(t, by, n, x)
		o.Log, o.Section, o.At = log, s, 1772357400000+60_000*minute
		return o
	}
	end := func(over uint64) chart.Item {
		return chart.Item{Type: "Observation", ID: "a", Status: chart.Deleted, Supersedes: []uint64{over}}
	}
	hiv := key.Log{16}
	first, moved, left := in(labs, section.Labs, 4, 1, item("1")), in(hiv, section.HIV, 2, 2, item("2")), in(labs, section.Labs, 9, 3, end(4))
	for _, c := range []struct {
		name          string
		opened        []chart.Opened
		current       uint64
		deleted       bool
		heads, before int
	}{
		{"who has both sections", []chart.Opened{first, moved, left}, 2, false, 1, 2},
		{"before it left the first", []chart.Opened{first, moved}, 2, false, 2, 2},
		{"who has the first alone", []chart.Opened{first, left}, 9, true, 1, 2},
		{"who has the second alone", []chart.Opened{moved}, 2, false, 1, 1},
		{"deleted in the second", []chart.Opened{first, moved, left, in(hiv, section.HIV, 5, 4, end(2))}, 5, true, 2, 4},
		{"back in the first", []chart.Opened{moved, left, in(labs, section.Labs, 12, 4, item("3")), in(hiv, section.HIV, 5, 5, end(2))}, 12, false, 2, 3},
	} {
		r := chart.Fold(c.opened).Get("Observation", "a")
		if got := r.Current(); got.Entry != c.current || r.Deleted() != c.deleted || len(r.Heads()) != c.heads || len(r.History()) != c.before {
			t.Errorf("%s: current %d, deleted %v, %d heads, %d versions", c.name, got.Entry, r.Deleted(), len(r.Heads()), len(r.History()))
		}
	}
}
