package directory_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vitalog/directory"
	"vitalog/fhir"
	"vitalog/key"
	"vitalog/kv"
	"vitalog/op"
)

// two members of one network, by number.
var (
	signers = []*key.Signing{key.NewSigning([32]byte{1}), key.NewSigning([32]byte{2})}
	genesis = &op.Genesis{Version: op.Version, Name: "test", Members: []op.Member{{Name: "A", Sign: signers[0].Public()}, {Name: "B", Sign: signers[1].Public()}}}
)

func store(t *testing.T) *kv.DB {
	db, err := kv.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func open(t *testing.T, member int, db *kv.DB) *directory.Directory {
	t.Helper()
	d, err := directory.Open(db, genesis, member, signers[member])
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func parse(t *testing.T, s string) *fhir.Resource {
	t.Helper()
	r, err := fhir.Parse([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func put(t *testing.T, d *directory.Directory, s string) directory.Resource {
	t.Helper()
	r, _, err := d.Put(parse(t, s))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// pull brings to what from has of a member.
func pull(t *testing.T, from, to *directory.Directory, member int) error {
	t.Helper()
	for {
		items, err := from.Since(member, to.Heads()[member], 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(items) == 0 {
			return nil
		}
		if err := to.Accept(items); err != nil {
			return err
		}
	}
}

const org = `{"resourceType":"Organization","id":"o1","identifier":[{"system":"s","value":"1"}],"name":"Elena"}`

func TestPuttingTheSameThingAgainIsNoNews(t *testing.T) {
	d := open(t, 0, store(t))
	first, created, err := d.Put(parse(t, org))
	if err != nil || !created || first.ID() != "o1" {
		t.Fatalf("got %v %t %v", first.ID(), created, err)
	}
	for name, c := range map[string]struct {
		in      string
		created bool
		same    bool
	}{
		"the same bytes":              {org, false, true},
		"the same identifier":         {`{"resourceType":"Organization","id":"other","identifier":[{"system":"x","value":"9"},{"system":"s","value":"1"}],"name":"E."}`, false, true},
		"another type":                {`{"resourceType":"Location","id":"o1","identifier":[{"system":"s","value":"1"}]}`, true, true},
		"a taken id":                  {`{"resourceType":"Organization","id":"o1","name":"Another"}`, true, false},
		"a taken id with the same id": {`{"resourceType":"Organization","name":"No id"}`, true, false},
	} {
		got, created, err := d.Put(parse(t, c.in))
		if err != nil || created != c.created || (got.ID() == "o1") != c.same {
			t.Errorf("%s: got id %q, created %t, %v", name, got.ID(), created, err)
		}
		again, created, err := d.Put(parse(t, c.in))
		if err != nil || created || again.ID() != got.ID() {
			t.Errorf("%s, again: got id %q, created %t, %v", name, again.ID(), created, err)
		}
	}
}

func TestWhatWasPutIsThereAfterAReopening(t *testing.T) {
	db := store(t)
	d := open(t, 0, db)
	put(t, d, org)
	role := put(t, d, `{"resourceType":"PractitionerRole","organization":{"reference":"Organization?identifier=s|1"},"x":1.50}`)
	updated, created, err := d.Update("o1", parse(t, `{"resourceType":"Organization","identifier":[{"system":"s","value":"2"}],"name":"Elena II"}`))
	if err != nil || created || updated.Version() != "3" {
		t.Fatalf("got version %s, created %t, %v", updated.Version(), created, err)
	}
	for _, d := range []*directory.Directory{d, open(t, 0, db)} {
		got, ok := d.Get("PractitionerRole", role.ID())
		if !ok || !bytes.Contains(got.Render(), []byte(`"organization":{"reference":"Organization/o1"},"x":1.50}`)) {
			t.Errorf("got %s", got.Render())
		}
		if found := d.Find("Organization", fhir.Identifier{System: "s", Value: "2"}); len(found) != 1 || found[0].ID() != "o1" {
			t.Errorf("by its identifier: got %d", len(found))
		}
		if found := d.Find("Organization", fhir.Identifier{System: "s", Value: "1"}); len(found) != 0 {
			t.Errorf("by the identifier that it no longer has: got %d", len(found))
		}
		found, err := d.Search("Organization", map[string][]string{"name": {"elena"}})
		if err != nil || len(found) != 1 || found[0].Member() != 0 {
			t.Errorf("by name: got %d, %v", len(found), err)
		}
		if _, ok := d.Get("Organization", "nobody"); ok {
			t.Error("found nobody")
		}
	}
}

func TestMembersComeToTheSameDirectory(t *testing.T) {
	a, b := open(t, 0, store(t)), open(t, 1, store(t))
	put(t, a, org)
	put(t, a, `{"resourceType":"Practitioner","id":"p1"}`)
	put(t, b, `{"resourceType":"Organization","id":"o1","identifier":[{"system":"s","value":"1"}],"name":"as B sees it"}`)
	put(t, b, `{"resourceType":"Practitioner","id":"p2"}`)
	for _, err := range []error{pull(t, a, b, 0), pull(t, b, a, 1), pull(t, a, b, 0)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range []*directory.Directory{a, b} {
		for _, name := range []string{"o1 Elena", "p1", "p2"} {
			id, text, _ := strings.Cut(name, " ")
			resourceType := map[byte]string{'o': "Organization", 'p': "Practitioner"}[id[0]]
			if r, ok := d.Get(resourceType, id); !ok || !bytes.Contains(r.Render(), []byte(text)) {
				t.Errorf("%s: got %t", name, ok)
			}
		}
		if found := d.Find("Organization", fhir.Identifier{System: "s", Value: "1"}); len(found) != 1 || found[0].Member() != 0 {
			t.Errorf("got %d by identifier", len(found))
		}
	}
	if _, _, err := b.Update("p1", parse(t, `{"resourceType":"Practitioner","id":"p1","active":false}`)); !errors.Is(err, directory.ErrNotOurs) {
		t.Errorf("changing another's: got %v", err)
	}
	x, _ := a.Get("Practitioner", "p2")
	y, _ := b.Get("Practitioner", "p2")
	if !bytes.Equal(x.Render(), y.Render()) {
		t.Errorf("rendered differently:\n%s\n%s", x.Render(), y.Render())
	}
}

func TestOnlyTheNextSignedItemOfAMemberIsTaken(t *testing.T) {
	a, other := open(t, 0, store(t)), open(t, 0, store(t))
	for i := range 3 {
		put(t, a, fmt.Sprintf(`{"resourceType":"Practitioner","id":"p%d"}`, i))
		put(t, other, fmt.Sprintf(`{"resourceType":"Practitioner","id":"q%d"}`, i))
	}
	items, err := a.Since(0, 0, 10)
	if err != nil || len(items) != 3 {
		t.Fatalf("got %d items, %v", len(items), err)
	}
	forked, err := other.Since(0, 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	changed := func(f func(*directory.Item)) []*directory.Item {
		x := *items[0]
		f(&x)
		return []*directory.Item{&x}
	}
	patient := changed(func(i *directory.Item) {
		i.Type, i.Raw = "Patient", []byte(`{"resourceType":"Patient"}`)
		hash := i.Hash(genesis.Network())
		i.Sig = signers[0].Sign(hash[:])
	})
	for name, c := range map[string]struct {
		items []*directory.Item
		want  error
	}{
		"with a gap":         {items[1:], directory.ErrOrder},
		"altered":            {changed(func(i *directory.Item) { i.ID = "x" }), directory.ErrSignature},
		"of another member":  {changed(func(i *directory.Item) { i.Member = 1 }), directory.ErrSignature},
		"of no member":       {changed(func(i *directory.Item) { i.Member = 2 }), directory.ErrSignature},
		"about a patient":    {patient, directory.ErrPatient},
		"forked later":       {[]*directory.Item{items[0], forked[1]}, directory.ErrForked},
		"forked in the same": {[]*directory.Item{items[0], forked[0]}, directory.ErrForked},
	} {
		b := open(t, 1, store(t))
		if err := b.Accept(c.items); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	b := open(t, 1, store(t))
	for range 2 {
		if err := b.Accept(items); err != nil {
			t.Errorf("twice: %v", err)
		}
	}
}

func TestALostCopyIsPulledBackFromOthers(t *testing.T) {
	a, b := open(t, 0, store(t)), open(t, 1, store(t))
	put(t, a, org)
	if err := pull(t, a, b, 0); err != nil {
		t.Fatal(err)
	}
	again := open(t, 0, store(t))
	if err := pull(t, b, again, 0); err != nil {
		t.Fatal(err)
	}
	if _, created, err := again.Put(parse(t, org)); err != nil || created {
		t.Errorf("got created %t, %v", created, err)
	}
	put(t, again, `{"resourceType":"Practitioner","id":"p1"}`)
	if err := pull(t, again, b, 0); err != nil {
		t.Error(err)
	}
}

func TestPatientsAndDanglingReferencesAreRefused(t *testing.T) {
	d := open(t, 0, store(t))
	for in, want := range map[string]error{
		`{"resourceType":"Patient"}`:     directory.ErrPatient,
		`{"resourceType":"Observation"}`: directory.ErrPatient,
		`{"resourceType":"PractitionerRole","practitioner":{"reference":"Practitioner?identifier=s|404"}}`: directory.ErrUnresolved,
		`{"resourceType":"PractitionerRole","practitioner":{"reference":"Practitioner?name=x"}}`:           directory.ErrUnresolved,
	} {
		if _, _, err := d.Put(parse(t, in)); !errors.Is(err, want) {
			t.Errorf("Put %s: got %v", in, err)
		}
		if _, _, err := d.Update("x", parse(t, in)); !errors.Is(err, want) {
			t.Errorf("Update %s: got %v", in, err)
		}
	}
	if _, _, err := d.Put(parse(t, `{"resourceType":"Parameters"}`)); err == nil {
		t.Error("took Parameters")
	}
	if _, err := directory.Open(store(t), genesis, 0, signers[1]); err == nil {
		t.Error("opened with another member's key")
	}
}

func TestTheSamplesAreTakenOnce(t *testing.T) {
	files, err := filepath.Glob("../../shared/data/fhir/synthea-2021-uscore/0-*.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("no sample bundles in ../shared/data/fhir")
		}
		t.Skip("no sample bundles in ../shared/data/fhir")
	}
	d := open(t, 0, store(t))
	for _, want := range []bool{true, false} {
		n := 0
		for _, file := range files {
			in, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			if _, err := fhir.ReadBundle(in, func(e *fhir.Entry) error {
				n++
				r, created, err := d.Put(e.Resource)
				if err != nil || created != want {
					t.Errorf("%s %s: created %t, %v", filepath.Base(file), e.Element(), created, err)
				} else if want && r.ID() != e.Resource.ID() {
					t.Errorf("%s: got id %s, want %s", e.Element(), r.ID(), e.Resource.ID())
				} else if !fhir.SameButIdentity(r.Render(), e.Resource.Raw()) {
					t.Errorf("%s: more than the identity changed", e.Element())
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		if n < 700 {
			t.Errorf("%d resources, want the samples' 778", n)
		}
	}
}

func FuzzDecodeItem(f *testing.F) {
	i := &directory.Item{Member: 1, Seq: 1, At: 5, Type: "Organization", ID: "o1", Raw: []byte(org)}
	f.Add(i.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		i, err := directory.DecodeItem(b)
		if err == nil && !bytes.Equal(i.Encode(), b) {
			t.Fatalf("decoded, but encodes to other bytes: %x", i.Encode())
		}
	})
}
