package gateway_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"vitalog/exchange"
	"vitalog/gateway"
	"vitalog/internal/testnet"
	"vitalog/node"
)

// errorCounter counts what a member logs as an error.
type errorCounter struct {
	slog.Handler
	errors *atomic.Int32
}

func (c errorCounter) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelError }

func (c errorCounter) Handle(context.Context, slog.Record) error { c.errors.Add(1); return nil }

func (c errorCounter) WithAttrs([]slog.Attr) slog.Handler { return c }

func TestBinariesAtTheEdgesKeepWhatIsPromised(t *testing.T) {
	net := testnet.Start(t, 2, 0)
	var broken atomic.Int32
	net.Stop(t, 0)
	net.Restart(t, 0, node.Options{Log: slog.New(errorCounter{slog.DiscardHandler, &broken})})
	net.WaitReady(t)
	okafor := desk{t, net.Nodes[0], okafor}
	abroad := desk{t, net.Nodes[1], exchange.Asker{Practitioner: "p-2", Name: "L. Petit", Role: "physician", Purpose: "TREAT"}}
	chart, _ := okafor.enrol(7)
	of := []string{"X-Security-Context", "Patient/" + chart, "Content-Type", "image/png"}
	where := func(a answer) string {
		t.Helper()
		_, path, _ := strings.Cut(a.want(t, http.StatusCreated).header.Get("Location"), "/fhir")
		path, _, _ = strings.Cut(path, "/_history/")
		return path
	}

	t.Run("have no bytes", func(t *testing.T) {
		path := where(okafor.do("POST", "/Binary", `{"resourceType":"Binary","contentType":"text/plain","securityContext":{"reference":"Patient/`+chart+`"}}`))
		if a := okafor.do("GET", path, "").want(t, http.StatusOK); len(a.body) > 0 || a.header.Get("Content-Length") != "0" {
			t.Errorf("got %q, %v", a.body, a.header)
		}
		okafor.do("HEAD", path, "").want(t, http.StatusOK)
		okafor.do("GET", path, "", "Range", "bytes=0-").want(t, http.StatusRequestedRangeNotSatisfiable)
		if n := broken.Load(); n > 0 {
			t.Errorf("the log has %d errors", n)
		}
	})
	t.Run("are not told apart from those that are not there", func(t *testing.T) {
		path := where(okafor.do("POST", "/Binary", "png", of...))
		ids := regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}`)
		there, nowhere := abroad.do("GET", path, "").want(t, http.StatusNotFound), abroad.do("GET", "/Binary/nothing-of-that-id", "").want(t, http.StatusNotFound)
		if a, b := ids.ReplaceAll(there.body, nil), ids.ReplaceAll(nowhere.body, nil); !bytes.Equal(a, b) {
			t.Errorf("got %s\nand %s", a, b)
		}
		names := func(h http.Header) (out []string) {
			for name := range h {
				out = append(out, name)
			}
			slices.Sort(out)
			return out
		}
		if a, b := names(there.header), names(nowhere.header); !slices.Equal(a, b) {
			t.Errorf("got %v\nand %v", a, b)
		}
	})
	t.Run("are not written once with a key", func(t *testing.T) {
		before := entries(t, net.Nodes[0])
		okafor.do("POST", "/Binary", "png", append(of, "Idempotency-Key", requestKey)...).want(t, http.StatusBadRequest)
		if after := entries(t, net.Nodes[0]); after != before {
			t.Errorf("the ledger had %d entries, now %d", before, after)
		}
	})
	t.Run("are cut off by their sender", func(t *testing.T) {
		n := net.Nodes[0]
		files := func() (all []string) {
			if err := filepath.WalkDir(filepath.Join(net.MemberDir(0), "data"), func(path string, e fs.DirEntry, err error) error {
				if err == nil && !e.IsDir() && filepath.Base(filepath.Dir(path)) == "tmp" {
					all = append(all, path)
				}
				return nil // a file that went meanwhile
			}); err != nil {
				t.Fatal(err)
			}
			return all
		}
		before, stood := entries(t, n), files()
		url := n.Config.URL() + "/fhir"
		token, err := gateway.IssueToken(n.Ring.Tokens(), n.Member.Name(), url, okafor.who, time.Minute, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		for _, length := range []int64{10 << 20, -1} {
			ctx, hangUp := context.WithCancel(t.Context())
			body, sender := io.Pipe()
			r, err := http.NewRequestWithContext(ctx, "POST", url+"/Binary", body)
			if err != nil {
				t.Fatal(err)
			}
			r.ContentLength = length
			r.Header.Set("Authorization", "Bearer "+token)
			for i := 0; i < len(of); i += 2 {
				r.Header.Set(of[i], of[i+1])
			}
			ended := make(chan error, 1)
			go func() {
				resp, err := http.DefaultClient.Do(r)
				if err == nil {
					err = fmt.Errorf("it was answered with %d", resp.StatusCode)
					resp.Body.Close()
				} else {
					err = nil
				}
				ended <- err
			}()
			if _, err := sender.Write(make([]byte, 6<<20)); err != nil {
				t.Fatal(err)
			}
			if len(files()) == len(stood) {
				t.Error("nothing of it came to the disk: the test tests nothing")
			}
			hangUp()
			sender.Close()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			look, limit := time.NewTicker(5*time.Millisecond), time.NewTimer(30*time.Second)
			for len(files()) != len(stood) {
				select {
				case <-look.C:
				case <-limit.C:
					t.Fatalf("left behind: %v", files())
				}
			}
			look.Stop()
			limit.Stop()
		}
		if after := entries(t, n); after != before {
			t.Errorf("the ledger had %d entries, now %d", before, after)
		}
	})
}
