package exchange_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"vitalog/consent"
	"vitalog/exchange"
)

// begin begins to open the vitals.
func (r *reader) begin(t testing.TB, ctx context.Context, name string) *exchange.Halves {
	t.Helper()
	who := asker("TREAT")
	who.Name, who.Reason = "Dr. "+name, name
	h, err := r.Nodes[r.member].Member.BeginOpen(ctx, who, r.chart, vitals)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// stop ends all that the patient shares, and waits until every member knows.
func (r *reader) stop(t testing.TB, ctx context.Context) {
	t.Helper()
	if _, err := r.owner.Stop(ctx, func(exchange.Shared) bool { return true }); err != nil {
		t.Fatal(err)
	}
	r.settle(t, ctx)
}

func rawOf(opened *exchange.Opened) (raw []byte) {
	for res := range opened.Chart.All() {
		raw = res.Current().Item.Raw
	}
	return raw
}

func TestWhatThePatientStopsWhileAReadingIsUnderWayIsNotAnsweredFromMemory(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	r := newWorld().newReader(t, ctx, 1, 1)
	r.mustOpen(t, ctx, "Okafor")
	h := r.begin(t, ctx, "Petit") // all of it is in memory
	h.OpenLacking(ctx)
	h.Land()
	r.stop(t, ctx)
	var refused *exchange.Refused
	if opened, err := h.Finish(ctx); !errors.As(err, &refused) || refused.Why != consent.Revoked || refused.Block == 0 {
		t.Errorf("want it refused on the ledger, got %v, %v", opened, err)
	}
	sameRows(t, r.rows(t, ctx), "Okafor, allowed, further false", "Petit, revoked, further true")
}

func TestWhatThePatientStopsBeforeItIsInMemoryDoesNotStayThere(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	r := newWorld().newReader(t, ctx, 1, 1)
	h := r.begin(t, ctx, "Okafor")
	h.OpenLacking(ctx) // released while it was allowed
	r.stop(t, ctx)
	h.Land()
	opened, err := h.Finish(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	if opened.Chart.Len() != 1 || bytes.Count(rawOf(opened), []byte{0}) > 0 {
		t.Error("what was released while it was allowed is not in the answer")
	}
	soon, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	closed(t, soon, r.Nodes[1].Member)
}

func TestWhatIsPushedOutWhileTwoAnswerWithItIsOverwrittenAfterTheLast(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	r := newWorld().newReader(t, ctx, 1, 1)
	h := r.begin(t, ctx, "Okafor")
	h.OpenLacking(ctx)
	h.Land()
	second, err := r.open(ctx, "Petit")
	if err != nil {
		t.Fatal(err)
	}
	r.Nodes[1].Member.CloseCharts()
	first, err := h.Finish(ctx)
	if err != nil {
		t.Fatal(err)
	}
	raw := rawOf(first)
	before := bytes.Clone(raw)
	first.Close()
	if !bytes.Equal(raw, before) || bytes.Count(raw, []byte{0}) > 0 {
		t.Error("the plaintext was overwritten under the second answer")
	}
	second.Close()
	if len(bytes.Trim(raw, "\x00")) > 0 {
		t.Error("the plaintext is still there")
	}
}
