package testnet

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// walkTime is how long one walk through pages may take.
const walkTime = 15 * time.Minute

// Chromium is the path of a browser for the scripts in test/ of web, the directory of the patient's app as seen from the test. Without one the
// test is skipped, but not in CI.
func Chromium(t testing.TB, web string) string {
	t.Helper()
	lacks := t.Skipf
	if os.Getenv("CI") == "true" {
		lacks = t.Fatalf
	}
	chromium := os.Getenv("VITALOG_CHROMIUM")
	if chromium == "" {
		var err error
		if chromium, err = exec.LookPath("chromium"); err != nil {
			lacks("there is no chromium: apt-get install chromium")
		}
	}
	if _, err := os.Stat(filepath.Join(web, "node_modules", "playwright-core")); err != nil {
		lacks("playwright-core is not installed: npm --prefix web ci")
	}
	scripts, err := filepath.Glob(filepath.Join(web, "test", "*.mjs"))
	if err != nil || len(scripts) == 0 {
		t.Fatal("no scripts in test/", err)
	}
	for _, name := range scripts { // so that a change of them is a change of this test
		if _, err := os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	return chromium
}

// Walk runs a script of test/ of web in a browser, and reads into got what it prints. home is where the pages are, hospital what else the script
// talks to.
func Walk(t testing.TB, web, chromium, home, hospital string, got any, script string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), walkTime)
	defer cancel()
	c := exec.CommandContext(ctx, "node", append([]string{filepath.Join("test", script)}, args...)...)
	c.Dir = web
	c.Env = append(os.Environ(), "VITALOG_CHROMIUM="+chromium, "VITALOG_HOME="+home, "VITALOG_HOSPITAL="+hospital)
	var wrong bytes.Buffer
	c.Stderr = &wrong
	said, err := c.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, wrong.Bytes())
	}
	if err := json.Unmarshal(said, got); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
}
