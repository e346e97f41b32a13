package definition_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"vitalog/fhir"
)

// Medplum's validator and FHIR.js, which were written by others from the same definitions, judge the samples and what mutants of them: what
// one of them refuses is refused here, except for what differ says. They run in Node.
func TestWhatOtherValidatorsRefuseIsRefused(t *testing.T) {
	if testing.Short() {
		t.Skip("runs two other validators")
	}
	node(t)
	var all []mutant
	kinds, seen := map[string]int{}, map[string]bool{}
	for _, r := range samples(t) {
		if kinds[r.Type()]++; kinds[r.Type()] == 1 {
			all = append(all, mutants(t, r, seen)...)
		}
	}
	verdicts := judge(t, all)
	refused := map[string]int{}
	for i, m := range all {
		got := []string{"what Parse refuses"}
		if r, err := fhir.Parse(m.raw); r != nil || err == nil {
			got = slices.DeleteFunc(found(r, nil), func(f string) bool { return strings.HasPrefix(f, "warning") })
		}
		for who, says := range map[string]string{"Medplum": verdicts[i][0], "FHIR.js": verdicts[i][1]} {
			if says == "ok" {
				continue
			}
			refused[m.what]++
			if len(got) == 0 && !differ(m, says) {
				t.Errorf("%s: %s refuses it: %s\n%s", m.what, who, says, m.raw)
			}
		}
	}
	t.Logf("%d resources; refused by others: %v", len(all), refused)
	if len(all) < 1500 || len(refused) < 12 {
		t.Errorf("%d resources of %v were refused by others: too few to compare with", len(all), refused)
	}
}

// differ tells whether it is for this that a validator refuses more: both know the type that a reference leads to only if it is Type/id or
// an address that ends so. Others are taken here: conditions, which transactions resolve, and what is none of FHIR's forms and is kept as it is.
func differ(m mutant, says string) bool {
	return strings.HasPrefix(says, "Invalid type for reference") && bytes.Contains(m.raw, []byte("?identifier=")) ||
		strings.HasPrefix(says, "Invalid type for reference") && m.what == "another text" ||
		strings.HasPrefix(says, "Invalid reference") && m.what == "white space"
}

// node makes sure that the other validators are there.
func node(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no node, which the other validators run in")
		}
		t.Skip("no node, which the other validators run in")
	}
	if _, err := os.Stat("differential/node_modules/.package-lock.json"); err == nil {
		return
	}
	c := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	c.Dir = "differential"
	if out, err := c.CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%v\n%s", err, out)
		}
		t.Skipf("the other validators can't be fetched: %v", err)
	}
}

// judge is what Medplum and FHIR.js say first of each, "ok" if they find nothing.
func judge(t *testing.T, all []mutant) (out [][2]string) {
	t.Helper()
	var in bytes.Buffer
	for _, m := range all {
		in.Write(m.raw)
		in.WriteByte('\n')
	}
	c := exec.Command("node", "differential/judge.mjs")
	c.Stdin, c.Stderr = &in, os.Stderr
	answer, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(answer))
	for d.More() {
		var v [2]string
		if err := d.Decode(&v); err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	if len(out) != len(all) {
		t.Fatalf("%d answers to %d resources", len(out), len(all))
	}
	return out
}

// mutant is a resource with one thing changed.
type mutant struct {
	what string
	raw  []byte
}

// mutants are a resource as it is, and with each of its elements changed in every way that makes sense of it. seen are the changes that were
// made to such an element before.
func mutants(t *testing.T, r *fhir.Resource, seen map[string]bool) (all []mutant) {
	var root any
	if err := json.Unmarshal(r.Raw(), &root); err != nil {
		t.Fatal(err)
	}
	add := func(what, path string) {
		parts := strings.Split(path, ".")
		key := what + strings.Join(parts[max(0, len(parts)-2):], ".")
		if seen[key] {
			return
		}
		seen[key] = true
		raw, err := json.Marshal(root)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, mutant{what, raw})
	}
	add("as it is", r.Type()+"."+r.ID())
	var walk func(v any, path string)
	walk = func(v any, path string) {
		switch v := v.(type) {
		case []any:
			for _, e := range v[:min(len(v), 2)] {
				walk(e, path)
			}
		case map[string]any:
			v["colour"] = "red"
			add("an unknown element", path)
			delete(v, "colour")
			for _, name := range slices.Sorted(maps.Keys(v)) {
				if name == "resourceType" {
					continue
				}
				at, old := path+"."+name, v[name]
				change := func(what string, to any) {
					v[name] = to
					add(what, at)
					v[name] = old
				}
				delete(v, name)
				add("without an element", at)
				v[name] = old
				switch old := old.(type) {
				case []any:
					change("an empty array", []any{})
					change("one value for an array", old[0])
				case map[string]any:
					change("an empty object", map[string]any{})
					change("an array for one value", []any{old})
					change("text for an object", "x")
				case string:
					change("an array for one value", []any{old})
					change("an empty string", "")
					change("a number for text", 7)
					change("another text", "31/12/1980")
					change("white space", " "+old+" ")
				case float64:
					change("text for a number", "7")
					change("a negative number", -old-1)
					change("a number that is not whole", old+0.5)
				case bool:
					change("text for a boolean", fmt.Sprint(old))
				}
				walk(v[name], at)
			}
		}
	}
	walk(root, r.Type())
	return all
}
