package definition_test

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"vitalog/definition"
	"vitalog/fhir"
)

// seed adds the resources of a file of cases.
func seed(f *testing.F, path string) {
	f.Helper()
	cases, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(cases)) {
		if line[0] == '{' {
			f.Add([]byte(line))
		}
	}
}

// Whatever Parse takes is held without a panic, with bounded findings at places that are within it; and the same is found however much
// white space stands in it.
func FuzzValidate(f *testing.F) {
	seed(f, "testdata/findings.txt")
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, _ := fhir.Parse(raw)
		if r == nil {
			return
		}
		all := definition.Validate(r, nil)
		lines := bytes.Split(r.Raw(), []byte{'\n'})
		for _, x := range all {
			if x.Line < 1 || x.Line > len(lines) || x.Column < 1 || x.Column > len(lines[x.Line-1])+1 || !strings.HasPrefix(x.Element, r.Type()) || x.Text == "" {
				t.Errorf("got %+v", x)
			}
		}
		var spaced bytes.Buffer
		if len(all) >= definition.MaxFindings || json.Indent(&spaced, r.Raw(), " ", "\t ") != nil {
			return
		}
		again, err := fhir.Parse(spaced.Bytes())
		if again == nil {
			t.Fatalf("with white space: %v", err)
		}
		if got, want := found(again, nil), found(r, nil); !slices.Equal(got, want) {
			t.Errorf("with white space: got %q, want %q", got, want)
		}
	})
}

// The summary of whatever Parse takes can be parsed, and is its own summary.
func FuzzBrief(f *testing.F) {
	seed(f, "testdata/briefs.txt")
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := fhir.Parse(raw)
		if err != nil {
			return
		}
		short, err := fhir.Parse([]byte(brief(r)))
		if err != nil {
			t.Fatal(err)
		}
		if again := brief(short); again != string(short.Raw()) {
			t.Errorf("%s becomes %s", short.Raw(), again)
		}
	})
}
