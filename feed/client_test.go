package feed_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// unmodified sends with a client of npm, as it is.
func unmodified(t *testing.T, w *ward) {
	dir := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json", "send.mjs"} {
		raw, err := os.ReadFile(filepath.Join("testdata/client", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(in []byte, name string, args ...string) []byte {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		c := exec.CommandContext(ctx, name, args...)
		c.Dir, c.Stdin = dir, bytes.NewReader(in)
		var said bytes.Buffer
		c.Stderr = &said
		out, err := c.Output()
		if err != nil {
			if name == "npm" && os.Getenv("CI") == "" {
				t.Skipf("npm has no node-hl7-client here: %v", err)
			}
			t.Fatalf("%s: %v %s", name, err, said.Bytes())
		}
		return out
	}
	run(nil, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	messages, err := json.Marshal([]string{
		strings.TrimSuffix(message("ADT^A04^ADT_A01", "18-1", person("18"), visit("18")), "\r"),
		strings.TrimSuffix(message("ADT^A60", "18-2", person("18")), "\r"),
		strings.TrimSuffix(message("ORU^R01^ORU_R01", "18-3", person("18"), visit("18"), "OBR|1||R18^GHH|718-7^Hemoglobin^LN", "OBX|1|NM|718-7^Hemoglobin^LN||12.50|g/dL^^UCUM||||||F"), "\r"),
	})
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := strings.Cut(w.net.Nodes[0].Config.HL7, ":")
	answers := strings.Split(strings.TrimSpace(string(run(messages, "node", "send.mjs", port))), "\n")
	want := []string{"MSA|AA|18-1", "MSA|AR|18-2", "MSA|AA|18-3"}
	if len(answers) != len(want) {
		t.Fatalf("got %q", answers)
	}
	for i := range want {
		if !strings.Contains(answers[i], want[i]) {
			t.Errorf("got %q, want %q", answers[i], want[i])
		}
	}
	if results := w.of("Observation", w.chart("18")); len(results) != 1 {
		t.Errorf("got %v, want the one result", results)
	}
}
