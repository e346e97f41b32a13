package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vitalog/fhir"
	"vitalog/internal/demo"
	"vitalog/kv"
)

// samples is where the synthetic bundles lie, beside the repository.
const samples = "../../../shared/data/fhir"

// everyResource is how many resources the bundles hold.
const everyResource = 21_411

// A hospital brings in every patient that it has, while its import, its own node and another validator are killed in the middle. Then
// every resource comes back byte for byte and once, all validators hold all of it, and no file says anything about anybody.
func TestAHospitalBringsInAllItsPatientsWhileThingsBreak(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes")
	}
	bundles, err := filepath.Glob(filepath.Join(samples, "*", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(bundles) == 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("no bundles in " + samples)
		}
		t.Skip("no bundles in " + samples)
	}
	n := foundNetwork(t, 4, nil)

	began := time.Now()
	taken := 0 // resources that the runs before have told
	sum := func(lines []map[string]any) (sum int) {
		for _, l := range lines {
			if l["schema"] == "vitalog.import/v1" && l["ok"] == true {
				sum += int(l["resources"].(float64))
			}
		}
		return sum
	}
	run := func() *watched { return n.watch("import", "--dir", n.member(0), "--json", samples) }
	first := run()
	n.until(first, func(lines []map[string]any) bool { taken = sum(lines); return taken > everyResource/6 })
	_ = first.cmd.Process.Kill()
	<-first.ended
	t.Logf("the import was killed after %d resources", taken)

	second := run()
	n.until(second, func(lines []map[string]any) bool { return sum(lines) > everyResource*2/5 })
	n.kill(0)
	n.start(0)
	t.Log("the gateway's node was killed")
	n.until(second, func(lines []map[string]any) bool { return sum(lines) > everyResource*7/10 })
	n.kill(2)
	n.start(2)
	t.Log("a validator was killed")
	var end map[string]any
	n.until(second, func(lines []map[string]any) bool {
		end = lines[len(lines)-1]
		return end["schema"] == "vitalog.import-summary/v1"
	})
	if err := <-second.ended; err != nil {
		t.Fatalf("the import ended with %v\n%s", err, second.errors.String())
	}
	if end["failed"] != 0.0 || end["files"] != float64(len(bundles)) || end["resources"] != float64(everyResource) {
		t.Fatalf("the import says %v, want %d resources in %d files", end, everyResource, len(bundles))
	}
	t.Logf("%d resources are in after %v, with all interruptions", everyResource, time.Since(began).Round(time.Second))
	n.await(2)

	t.Run("each resource comes back once, byte for byte", func(t *testing.T) { readBack(t, n, bundles) })
	t.Run("every validator holds everything", func(t *testing.T) {
		n.t = t
		for i := range n.up {
			n.whole(i)
			if out, err := n.command("verify", "--all", "--dir", n.member(i)).CombinedOutput(); err != nil {
				t.Errorf("member %d: %v\n%s", i, err, out)
			}
		}
	})
	t.Run("no file tells anything about anybody", func(t *testing.T) { searched(t, n, bundles) })
}

// readBack asks the gateway where everything stands, by sending each bundle once more under its key, opens every chart at the hospital,
// and compares. A resource that is there twice would be one more than what was sent.
func readBack(t *testing.T, n *network, bundles []string) {
	n.t = t
	compared, charts, sent, opened := 0, map[string]map[string][]byte{}, map[string]bool{}, 0
	for _, path := range bundles {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		key := sha256.Sum256(raw)
		var stands struct {
			Entry []struct {
				Response struct{ Status, Location string }
			}
		}
		if err := json.Unmarshal(n.ask(0, "POST", "", raw, "Idempotency-Key", `"`+hex.EncodeToString(key[:])+`"`), &stands); err != nil {
			t.Fatal(err)
		}
		patient := ""
		for _, e := range stands.Entry {
			if strings.HasPrefix(e.Response.Location, "Patient/") {
				patient, _, _ = strings.Cut(e.Response.Location, "/_history")
			}
		}
		if patient != "" && charts[patient] == nil {
			charts[patient] = everything(t, n.ask(0, "GET", "/"+patient+"/$everything", nil))
			for at := range charts[patient] {
				if !directory(at) {
					opened++
				}
			}
		}
		_, err = fhir.ReadBundle(bytes.NewReader(raw), func(e *fhir.Entry) error {
			at, _, _ := strings.Cut(stands.Entry[e.Index].Response.Location, "/_history")
			got, there := charts[patient][at]
			if directory(at) && !there {
				got = n.ask(0, "GET", "/"+at, nil)
			}
			// What another bundle had listed before counts; it is about the same organisation or person.
			known := directory(at) && !strings.HasPrefix(stands.Entry[e.Index].Response.Status, "201")
			if !known && !fhir.SameButIdentity(got, e.Resource.Raw()) {
				return fmt.Errorf("%s %s came back as %.300s\nsent was %.300s", filepath.Base(path), at, got, e.Resource.Raw())
			}
			if !directory(at) {
				if sent[at] {
					return fmt.Errorf("%s stands for two entries", at)
				}
				sent[at] = true
			}
			compared++
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if compared != everyResource || opened != len(sent) {
		t.Errorf("compared %d of %d resources; the charts hold %d, sent were %d", compared, everyResource, opened, len(sent))
	}
	t.Logf("%d resources compared, %d of them in %d charts", compared, opened, len(charts))
}

// directory tells whether a resource is in the directory of all members, and in no patient's chart.
func directory(at string) bool {
	kind, _, _ := strings.Cut(at, "/")
	return kind == "Organization" || kind == "Practitioner" || kind == "PractitionerRole" || kind == "Location"
}

// everything are the resources of a chart, by their addresses.
func everything(t *testing.T, bundle []byte) map[string][]byte {
	out := map[string][]byte{}
	var b struct {
		Entry []struct {
			Resource json.RawMessage
			Search   struct{ Mode string }
		}
	}
	if err := json.Unmarshal(bundle, &b); err != nil {
		t.Fatal(err)
	}
	for _, e := range b.Entry {
		if e.Search.Mode == "outcome" {
			t.Fatalf("the chart is incomplete: %s", e.Resource)
		}
		r, err := fhir.Parse(e.Resource)
		if err != nil {
			t.Fatal(err)
		}
		out[r.Type()+"/"+r.ID()] = e.Resource
	}
	return out
}

// searched looks into every file of every member, and into every value of its store, which the store may have compressed.
func searched(t *testing.T, n *network, bundles []string) {
	n.t = t
	needles := plain(t, bundles)
	t.Logf("looking for %d strings", len(needles))
	planted := filepath.Join(n.member(1), "planted")
	if err := os.WriteFile(planted, []byte("\x00"+strings.ToUpper(needles[len(needles)/2])+"\x01"), 0o600); err != nil {
		t.Fatal(err)
	}
	found, files, size, err := demo.Search(n.dir, needles) // while the members run
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 1 || found[0] != planted {
		t.Errorf("of what was planted alone: found in %q", found)
	}
	if err := os.Remove(planted); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d files with %d MB", files, size>>20)
	n.stop()
	values := filepath.Join(t.TempDir(), "values")
	for i := range n.up {
		if err := os.WriteFile(values, everyValue(t, filepath.Join(n.member(i), "data", "db")), 0o600); err != nil {
			t.Fatal(err)
		}
		found, _, size, err := demo.Search(filepath.Dir(values), needles)
		if err != nil {
			t.Fatal(err)
		}
		if len(found) > 0 || size == 0 {
			t.Errorf("member %d: something is legible in the %d bytes of its store", i, size)
		}
	}
}

// everyValue are the keys and values of a store, one after the other.
func everyValue(t *testing.T, dir string) []byte {
	db, err := kv.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var all bytes.Buffer
	if err := db.Scan(nil, nil, func(k, v []byte) error {
		all.Write(k)
		all.WriteByte(0)
		all.Write(v)
		all.WriteByte(0)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all.Bytes()
}

// plain are the words of the bundles that must be legible nowhere: names, streets, identifiers, telephone numbers, what codes mean, notes.
// A short one would be found by chance in any ciphertext; it is looked for in quotes, as JSON has it, and between spaces, as a text has it; one of three letters
// with the name of its field.
// What the directory says of organisations and their people is no secret among members.
func plain(t *testing.T, bundles []string) (out []string) {
	seen, open := map[string]bool{}, &bytes.Buffer{}
	add := func(path, s string) {
		s = strings.TrimSpace(s)
		if len(s) > 60 { // the beginning of a note is enough
			s = s[:60]
		}
		if s == "" || seen[s] || bytes.Contains(open.Bytes(), bytes.ToLower([]byte(s))) {
			return
		}
		seen[s] = true
		field := path[strings.LastIndexByte(path, '.')+1:]
		switch {
		case len(s) >= 7:
			out = append(out, s)
		case len(s) <= 3:
			for _, between := range []string{`":"`, `": "`, `":["`, `": ["`} {
				out = append(out, `"`+field+between+s+`"`)
			}
		default:
			out = append(out, `"`+s+`"`, " "+s+" ")
		}
	}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, x := range v {
				walk(path+"."+name, x)
			}
		case []any:
			for _, x := range v {
				walk(path, x)
			}
		case string:
			switch {
			case strings.HasSuffix(path, ".name.family"), strings.HasSuffix(path, ".name.given"), strings.HasSuffix(path, ".address.line"),
				strings.HasSuffix(path, ".identifier.value"), strings.HasSuffix(path, ".telecom.value"), strings.HasSuffix(path, ".coding.display"), strings.HasSuffix(path, ".text"):
				add(path, v)
			case strings.HasSuffix(path, ".attachment.data"):
				if note, err := base64.StdEncoding.DecodeString(v); err == nil {
					for line := range strings.Lines(string(note)) {
						if len(line) > 20 {
							add(path, line)
						}
					}
				}
			}
		}
	}
	var charts []*fhir.Resource
	for _, path := range bundles {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fhir.ReadBundle(bytes.NewReader(raw), func(e *fhir.Entry) error {
			if directory(e.Resource.Type() + "/") {
				open.Write(bytes.ToLower(e.Resource.Raw()))
			} else {
				charts = append(charts, e.Resource)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range charts {
		var v any
		if err := json.Unmarshal(r.Raw(), &v); err != nil {
			t.Fatal(err)
		}
		walk(r.Type(), v)
	}
	return out
}
