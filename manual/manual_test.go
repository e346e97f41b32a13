package manual_test

import (
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"vitalog/exchange"
	"vitalog/gateway"
	"vitalog/internal/testnet"
	"vitalog/manual"
	"vitalog/node"
)

// member is a real one, with an endpoint that it may call.
func member(t *testing.T, hook string) *node.Node {
	t.Helper()
	net := testnet.Start(t, 1, 0)
	c, err := node.Load(net.MemberDir(0))
	if err != nil {
		t.Fatal(err)
	}
	c.SubscriptionEndpoints = []string{hook}
	net.Stop(t, 0)
	if err := c.Save(net.MemberDir(0)); err != nil {
		t.Fatal(err)
	}
	net.Restart(t, 0, node.Options{})
	net.WaitReady(t)
	return net.Nodes[0]
}

func get(t *testing.T, url string) (*http.Response, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

var (
	href    = regexp.MustCompile(`href="([^"#]+)"`)
	example = regexp.MustCompile(`(?s)<figure data-status="(\d+)" data-type="(\w*)"><pre tabindex="0"><code>(.*?)</code></pre>`)
)

func TestTheManual(t *testing.T) {
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
	defer hook.Close()
	n := member(t, hook.URL)
	root := n.Config.URL()

	pages := map[string]string{}
	t.Run("has no link that leads nowhere, and loads nothing from elsewhere", func(t *testing.T) {
		for todo := []string{manual.Root}; len(todo) > 0; todo = todo[1:] {
			path := todo[0]
			if _, done := pages[path]; done {
				continue
			}
			resp, body := get(t, root+path)
			pages[path] = body
			if resp.StatusCode != http.StatusOK {
				t.Errorf("%s answers %d", path, resp.StatusCode)
			}
			if csp := resp.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
				t.Errorf("%s has the policy %q", path, csp)
			}
			if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
				continue
			}
			if strings.Contains(body, "<script") || strings.Contains(body, "style=\"") || strings.Count(body, "<h1") != 1 || !strings.Contains(body, `aria-current="page"`) {
				t.Errorf("%s has a script, a style, no heading or no place in the list", path)
			}
			for _, m := range href.FindAllStringSubmatch(body, -1) {
				if strings.HasPrefix(m[1], "/") {
					todo = append(todo, m[1])
				} else if !strings.HasPrefix(m[1], "https://") {
					t.Errorf("%s has the link %q", path, m[1])
				}
			}
		}
		for _, path := range []string{"/docs/search", "/docs/types/Observation", "/docs/types/Subscription", "/docs/spec", "/docs/spec/receipt", "/docs/style.css"} {
			if pages[path] == "" {
				t.Errorf("no link leads to %s", path)
			}
		}
		if resp, _ := get(t, root+"/docs/nothing"); resp.StatusCode != http.StatusNotFound {
			t.Errorf("a page that isn't there answers %d", resp.StatusCode)
		}
		resp, err := http.Post(root+"/docs", "text/plain", strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("POST answers %d", resp.StatusCode)
		}
	})

	t.Run("has topics as FHIR R5 has them", func(t *testing.T) {
		resp, body := get(t, root+"/docs/topics/resource-change.json")
		var topic struct{ ResourceType, URL, Status string }
		if err := json.Unmarshal([]byte(body), &topic); err != nil || resp.StatusCode != 200 || topic.ResourceType != "SubscriptionTopic" || topic.URL != "urn:vitalog:topic:resource-change" {
			t.Errorf("%d %s: %v", resp.StatusCode, body, err)
		}
	})

	t.Run("describes in OpenAPI what is there", func(t *testing.T) {
		_, body := get(t, root+"/docs/openapi.json")
		var api struct {
			OpenAPI string
			Servers []struct{ URL string }
			Paths   map[string]map[string]struct{ OperationID string }
		}
		if err := json.Unmarshal([]byte(body), &api); err != nil || api.OpenAPI != "3.1.0" || api.Servers[0].URL != root {
			t.Fatalf("%v: %.200s", err, body)
		}
		for path, methods := range api.Paths {
			path = strings.NewReplacer("{type}", "Observation", "{call}", "head").Replace(path)
			for method := range methods {
				r, err := http.NewRequest(strings.ToUpper(method), root+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusMethodNotAllowed {
					t.Errorf("%s %s answers %d", method, path, resp.StatusCode)
				}
			}
		}
	})

	t.Run("has commands that do what it says", func(t *testing.T) {
		if _, err := exec.LookPath("curl"); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			t.Skip("there is no curl")
		}
		who := exchange.Asker{Practitioner: "okafor", Name: "Dr. Ada Okafor", Role: "physician", Purpose: "TREAT"}
		out := filepath.Join(t.TempDir(), "answer")
		env := []string{"BASE=" + root + "/fhir", "HOOK=" + hook.URL}
		run := 0
		for _, path := range inOrder(pages[manual.Root]) {
			for _, m := range example.FindAllStringSubmatch(pages[path], -1) {
				status, kind, command := m[1], m[2], html.UnescapeString(m[3])
				token, err := gateway.IssueToken(n.Ring.Tokens(), n.Member.Name(), root+"/fhir", who, time.Minute, time.Now())
				if err != nil {
					t.Fatal(err)
				}
				os.Remove(out)
				c := exec.Command("bash", "-c", `curl() { command curl -s -o "$OUT" -D "$OUT.head" -w '%{http_code}' "$@"; }`+"\n"+command)
				c.Env = append(slices.Clone(env), "PATH="+os.Getenv("PATH"), "TOKEN="+token, "OUT="+out)
				got, err := c.Output()
				body, _ := os.ReadFile(out)
				if err != nil || string(got) != status {
					t.Errorf("%s: answers %s, %v; the page says %s\n%s\n%.500s", path, got, err, status, command, body)
					continue
				}
				run++
				if kind == "" {
					continue
				}
				var answer struct {
					ResourceType, ID string
					Entry            []struct{ Response struct{ Location string } }
				}
				if err := json.Unmarshal(body, &answer); err != nil || answer.ResourceType != kind {
					t.Errorf("%s: answers with %q, %v; the page says %s\n%s", path, answer.ResourceType, err, kind, command)
				}
				if answer.ID != "" {
					env = append(env, strings.ToUpper(kind)+"="+answer.ID)
				}
				if len(answer.Entry) > 0 && strings.HasPrefix(answer.Entry[0].Response.Location, "Patient/") {
					env = append(env, "PATIENT="+strings.Split(answer.Entry[0].Response.Location, "/")[1])
				}
			}
		}
		if run < 15 {
			t.Errorf("only %d commands did", run)
		}
	})
}

// inOrder are the pages in the order of the list beside them.
func inOrder(page string) (out []string) {
	_, list, _ := strings.Cut(page, "<nav")
	list, _, _ = strings.Cut(list, "</nav>")
	for _, m := range href.FindAllStringSubmatch(list, -1) {
		out = append(out, m[1])
	}
	return out
}

func TestAStatementThatCantBeReadIsAnError(t *testing.T) {
	for _, s := range []string{"", "{}", `{"rest":[]}`} {
		if _, err := manual.New(manual.Config{Statement: []byte(s)}); err == nil {
			t.Errorf("%q: %v", s, fmt.Sprint(err))
		}
	}
}
