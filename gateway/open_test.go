package gateway_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"vitalog/consent"
	"vitalog/exchange"
	"vitalog/gateway"
	"vitalog/internal/testnet"
	"vitalog/section"
)

// vitalSign is an observation as it is posted.
func vitalSign(chart string, value float64, day int) string {
	return fmt.Sprintf(`{"resourceType":"Observation","status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs"}]}],`+
		`"code":{"coding":[{"system":"http://loinc.org","code":"8867-4"}],"text":"Heart rate"},"subject":{"reference":"Patient/%s"},"effectiveDateTime":"%s","valueQuantity":{"value":%.1f,"unit":"/min"}}`,
		chart, time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, day).Format(time.DateOnly), value)
}

// measure posts so many vital signs.
func (d desk) measure(chart string, n int) {
	d.t.Helper()
	for from := 0; from < n; from += 500 {
		var entries []string
		for i := from; i < min(from+500, n); i++ {
			entries = append(entries, `{"resource":`+vitalSign(chart, float64(50+i%60), i)+`,"request":{"method":"POST","url":"Observation"}}`)
		}
		d.do("POST", "", transaction(entries...)).want(d.t, http.StatusOK)
	}
}

// share lets a member do something with sections, for treatment.
func share(t testing.TB, author *exchange.Member, chart string, member int, rights consent.Rights, sections ...section.Section) {
	t.Helper()
	patient, err := author.Custody(chart)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := patient.Grant(context.Background(), exchange.Share{Member: member, Purpose: "TREAT", Rights: rights, Sections: sections, Label: "test"}); err != nil {
		t.Fatal(err)
	}
}

// settle waits until the ledger has what was read, and every member what the ledger has.
func settle(t testing.TB, net *testnet.Net) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := net.Settle(ctx); err != nil {
		t.Fatal(err)
	}
}

// rows are the patient's, "section: name, outcome", sorted.
func rows(t testing.TB, net *testnet.Net, chart string) (out []string) {
	t.Helper()
	settle(t, net)
	patient, err := net.Nodes[0].Member.Custody(chart)
	if err != nil {
		t.Fatal(err)
	}
	log, err := patient.Activity(context.Background())
	if err != nil || !log.Proven {
		t.Fatal(log, err)
	}
	for _, r := range log.Rows {
		out = append(out, fmt.Sprintf("%v: %s, %v", r.Section, r.Detail.Name, r.Why))
	}
	slices.Sort(out)
	return out
}

func TestEachLookAtAnOpenChartIsARowAndShowsWhatCameSince(t *testing.T) {
	net := testnet.Start(t, 2, 0)
	author := desk{t, net.Nodes[0], okafor}
	petit := desk{t, net.Nodes[1], exchange.Asker{Practitioner: "p-2", Name: "L. Petit", Role: "physician", Purpose: "TREAT"}}
	adams := desk{t, net.Nodes[1], exchange.Asker{Practitioner: "p-3", Name: "J. Adams", Role: "nurse", Purpose: "TREAT"}}
	chart, _ := author.enrol(3)
	share(t, author.node.Member, chart, 1, consent.Read, section.Vitals)
	share(t, author.node.Member, chart, 1, consent.Write, section.Labs, section.MentalHealth)
	author.measure(chart, 3)
	settle(t, net)
	before := len(rows(t, net, chart))
	search := "/Observation?category=vital-signs&patient=" + chart
	total := func(d desk, query string) int {
		a := d.do("GET", query, "").want(t, http.StatusOK)
		if bytes.Contains(a.body, []byte("OperationOutcome")) {
			t.Errorf("%s: an answer to which nothing failed says that it is incomplete", query)
		}
		return readBundle(t, bytes.NewReader(a.body)).Total
	}
	first := total(petit, search)
	if again := total(adams, search); again != first || first < 3 {
		t.Errorf("found %d, then %d", first, again)
	}
	author.measure(chart, 1)
	settle(t, net)
	if now := total(petit, search); now != first+1 {
		t.Errorf("found %d after a new one, want %d", now, first+1)
	}
	if all := total(petit, "/Observation?patient="+chart); all != first+1 {
		t.Errorf("found %d in what is shared, want %d", all, first+1)
	}
	petit.do("GET", "/Observation?category=laboratory&patient="+chart, "").want(t, http.StatusForbidden)
	want := []string{"labs: L. Petit, right not granted", "vitals: J. Adams, allowed", "vitals: L. Petit, allowed", "vitals: L. Petit, allowed", "vitals: L. Petit, allowed"}
	if got := rows(t, net, chart); len(got) != before+len(want) {
		t.Errorf("%d rows came, want %d: %q", len(got)-before, len(want), got)
	} else {
		for _, r := range want {
			i := slices.Index(got, r)
			if i < 0 {
				t.Fatalf("no row %q in %q", r, got)
			}
			got = slices.Delete(got, i, i+1)
		}
	}
}

// openBench is a running network of four, a chart of so many vital signs, and what answers for the member that reads it.
func openBench(b *testing.B, n int) (do func(path string) *httptest.ResponseRecorder, chart string) {
	net := testnet.Start(b, 4, 0)
	author, node := desk{b, net.Nodes[0], okafor}, net.Nodes[1]
	chart, _ = author.enrol(1)
	share(b, author.node.Member, chart, 1, consent.Read, section.Clinical()...)
	author.measure(chart, n)
	settle(b, net)
	url := node.Config.URL() + "/fhir"
	h := gateway.New(gateway.Config{Member: node.Member, Directory: node.Directory, Base: url, Tokens: node.Ring.Tokens().Public(), Log: slog.New(slog.DiscardHandler)})
	token, err := gateway.IssueToken(node.Ring.Tokens(), node.Member.Name(), url, okafor, 5*time.Minute, time.Now())
	if err != nil {
		b.Fatal(err)
	}
	return func(path string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", "/fhir"+path, nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatalf("%d: %.500s", w.Code, w.Body)
		}
		return w
	}, chart
}

// A search that finds two of many, from the request to the last byte, its trace in the outbox.
func BenchmarkOpenChartSearch(b *testing.B) {
	for _, n := range []int{500, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			do, chart := openBench(b, n)
			search := "/Observation?category=vital-signs&code=8867-4&date=ge2020-02-01&date=lt2020-02-03&patient=" + chart
			if w := do(search); !strings.Contains(w.Body.String(), `"total":2`) {
				b.Fatalf("%.300s", w.Body)
			}
			measured(b, func() { do(search) })
		})
	}
}

// The whole chart, from the request to the last byte, its traces in the outbox.
func BenchmarkEverythingOpen(b *testing.B) {
	do, chart := openBench(b, 400)
	size := do("/Patient/" + chart + "/$everything").Body.Len()
	b.SetBytes(int64(size))
	measured(b, func() { do("/Patient/" + chart + "/$everything") })
}

func measured(b *testing.B, run func()) {
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		run()
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}
