package gateway_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"vitalog/gateway"
	"vitalog/internal/testnet"
)

func TestClientsFromNpmDoTheirUsualWork(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json", "rest.mjs", "upload.mjs"} {
		raw, err := os.ReadFile(filepath.Join("testdata/clients", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(name string, args ...string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		c := exec.CommandContext(ctx, name, args...)
		c.Dir = dir
		var said bytes.Buffer
		c.Stdout, c.Stderr = &said, &said
		if err := c.Run(); err != nil {
			if name == "npm" && os.Getenv("CI") == "" {
				t.Skipf("npm has no clients here: %v", err)
			}
			t.Fatalf("%s: %v\n%s", name, err, said.Bytes())
		}
	}
	run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	d := desk{t, testnet.Start(t, 1, 0).Nodes[0], okafor}
	chart, _ := d.enrol(7)
	url := d.node.Config.URL() + "/fhir"
	token, err := gateway.IssueToken(d.node.Ring.Tokens(), d.node.Member.Name(), url, d.who, 5*time.Minute, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	run("node", "rest.mjs", url, token, chart)
	run("node", "upload.mjs", url, token, chart)
}
