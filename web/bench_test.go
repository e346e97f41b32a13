package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"net/http/httptest"

	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/internal/testnet"
	"vitalog/section"
)

// What the app takes in a browser, all of it on this machine: until a record of so many entries shows, after the keys were opened, on a device
// that has nothing of it and on one that keeps it; and until a search shows what it found. See docs/performance.md.
//
//	go test ./web -run '^$' -bench InABrowser -benchtime 1x -timeout 30m
func BenchmarkInABrowser(b *testing.B) {
	chromium := testnet.Chromium(b, ".")
	for _, records := range []int{500, 5000} {
		b.Run(fmt.Sprint(records, " records"), func(b *testing.B) {
			for b.Loop() {
				m := measure(b, chromium, records)
				for what, value := range m {
					b.ReportMetric(value, what)
				}
				b.ReportMetric(0, "ns/op")
			}
		})
	}
}

// measure lets a browser open records of two resources each.
func measure(t testing.TB, chromium string, records int) map[string]float64 {
	t.Helper()
	h := hospital{testnet.Start(t, 4, 0)}
	desk := httptest.NewServer(h)
	t.Cleanup(desk.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, "node", "test/bench.mjs", fmt.Sprint(records))
	c.Env = append(os.Environ(), "VITALOG_CHROMIUM="+chromium, "VITALOG_HOME="+h.Nodes[1].Config.URL(), "VITALOG_HOSPITAL="+desk.URL)
	c.Stderr = os.Stderr
	said, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]float64
	if err := json.Unmarshal(said, &got); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	return got
}

// fill publishes so many records of two resources each.
func (h hospital) fill(ctx context.Context, chart string, records int) error {
	const atOnce = 250
	var all []exchange.Draft
	for n := range records {
		for _, one := range []struct{ name, unit string }{{"Heart rate", "/min"}, {"Body weight", "kg"}} {
			at := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC).Add(-time.Duration(n) * 7 * time.Hour)
			r, err := fhir.Parse(fmt.Appendf(nil, `{"resourceType":"Observation","status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs"}]}],"code":{"text":%q},"effectiveDateTime":%q,"valueQuantity":{"value":%d,"unit":%q},"note":[{"text":"taken at visit %d, sitting, after five minutes of rest"}]}`,
				one.name, at.Format(time.RFC3339), 60+n%30, one.unit, n))
			if err != nil {
				return err
			}
			all = append(all, exchange.Draft{Resource: r, ID: fmt.Sprintf("%.1s-%d", one.name, n), Section: section.Vitals, Group: fmt.Sprint(n)})
		}
		if len(all) == 2*atOnce || n == records-1 {
			if _, err := h.Nodes[0].Member.Publish(ctx, okafor, chart, all); err != nil {
				return err
			}
			all = all[:0]
		}
	}
	return nil
}
