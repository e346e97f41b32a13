package exchange_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/home"
	"vitalog/key"
	"vitalog/op"
	"vitalog/threshold"
	"vitalog/wire"
)

// thief is a home member that serves a key of its own for any reader key, and counts what it is given.
type thief struct {
	exchange.Home
	key   *key.Exchange // nil: honest
	given int
}

func (h *thief) Blob(ctx context.Context, hash wire.Hash) ([]byte, error) {
	if h.key == nil {
		return h.Home.Blob(ctx, hash)
	}
	return h.key[:], nil
}

func (h *thief) PutRecords(ctx context.Context, records []exchange.Sealed) error {
	h.given += len(records)
	return h.Home.PutRecords(ctx, records)
}

func TestADeviceSealsToNoKeyThatTheLedgerDoesNotShow(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	w := newWorld()
	w.patient = w.newPatient(t, ctx)
	_, keys := w.wear(t, ctx, "wristband")
	n := w.Nodes[3]
	mine := key.NewDecapsulating([32]byte{1})
	lies := &liar{Home: home.Dial(n.Config.URL(), n.Genesis, n.Number, http.DefaultClient)}
	steals := &thief{Home: lies}
	d, err := exchange.NewDevice(steals, keys)
	if err != nil {
		t.Fatal(err)
	}
	readings := steps(t, 2, "2026-11-01")
	for name, lie := range map[string]struct {
		key  *key.Exchange
		says liar
	}{
		"a reader key of its own":                        {key: mine.Exchange()},
		"a reader key of its own and a head that has it": {mine.Exchange(), liar{head: func(h *op.Head) { h.EpochKey = mine.Exchange().Hash() }}},
		"a network key of its own":                       {says: liar{key: func(k *op.NetworkKey) { k.Poly[0] = threshold.NewPolynomial(1).Commitments()[0] }}},
	} {
		honest := lies.Home
		*lies, steals.key = lie.says, lie.key
		lies.Home = honest

		if p, err := d.Push(ctx, readings); err == nil || steals.given > 0 {
			t.Errorf("%s: got %+v, %v, and gave away %d records", name, p, err, steals.given)
		}
	}
	*lies, steals.key = liar{Home: lies.Home}, nil
	if p, err := d.Push(ctx, readings); err != nil || len(p) != 1 {
		t.Errorf("an honest home: got %+v, %v", p, err)
	}
}

// A device's clock and zone are what they are: the day is the one that the reading names, and any day is taken once.
func TestADayIsTheReadingsOwnWhateverTheClockAndTheZone(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	w := newWorld()
	w.patient = w.newPatient(t, ctx)
	d, _ := w.wear(t, ctx, "wristband")
	var readings []*fhir.Resource
	for i, at := range []string{"2026-10-31T23:59:59-11:00", "2026-11-01T00:00:00+14:00", "2026-11-01T23:59:60Z", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00", "2028-02-29"} {
		r, err := fhir.Parse(fmt.Appendf(nil, `{"resourceType":"Observation","status":"final","code":{"text":"steps"},"effectiveDateTime":%q,"valueInteger":%d}`, at, i))
		if err != nil {
			t.Fatal(err)
		}
		readings = append(readings, r)
	}
	want := []string{"1970-01-01", "2026-10-31", "2026-11-01", "2028-02-29", "9999-12-31"}
	for _, again := range []bool{false, true} {
		p, err := d.Push(ctx, readings)
		if err != nil || len(p) != len(want) {
			t.Fatalf("got %+v, %v", p, err)
		}
		for i := range p {
			if p[i].Day != want[i] || p[i].Again != again {
				t.Errorf("got %s, there before: %v; want %s, %v", p[i].Day, p[i].Again, want[i], again)
			}
		}
	}
	if resources, records := w.own(t, ctx); resources != len(readings) || records != len(want) {
		t.Errorf("the patient sees %d readings in %d records", resources, records)
	}
}
