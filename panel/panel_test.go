package panel_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"vitalog/fhir"
	"vitalog/key"
	"vitalog/keyring"
	"vitalog/kv"
	"vitalog/panel"
	"vitalog/section"
	"vitalog/synthetic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func newRing(t testing.TB) *keyring.Ring {
	t.Helper()
	ring, err := keyring.Create(filepath.Join(t.TempDir(), "keyring"), []byte("correct horse battery staple"))
	if err != nil {
		t.Fatal(err)
	}
	if err := ring.Join(key.Network{1}); err != nil {
		t.Fatal(err)
	}
	return ring
}

func newIndex(t testing.TB, db *kv.DB, ring *keyring.Ring) *panel.Index {
	t.Helper()
	x, err := panel.Open(db.Prefix("panel/"), ring, panel.All)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// add puts versions into the log of a chart.
func add(t testing.TB, x *panel.Index, chart string, log key.Log, versions ...panel.Version) {
	t.Helper()
	err := x.Update(log, func(l *panel.Log, c *panel.Change) error {
		l.Chart, l.Section = chart, section.Summary
		for _, v := range versions {
			if err := c.Add(v); err != nil {
				return err
			}
			l.Seen = max(l.Seen, v.Entry+1)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func version(t testing.TB, id string, entry uint64, raw string) panel.Version {
	t.Helper()
	r, err := fhir.Parse([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return panel.Version{Type: r.Type(), ID: id, Entry: entry, Keys: fhir.KeysOf(r, fhir.Identity{ID: id, Updated: time.Unix(int64(entry), 0)})}
}

func everything(key.Log) (func(uint64) bool, error) {
	return func(uint64) bool { return true }, nil
}

// find is what the index finds, by chart, type and id.
func find(t testing.TB, x *panel.Index, kind, query string, readable func(key.Log) (func(uint64) bool, error)) []string {
	t.Helper()
	q, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	s, err := fhir.ParseSearch(kind, q)
	if err != nil {
		t.Fatal(err)
	}
	found, err := x.Find(panel.Query{Type: kind, Asked: s.Keys()}, readable)
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, f := range found {
		out = append(out, fmt.Sprintf("%s %s/%s %d", f.Chart, f.Type, f.ID, f.Entry))
	}
	slices.Sort(out)
	return out
}

func TestTheIndexFindsExactlyWhatMatchesAndNothingOfItCanBeRead(t *testing.T) {
	dir := t.TempDir()
	db, err := kv.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	x := newIndex(t, db, newRing(t))
	type one struct {
		name string
		r    *fhir.Resource
		as   fhir.Identity
	}
	var all []one
	var secrets []string
	queries := map[string]map[string]bool{} // by type: each value that something has
	for i, p := range synthetic.Patients(41, 5, time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)) {
		chart := fmt.Sprint("chart-of-patient-", i)
		secrets = append(append(secrets, p.Secrets()...), chart)
		for n, b := range p.Batches[:min(len(p.Batches), 8)] {
			log := key.Log{byte(i), byte(n), 0x5e, 0xc2}
			var versions []panel.Version
			_, err := fhir.ReadBundle(bytes.NewReader(b.Bundle), func(e *fhir.Entry) error {
				id := fmt.Sprintf("r%d-%d-%d", i, n, e.Index)
				o := one{fmt.Sprintf("%s %s/%s %d", chart, e.Resource.Type(), id, e.Index), e.Resource, fhir.Identity{ID: id, Updated: time.Unix(int64(e.Index), 0)}}
				all = append(all, o)
				keys := fhir.KeysOf(o.r, o.as)
				versions = append(versions, panel.Version{Type: o.r.Type(), ID: id, Entry: uint64(e.Index), Keys: keys})
				if queries[o.r.Type()] == nil {
					queries[o.r.Type()] = map[string]bool{}
				}
				for _, term := range keys.Terms[1:] {
					parts := strings.Split(term, "\x1f")
					escape := strings.NewReplacer(`\`, `\\`, `,`, `\,`, `|`, `\|`, `$`, `\$`).Replace
					value := escape(parts[2])
					if len(parts) > 3 {
						value += "|" + escape(parts[3])
					}
					if value != "" && value != "|" && len(queries[o.r.Type()]) < 400 {
						queries[o.r.Type()][url.Values{parts[1]: {value}}.Encode()] = true
					}
				}
				for _, d := range keys.Dates {
					for _, prefix := range []string{"", "ne", "gt", "le", "sa", "eb", "ap"} {
						queries[o.r.Type()][url.Values{d.Param: {prefix + d.From.Format(time.DateOnly)}}.Encode()] = true
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			add(t, x, chart, log, versions...)
		}
	}
	asked, found := 0, 0
	r := rand.New(rand.NewPCG(1, 2))
	for kind, of := range queries {
		list := slices.Sorted(func(yield func(string) bool) {
			for q := range of {
				if !yield(q) {
					return
				}
			}
		})
		r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		for i, query := range list[:min(len(list), 40)] {
			if i%3 == 0 {
				query += "&" + list[(i+7)%len(list)]
			}
			q, _ := url.ParseQuery(query)
			s, err := fhir.ParseSearch(kind, q)
			if err != nil {
				continue // a reference that is no id
			}
			want := []string{}
			for _, o := range all {
				if s.Matches(o.r, o.as) {
					want = append(want, o.name)
				}
			}
			slices.Sort(want)
			got := find(t, x, kind, query, everything)
			if asked, found = asked+1, found+len(got); !slices.Equal(got, want) {
				t.Errorf("%s?%s: got %d, want %d", kind, query, len(got), len(want))
			}
		}
	}
	if asked < 200 || found < 1000 {
		t.Errorf("%d questions found %d: too few to tell anything", asked, found)
	}

	// What is planted is found, and nothing of what the index was given.
	const planted = "Condition\x1fcode\x1fplanted-code-of-nobody"
	if err := db.Prefix("plant/").Write([]kv.Change{{Key: []byte("k"), Value: []byte(planted)}}); err != nil {
		t.Fatal(err)
	}
	var pile bytes.Buffer
	if err := db.Scan(nil, nil, func(k, v []byte) error {
		pile.Write(k)
		pile.Write(v)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		pile.Write(b)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(pile.Bytes(), []byte(planted)) {
		t.Error("what was planted is not found: this test tells nothing")
	}
	for _, o := range all[:40] {
		for _, term := range fhir.KeysOf(o.r, o.as).Terms {
			if len(term) > 10 {
				secrets = append(secrets, term)
			}
		}
	}
	secrets = append(secrets, string([]byte{0, 0, 0x5e, 0xc2, 0, 0, 0, 0}))
	for _, s := range secrets {
		if bytes.Contains(pile.Bytes(), []byte(s)) {
			t.Errorf("%q lies on the disk", s)
		}
	}
}

func TestTheVersionThatCountsIsTheNewestThatMayBeReadByTheFirstAuthor(t *testing.T) {
	db, err := kv.OpenFS(vfs.NewMem(), "db")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	x := newIndex(t, db, newRing(t))
	log := key.Log{7}
	condition := func(code string) string {
		return `{"resourceType":"Condition","code":{"coding":[{"system":"s","code":"` + code + `"}]}}`
	}
	v1, v2, rogue := version(t, "a", 1, condition("old")), version(t, "a", 4, condition("new")), version(t, "a", 6, condition("rogue"))
	rogue.Author = key.Verifier{9}
	add(t, x, "chart", log, v2, rogue, v1) // in any order
	add(t, x, "chart", log, version(t, "b", 5, condition("new")))
	upTo := func(n uint64) func(key.Log) (func(uint64) bool, error) {
		return func(key.Log) (func(uint64) bool, error) { return func(e uint64) bool { return e <= n }, nil }
	}
	expect := func(query string, readable func(key.Log) (func(uint64) bool, error), want ...string) {
		t.Helper()
		if got := find(t, x, "Condition", query, readable); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}
	expect("code=new", everything, "chart Condition/a 4", "chart Condition/b 5")
	expect("code=old", everything)
	expect("code=rogue", everything)
	expect("code=old", upTo(3), "chart Condition/a 1")
	expect("code=new", upTo(3))
	if err := x.Update(log, func(l *panel.Log, c *panel.Change) error {
		gone, err := c.Keep(func(e uint64) bool { return e != 4 && e != 6 })
		if !slices.Equal(gone, []uint64{4, 6}) {
			t.Errorf("taken out: %v", gone)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	expect("code=new", everything, "chart Condition/b 5")
	expect("code=old", everything, "chart Condition/a 1")
	ended := panel.Version{Type: "Condition", ID: "a", Entry: 8, Deleted: true}
	add(t, x, "chart", log, ended)
	expect("code=old", everything)
	if err := db.Prefix("panel/").Scan([]byte("t"), []byte("u"), func(k, v []byte) error {
		return db.Prefix("panel/").Write([]kv.Change{{Key: slices.Clone(k), Value: bytes.Repeat([]byte{1}, len(v))}})
	}); err != nil {
		t.Fatal(err)
	}
	if found, err := x.Find(panel.Query{Type: "Condition"}, everything); err == nil || !strings.Contains(err.Error(), "vitalog index rebuild --anew") {
		t.Errorf("damaged, it found %v, %v", found, err)
	}
	if _, err := panel.Open(db.Prefix("panel/"), newRing(t), panel.Own); err != nil {
		t.Fatal(err)
	}
	left := 0
	if err := db.Prefix("panel/").Scan(nil, nil, func(k, _ []byte) error { left++; return nil }); err != nil || left != 1 {
		t.Errorf("another mode leaves %d keys of the old index, %v", left-1, err)
	}
}

// After a crash at any moment the index is as it was after some change: what is not in it is lacking, and nothing is half there.
func TestACrashLosesTheNewestChangesTogether(t *testing.T) {
	ring := newRing(t)
	log := key.Log{7}
	raw := `{"resourceType":"Condition","code":{"coding":[{"system":"s","code":"c"}]}}`
	for seed := range uint64(12) {
		mem := vfs.NewCrashableMem()
		db, err := kv.OpenFS(mem, "db")
		if err != nil {
			t.Fatal(err)
		}
		x := newIndex(t, db, ring)
		r := rand.New(rand.NewPCG(seed, 3))
		const entries = 20
		for n := range uint64(entries) {
			err := x.Update(log, func(l *panel.Log, c *panel.Change) error {
				l.Chart, l.Section, l.Seen, l.Lacks, l.Lacking = "chart", section.Summary, n+1, append(l.Lacks, n), true
				return nil
			})
			err = errors.Join(err, x.Update(log, func(l *panel.Log, c *panel.Change) error {
				if r.IntN(3) == 0 { // it stays lacking
					return nil
				}
				l.Lacks = l.Lacks[:len(l.Lacks)-1]
				l.Lacking = len(l.Lacks) > 0
				return c.Add(version(t, fmt.Sprint("r", n), n, raw))
			}))
			if n%5 == 4 {
				err = errors.Join(err, x.Update(log, func(l *panel.Log, c *panel.Change) error {
					gone, err := c.Keep(func(e uint64) bool { return e > n-3 })
					l.Lacks = append(l.Lacks, gone...)
					slices.Sort(l.Lacks)
					l.Lacking = len(l.Lacks) > 0
					return err
				}), x.Follow(n))
			}
			if r.IntN(4) == 0 {
				err = errors.Join(err, db.Prefix("other/").Write([]kv.Change{{Key: []byte("k"), Value: []byte("v")}}))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		after, err := kv.OpenFS(mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: r.IntN(101), RNG: r}), "db")
		if err != nil {
			t.Fatal(err)
		}
		x = newIndex(t, after, ring)
		l, err := x.Of(log)
		if err != nil {
			t.Fatal(err)
		}
		height, err := x.Followed()
		if err != nil {
			t.Fatal(err)
		}
		there := map[uint64]bool{}
		if l != nil {
			for _, n := range l.Lacks {
				there[n] = true
			}
			found, err := x.Find(panel.Query{Type: "Condition"}, everything)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range found {
				if there[f.Entry] {
					t.Errorf("seed %d: %d is there and lacking", seed, f.Entry)
				}
				if there[f.Entry] = true; height >= 4 && f.Entry <= height-3 {
					t.Errorf("seed %d: block %d was followed, and %d is still there", seed, height, f.Entry)
				}
			}
			for n := range l.Seen {
				if !there[n] {
					t.Errorf("seed %d: %d of %d is neither there nor lacking", seed, n, l.Seen)
				}
			}
			lacking := false
			if err := x.Lacking(func(*panel.Log) error { lacking = true; return nil }); err != nil || lacking != (len(l.Lacks) > 0) {
				t.Errorf("seed %d: lacking %t with %d records, %v", seed, lacking, len(l.Lacks), err)
			}
		}
		if err := errors.Join(db.Close(), after.Close()); err != nil {
			t.Fatal(err)
		}
	}
}
