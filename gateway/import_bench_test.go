package gateway_test

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vitalog/internal/testnet"
)

// BenchmarkImport brings the smallest bundles of both generations in through one of four validators, four at a time as 'vitalog import'
// does, and tells how many resources were taken in a second.
func BenchmarkImport(b *testing.B) {
	bundles := append(samples(b, "synthea-2021-uscore", 5), samples(b, "synthea-2019", 5)...)
	for b.Loop() {
		b.StopTimer()
		net := testnet.Start(b, 4, 0)
		d := desk{b, net.Nodes[0], okafor}
		for _, raw := range lists(b) {
			d.do("POST", "", string(raw)).want(b, http.StatusOK)
		}
		b.StartTimer()
		began := time.Now()
		next := make(chan []byte)
		var taken atomic.Int64
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for raw := range next {
					a := d.do("POST", "", string(raw)).want(b, http.StatusOK)
					taken.Add(int64(len(readBundle(b, bytes.NewReader(a.body)).Entry)))
				}
			})
		}
		for _, raw := range bundles {
			next <- raw
		}
		close(next)
		wg.Wait()
		b.ReportMetric(float64(taken.Load())/time.Since(began).Seconds(), "resources/s")
		b.StopTimer()
		for i := range net.Nodes {
			net.Stop(b, i)
		}
		b.StartTimer()
	}
}

// lists are the hospitals and practitioners that the bundles refer to, in their order.
func lists(t testing.TB) (out [][]byte) {
	files, err := filepath.Glob("../../shared/data/fhir/synthea-2021-uscore/0-*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, raw)
	}
	return out
}
