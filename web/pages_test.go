package web_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"vitalog/exchange"
	"vitalog/gateway"
	"vitalog/internal/testnet"
)

// hospitals are members 0 and 1 as the pages' walk has them act, by FHIR alone. Member 2 hands out the app.
type hospitals struct {
	*testnet.Net
	about map[string]string // what came of earlier deeds: addresses of resources
}

// What a patient does at an entry reaches the hospitals' FHIR endpoints, and what they answer reaches the patient.
func TestAPatientCorrectsHidesAndOpensFilesInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("a browser and a network")
	}
	chromium := cmp.Or(os.Getenv("VITALOG_CHROMIUM"), "chromium")
	if _, err := exec.LookPath(chromium); err != nil {
		t.Skip("there is no chromium: apt-get install chromium")
	}
	if _, err := os.Stat(filepath.FromSlash("node_modules/playwright-core")); err != nil {
		t.Skip("playwright-core is not installed: npm --prefix web ci")
	}
	for _, name := range []string{"pages.mjs", "look.mjs", "browser.mjs"} { // so that a change of them is a change of this test
		if _, err := os.ReadFile(filepath.Join("test", name)); err != nil {
			t.Fatal(err)
		}
	}
	path, err := exec.LookPath(chromium)
	if err != nil {
		t.Fatal(err)
	}
	h := hospitals{testnet.Start(t, 3, 0), map[string]string{}}
	desk := httptest.NewServer(h)
	t.Cleanup(desk.Close)
	var got struct {
		Found, Answer, Drawn, Saved, Failed string
		Before, Hidden, Again, Complaints   []string
		Imported                            []string
		Notices                             bool
		EmergencySentence, Needs, Row       string
		Waits                               int
		Sentence, Whose, ReadsRow           string
		Writes, Shown                       int
	}
	testnet.Walk(t, ".", path, h.Nodes[2].Config.URL(), desk.URL, &got, "pages.mjs")
	if got.Failed != "" {
		t.Fatalf("%s\n%s", got.Failed, strings.Join(got.Complaints, "\n"))
	}
	if len(got.Complaints) > 0 {
		t.Errorf("the browser and axe complain:\n%s", strings.Join(got.Complaints, "\n"))
	}
	if got.Found != "It was 62, not 162." || got.Answer != "A typing error. Thank you." {
		t.Errorf("the hospital found %q, the patient read %q", got.Found, got.Answer)
	}
	all, one := []string{"1", "1"}, []string{"1", "0"}
	if !slices.Equal(got.Before, all) || !slices.Equal(got.Hidden, one) || !slices.Equal(got.Again, all) {
		t.Errorf("the two hospitals found %v before, %v while it was hidden from the second, %v afterwards", got.Before, got.Hidden, got.Again)
	}
	if len(got.Imported) != 2 || !strings.Contains(got.Imported[0], "11 readings were written.") ||
		!strings.Contains(got.Imported[1], "0 readings were written.") || !strings.Contains(got.Imported[1], "11 were in your record already.") {
		t.Errorf("of an export with 11 readings the app said %q", got.Imported)
	}
	if !got.Notices {
		t.Error("notices that were asked for are not on")
	}
	for said, wants := range map[string][]string{
		got.EmergencySentence: {"Member 0", "emergency treatment"},
		got.Needs:             {"opened in an emergency", "Dr. Ada Okafor", "Member 0"},
		got.Row:               {"Dr. Ada Okafor", "Emergency", "unconscious after a fall", "Was this right?", "recognise this"},
	} {
		for _, want := range wants {
			if !strings.Contains(said, want) {
				t.Errorf("of an emergency the app says %q, without %q", said, want)
			}
		}
	}
	if got.Waits != 0 {
		t.Error("an emergency that was confirmed still needs the patient")
	}
	if want := ", for a request of your family, until "; !strings.HasPrefix(got.Sentence, "Ana Ruiz may read ") || !strings.Contains(got.Sentence, want) {
		t.Errorf("before it is signed the patient read %q", got.Sentence)
	}
	if got.Whose != "You see the record of Maria Ortiz. You can only read." || got.Writes != 0 || got.Shown != 0 {
		t.Errorf("somebody who reads for another is told %q, finds %d ways to write, and after the stop %d records", got.Whose, got.Writes, got.Shown)
	}
	for _, want := range []string{"Ana Ruiz", "Reads for you", "She asked me to.", "a request of your family"} {
		if !strings.Contains(got.ReadsRow, want) {
			t.Errorf("the row of somebody who read for the patient is without %q: %q", want, got.ReadsRow)
		}
	}
	if got.Drawn != "40,30,200,16,46,255" || got.Saved != "vitalog-attachment.txt" {
		t.Errorf("drawn %q, saved as %q", got.Drawn, got.Saved)
	}
}

// ServeHTTP does one deed in the chart that the body names, and says what came of it.
func (h hospitals) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	chart, err := io.ReadAll(r.Body)
	if err == nil {
		err = h.Settle(r.Context())
	}
	said := ""
	if err == nil {
		said, err = h.do(r.Context(), r.URL.Path, string(chart))
	}
	if err == nil {
		err = h.Settle(r.Context())
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = io.WriteString(w, said)
}

func (h hospitals) do(ctx context.Context, deed, chart string) (string, error) {
	switch deed {
	case "/load":
		return "", h.load(ctx, chart)
	case "/read0", "/read1":
		found, err := h.find(ctx, int(deed[5]-'0'), "Observation", "patient="+chart+"&code=8867-4")
		return fmt.Sprint(len(found)), err
	case "/emergency":
		who := okafor
		who.Purpose, who.Reason = "ETREAT", "unconscious after a fall"
		_, err := h.callAs(ctx, who, 0, http.MethodGet, "/Observation?patient="+chart+"&code=8867-4", "", nil)
		return "", err
	case "/asked":
		found, err := h.find(ctx, 0, "Task", "patient="+chart+"&code=medRecCxReq&status=requested")
		if err != nil || len(found) != 1 {
			return "", fmt.Errorf("%d requests: %w", len(found), err)
		}
		h.about["request"] = "Task/" + found[0].ID
		return found[0].Description, nil
	case "/answer":
		_, err := h.call(ctx, 0, http.MethodPost, "/Task", "application/fhir+json", fmt.Appendf(nil,
			`{"resourceType":"Task","status":"completed","intent":"order","basedOn":[{"reference":%q}],"for":{"reference":"Patient/%s"},"statusReason":{"text":"A typing error. Thank you."}}`,
			h.about["request"], chart))
		return "", err
	}
	return "", fmt.Errorf("no deed %q", deed)
}

// load writes a pulse, a picture, and a letter that has a text and the picture.
func (h hospitals) load(ctx context.Context, chart string) error {
	subject := `"subject":{"reference":"Patient/` + chart + `"}`
	pulse := `{"resourceType":"Observation","status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs"}]}],` +
		`"code":{"coding":[{"system":"http://loinc.org","code":"8867-4"}],"text":"Pulse"},` + subject + `,"effectiveDateTime":"2026-11-20T08:00:00Z",` +
		`"valueQuantity":{"value":162,"unit":"/min","system":"http://unitsofmeasure.org","code":"/min"}}`
	if _, err := h.call(ctx, 0, http.MethodPost, "/Observation", "application/fhir+json", []byte(pulse)); err != nil {
		return err
	}
	drawn := image.NewRGBA(image.Rect(0, 0, 40, 30))
	for i := range 40 * 30 {
		drawn.Set(i%40, i/40, color.RGBA{200, 16, 46, 255})
	}
	var picture bytes.Buffer
	if err := png.Encode(&picture, drawn); err != nil {
		return err
	}
	at, err := h.call(ctx, 0, http.MethodPost, "/Binary", "image/png", picture.Bytes(), "X-Security-Context", "Patient/"+chart)
	if err != nil {
		return err
	}
	binary, _, _ := strings.Cut(at, "/_history/")
	letter := fmt.Sprintf(`{"resourceType":"DocumentReference","status":"current","type":{"text":"Discharge letter"},%s,"date":"2026-11-21T08:00:00Z","content":[`+
		`{"attachment":{"contentType":"text/plain","title":"Letter","data":%q}},{"attachment":{"contentType":"image/png","title":"Scan","url":%q}}]}`,
		subject, base64.StdEncoding.EncodeToString([]byte("Come back in two weeks.")), binary[strings.LastIndex(binary, "Binary/"):])
	_, err = h.call(ctx, 0, http.MethodPost, "/DocumentReference", "application/fhir+json", []byte(letter))
	return err
}

type foundResource struct{ ID, Description string }

func (h hospitals) find(ctx context.Context, member int, kind, query string) ([]foundResource, error) {
	said, err := h.call(ctx, member, http.MethodGet, "/"+kind+"?"+query, "", nil)
	if err != nil {
		return nil, err
	}
	var b struct {
		Entry []struct {
			Resource struct{ ResourceType, ID, Description string }
		}
	}
	if err := json.Unmarshal([]byte(said), &b); err != nil {
		return nil, err
	}
	var out []foundResource
	for _, e := range b.Entry {
		if e.Resource.ResourceType == kind {
			out = append(out, foundResource{e.Resource.ID, e.Resource.Description})
		}
	}
	return out, nil
}

// call is the location of what was written, or what was read.
func (h hospitals) call(ctx context.Context, member int, method, path, as string, body []byte, headers ...string) (string, error) {
	return h.callAs(ctx, okafor, member, method, path, as, body, headers...)
}

func (h hospitals) callAs(ctx context.Context, who exchange.Asker, member int, method, path, as string, body []byte, headers ...string) (string, error) {
	n := h.Nodes[member]
	base := n.Config.URL() + "/fhir"
	token, err := gateway.IssueToken(n.Ring.Tokens(), n.Config.Name, base, who, gateway.MaxTokenLife, time.Now())
	if err != nil {
		return "", err
	}
	r, err := http.NewRequestWithContext(ctx, method, base+path, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if as != "" {
		r.Header.Set("Content-Type", as)
	}
	for pair := range slices.Chunk(headers, 2) {
		r.Header.Set(pair[0], pair[1])
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer a.Body.Close()
	said, err := io.ReadAll(a.Body)
	if err != nil {
		return "", err
	}
	if a.StatusCode >= 300 {
		return "", fmt.Errorf("%s %s: %d: %.500s", method, path, a.StatusCode, said)
	}
	if at := a.Header.Get("Location"); at != "" {
		return at, nil
	}
	return string(said), nil
}
