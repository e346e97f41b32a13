package wearable_test

import (
	"os"
	"strings"
	"testing"

	"vitalog/wearable"
)

// The patient's app reads the same export and is held against the same lines.
func TestAnExportOfAppleHealthIsToldAsTheGoldenFileHasIt(t *testing.T) {
	in, err := os.Open("testdata/apple.xml")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var out []string
	left, err := wearable.Apple(in, func(r *wearable.Reading) error {
		raw, err := r.Observation()
		out = append(out, r.Day()+" "+string(raw))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/apple.golden")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(out, "\n") + "\n"; got != string(want) || left != 6 {
		t.Errorf("%d left, want 6; got\n%s", left, got)
	}
}
