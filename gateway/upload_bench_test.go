package gateway_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"vitalog/gateway"
	"vitalog/internal/testnet"
	"vitalog/node"
	"vitalog/scope"
)

// BenchmarkUpload sends 1 GiB through a member's door in requests of 64 MiB, reads it from the fresh store and from a bucket, whole and in ranges of 1 MiB, each of them an
// access of its own, and tells how much the heap grew at most. The client runs in the same process.
func BenchmarkUpload(b *testing.B) {
	const size, part, span = 1 << 30, 64 << 20, 1 << 20
	for b.Loop() {
		dir := b.TempDir()
		net := testnet.StartInBuckets(b, 1, func(i int) string { return fmt.Sprint("file://", dir, "/", i) }, node.Options{})
		d := desk{b, net.Nodes[0], okafor}
		c := tus{d, gateway.Access{Asker: okafor, Scopes: scope.All()}}
		chart, _ := d.enrol(7)
		measure := func(name string, bytes float64, f func()) {
			grown := highest()
			began := time.Now()
			f()
			b.ReportMetric(bytes/1e6/time.Since(began).Seconds(), name+"-MB/s")
			b.ReportMetric(float64(grown())/(1<<20), name+"-heap-MiB")
		}
		var done answer
		measure("in", size, func() {
			at := c.begin(chart, size)
			src := rand.NewChaCha8([32]byte{1})
			for n := 0; n < size; n += part {
				a, err := c.patch(at, n, io.LimitReader(src, part))
				if err != nil {
					b.Fatal(err)
				}
				done = a.want(b, http.StatusNoContent)
			}
		})
		read := func(headers ...string) int64 {
			r, err := http.NewRequest("GET", done.header.Get("Content-Location"), nil)
			if err != nil {
				b.Fatal(err)
			}
			token, err := gateway.IssueAccess(c.node.Ring.Tokens(), c.node.Member.Name(), c.node.Config.URL()+"/fhir", c.access, time.Minute, time.Now())
			if err != nil {
				b.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+token)
			for i := 0; i < len(headers); i += 2 {
				r.Header.Set(headers[i], headers[i+1])
			}
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				b.Fatal(err)
			}
			defer resp.Body.Close()
			n, err := io.Copy(io.Discard, resp.Body)
			if err != nil {
				b.Fatal(err)
			}
			return n
		}
		whole := func() {
			if n := read(); n != size {
				b.Fatalf("%d bytes", n)
			}
		}
		ranges := func() {
			for i := range 100 {
				at := (i*37%100)*(size/100) + 12_345
				if n := read("Range", fmt.Sprintf("bytes=%d-%d", at, at+span-1)); n != span {
					b.Fatalf("%d bytes", n)
				}
			}
		}
		measure("hot", size, whole)
		measure("hot-ranges", 100*span, ranges)
		measure("pack", size, func() {
			if _, err := net.Nodes[0].Store.Flush(context.Background()); err != nil {
				b.Fatal(err)
			}
		})
		measure("cold", size, whole)
		measure("cold-ranges", 100*span, ranges)
	}
}

// highest watches the heap until it is asked how much it has grown at most.
func highest() (grown func() uint64) {
	var s runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&s)
	base := s.HeapInuse
	var most atomic.Uint64
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				var s runtime.MemStats
				runtime.ReadMemStats(&s)
				most.Store(max(most.Load(), s.HeapInuse))
			case <-stop:
				return
			}
		}
	}()
	return func() uint64 {
		close(stop)
		<-done
		return max(most.Load(), base) - base
	}
}
