package smart_test

import (
	"encoding/json"
	"io"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// browse has a real browser go through the pages, with the keyboard alone. It is skipped where there is no Chromium, unless VITALOG_CHROMIUM says
// where one must be.
func browse(t *testing.T, c clinic, operator, chart, number string) {
	chromium := os.Getenv("VITALOG_CHROMIUM")
	if chromium == "" {
		var err error
		if chromium, err = exec.LookPath("chromium"); err != nil {
			t.Skip("there is no chromium: apt-get install chromium")
		}
		if _, err := os.Stat("testdata/clients/node_modules/playwright-core"); err != nil {
			t.Skip("playwright-core is not installed: see testdata/clients/package.json")
		}
	}
	in, lines := script(t, "browse.mjs", chromium)
	c.register(`{"client_id":"browser","client_name":"Browser","scope":"patient/*.rs","redirect_uris":["` + lines.Text() + `/app"],"purposes_of_use":["TREAT"]}`)
	wish, err := json.Marshal(map[string]string{"base": c.url(), "number": number, "launch": c.post("/auth/launch", url.Values{"patient": {chart}}, operator).text("launch")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(in, string(wish)+"\n"); err != nil {
		t.Fatal(err)
	}
	if !lines.Scan() {
		t.Fatal("it says nothing of what it saw")
	}
	var got struct {
		Standalone, Launched, Denied, Failed string
		Complaints                           []string
	}
	if err := json.Unmarshal(lines.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Standalone != chart || got.Launched != chart || got.Denied != "access_denied" || got.Failed != "" {
		t.Errorf("standalone %q, launched %q, want %q; denied %q: %s", got.Standalone, got.Launched, chart, got.Denied, got.Failed)
	}
	if len(got.Complaints) > 0 {
		t.Errorf("the browser complains:\n%s", strings.Join(got.Complaints, "\n"))
	}
}
