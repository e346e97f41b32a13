package demo_test

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"vitalog/exchange"
	"vitalog/internal/demo"
	"vitalog/key"
	"vitalog/op"
	"vitalog/section"
	"vitalog/synthetic"
)

// The whole story, as anybody runs it, and then what everybody can see of it: the blocks.
func TestTheTourHoldsAndItsBlocksTellNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("six members and twelve patients")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	d, err := demo.Start(ctx, t.TempDir(), slog.New(slog.DiscardHandler), func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
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
