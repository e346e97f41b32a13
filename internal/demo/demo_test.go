package demo_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"vitalog/cloud/drivers"
	"vitalog/exchange"
	"vitalog/internal/demo"
	"vitalog/internal/s3"
	"vitalog/key"
	"vitalog/op"
	"vitalog/pack"
	"vitalog/section"
	"vitalog/synthetic"
)

// The whole story, as anybody runs it, and then what everybody can see of it: the blocks.
func TestTheTourHoldsAndItsBlocksTellNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("six members and twelve patients")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()
	o := demo.Options{Log: slog.New(slog.DiscardHandler), Say: func(string) {}}
	d, err := demo.Start(ctx, t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	w, err := demo.Open(d.Dir)
	if err != nil {
		t.Fatal(err)
	}
	steps := 0
	if err := demo.Tour(ctx, w, func(s demo.Step) { steps++ }); err != nil {
		t.Fatal(err)
	}
	if steps != 8 {
		t.Errorf("the tour has %d steps, want 8", steps)
	}
	t.Run("the wearable writes by itself", func(t *testing.T) {
		for range 2 {
			if p, err := d.Wearable.Write(ctx, time.Now()); err != nil || len(p) != 1 || len(p[0].Readings) != 2 || 3*p[0].Signed <= 2*p[0].Of {
				t.Errorf("got %+v, %v", p, err)
			}
		}
		app, err := w.App("maria")
		if err != nil {
			t.Fatal(err)
		}
		devices, err := app.Devices(ctx)
		if err != nil || len(devices) != 1 || devices[0].Device != demo.WearableDevice || time.Since(devices[0].Last) > time.Minute {
			t.Errorf("Maria sees %+v, %v", devices, err)
		}
	})
	p, err := d.Serve(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("the page tells the story", func(t *testing.T) { pageTellsTheStory(t, ctx, d, p) })
	t.Run("the page in a browser", func(t *testing.T) { pageInABrowser(t, p) })
	t.Run("no block tells who, what or why", func(t *testing.T) { blocksTellNothing(t, d) })
	t.Run("a second run begins where the first ended", func(t *testing.T) {
		if err := demo.Tour(ctx, w, func(demo.Step) {}); err != nil {
			t.Error(err)
		}
		r := reader{t, ctx, p.URL}
		for range 2 { // by now the ledger only counts Dr. Okafor's refusals of this hour
			r.press("reset", "begun")
			r.press("ask", "waiting")
		}
	})
	t.Run("the same in S3", func(t *testing.T) {
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		s3.Installed(t)
		drivers.Register()
		o.S3 = true
		if d, err = demo.Start(ctx, d.Dir, o); err != nil {
			t.Fatal(err)
		}
		inS3(t, ctx, d)
		t.Run("no bucket tells anything", func(t *testing.T) { bucketsTellNothing(t, ctx, d) })
	})
}

// inS3 tells the story once more, now that the members have buckets, and tampers with an object in one.
func inS3(t *testing.T, ctx context.Context, d *demo.Demo) {
	w, err := demo.Open(d.Dir)
	if err != nil {
		t.Fatal(err)
	}
	var shows []map[string]any
	if err := demo.Tour(ctx, w, func(s demo.Step) { shows = append(shows, s.Shows) }); err != nil {
		t.Fatal(err)
	}
	if n := shows[6]["objects"].(int); n < 4 {
		t.Errorf("%d objects are in the buckets, want one of each validator", n)
	}
	p, err := d.Serve(ctx)
	if err != nil {
		t.Fatal(err)
	}
	r := reader{t, ctx, p.URL}
	r.press("reset", "begun")
	var before, after struct {
		S3         bool
		Name, Hers string
		Head       string
		Of, At     int
	}
	r.into(&before, http.MethodGet, "/object?n=0", "")
	var found struct {
		Objects, Found int
		Where          []string
	}
	r.into(&found, http.MethodPost, "/search", before.Head[:64])
	copied := demo.Pharmacy + "/data/blobs/waiting/" + path.Base(before.Name) // while others lack something of the pack
	inBucket := slices.DeleteFunc(slices.Clone(found.Where), func(at string) bool { return at == copied })
	if !before.S3 || before.At < pack.Head || before.Hers == "" || found.Found != len(found.Where) ||
		!slices.Equal(inBucket, []string{"s3://" + demo.Pharmacy + "/" + before.Name}) {
		t.Errorf("the page shows %+v, and finds it in %v", before, found)
	}
	if r.into(&found, http.MethodPost, "/search", "Lisinopril"); found.Found != 0 || found.Objects < 4 {
		t.Errorf("Lisinopril is in %d of the files and %d objects", found.Found, found.Objects)
	}
	s := r.press("tamper", "begun")
	r.into(&after, http.MethodGet, "/object?n=0", "")
	if s.Cloud.State != "healed" || s.Cloud.At < before.At || !strings.HasSuffix(before.Name, s.Cloud.Object) || after.Name == before.Name || after.Hers == "" {
		t.Errorf("tampered with %+v: %+v, then %+v", before, s.Cloud, after)
	}
	for n := range after.Of {
		if r.into(&after, http.MethodGet, fmt.Sprint("/object?n=", n), ""); after.Name == before.Name {
			t.Error("the altered object is still in the bucket")
		}
	}
}

func TestADemoInS3NeedsAServerAndSaysSoBeforeItBegins(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	dir := filepath.Join(t.TempDir(), "demo")
	if _, err := demo.Start(t.Context(), dir, demo.Options{S3: true}); !errors.Is(err, demo.ErrNoS3) {
		t.Errorf("got %v, want %v", err, demo.ErrNoS3)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it left something: %v", err)
	}
}

// blocksTellNothing decodes every transaction of every block and looks for an organisation, a purpose, a name or a code beside a log.
func blocksTellNothing(t *testing.T, d *demo.Demo) {
	chain := d.Node(demo.StElena).Chain
	g := d.Node(demo.StElena).Genesis
	var marks [][]byte
	public := map[key.Log]bool{} // the members' anchors and storage receipts, about no patient
	for i := range g.Members {
		m := &g.Members[i]
		public[op.AnchorLog(g.Network(), m.Sign)], public[op.StoredLog(g.Network(), m.Sign)] = true, true
		marks = append(marks, []byte(m.Name), m.Exchange, m.Sign[:], m.TLS[:], m.Consensus[:], m.Node[:])
	}
	for _, p := range exchange.Purposes {
		if len(p) > 5 { // shorter ones stand in random bytes by chance
			marks = append(marks, []byte(p))
		}
	}
	for _, s := range section.All() {
		if name := s.String(); len(name) > 5 {
			marks = append(marks, []byte(name))
		}
	}
	for _, p := range synthetic.Patients(demo.Seed, demo.Patients, demo.Day) {
		for _, s := range p.Secrets() {
			marks = append(marks, []byte(s))
		}
	}
	for _, p := range d.State.Patients {
		marks = append(marks, []byte(p.Chart), []byte(p.MRN))
	}
	inLogs, ceremony := 0, 0
	together := map[key.Log]bool{}
	for h := uint64(1); h <= chain.Ledger().Height(); h++ {
		txs, ok := chain.Block(h)
		if !ok {
			t.Fatalf("block %d is missing", h)
		}
		for _, tx := range txs {
			if _, ok := op.DecodeClock(tx); ok {
				continue
			}
			ops, err := op.DecodeTx(g.Network(), tx)
			if err != nil {
				t.Fatalf("block %d: %v", h, err)
			}
			for _, o := range ops {
				if o.Log == (key.Log{}) {
					ceremony++
					continue
				}
				if public[o.Log] {
					continue
				}
				inLogs++
				together[o.Log] = true
				raw := o.Encode(g.Network())
				for _, m := range marks {
					if bytes.Contains(raw, m) {
						t.Errorf("block %d: a %v operation holds %.12x… in the open", h, o.Body.Kind(), m)
					}
				}
				if slices.ContainsFunc(g.Members, func(m op.Member) bool { return o.Signer == m.Sign || o.Signer == m.Consensus }) {
					t.Errorf("block %d: a member signed a %v operation in a log with a public key", h, o.Body.Kind())
				}
			}
		}
	}
	if inLogs < 500 || ceremony == 0 || len(together) < demo.Patients*len(section.All()) {
		t.Errorf("decoded %d operations in %d logs and %d of the ceremony: that is not the whole tour", inLogs, len(together), ceremony)
	}
	// The ledger's own state, beside the logs.
	for n := range chain.Ledger().Logs() {
		head, err := chain.Ledger().HeadByNumber(n)
		if err != nil {
			t.Fatal(err)
		}
		if public[head.Log] {
			continue
		}
		for _, m := range marks {
			if bytes.Contains(head.Encode(), m) {
				t.Errorf("head %d holds %.12x… in the open", n, m)
			}
		}
	}
}
