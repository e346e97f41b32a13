package smart_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// script runs one of testdata/clients until the test ends. Its first line, which tells where it listens, was read.
func script(t *testing.T, arguments ...string) (io.Writer, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command("node", arguments...)
	cmd.Dir, cmd.Stderr = "testdata/clients", os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait() // it was killed, or has ended
	})
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatal("it says nothing")
	}
	return in, lines
}

// launchFHIRClient has fhirclient, unmodified, launch an app: npm ci in testdata/clients gets it, and without it this is skipped.
func launchFHIRClient(t *testing.T, c clinic, chart, number string) {
	if _, err := os.Stat("testdata/clients/node_modules/fhirclient"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("fhirclient is not installed: .ci/run does it")
		}
		t.Skip("fhirclient is not installed: see testdata/clients/package.json")
	}
	_, lines := script(t, "launch.mjs", c.url()+"/fhir")
	at := lines.Text()
	c.register(`{"client_id":"fhirclient","client_name":"fhirclient","scope":"patient/*.rs","redirect_uris":["` + at + `/app"],"purposes_of_use":["TREAT"]}`)
	a := c.app("fhirclient")
	page, _ := a.follow(a.with(a.browser, "GET", a.with(a.browser, "GET", at+"/launch", "", "", "").header.Get("Location"), "", "", ""))
	page, _ = a.submit(page, "/demo-staff/authorize", "person", "okafor")
	page, _ = a.submit(page, "", "patient", number)
	page, _ = a.submit(page, "", "answer", "allow")
	if !lines.Scan() {
		t.Fatalf("it says nothing: %d %s", page.status, page.body)
	}
	var got struct {
		Patient, Again, User, Error string
		Total                       int
		Rotated                     bool
	}
	if err := json.Unmarshal(lines.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if page.status != http.StatusOK || got.Patient != chart || got.Again != chart || got.User != "okafor" || !got.Rotated {
		t.Errorf("got %d %s", page.status, strings.ReplaceAll(lines.Text(), `\n`, "\n"))
	}
}
