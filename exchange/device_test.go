package exchange_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"vitalog/consent"
	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/home"
	"vitalog/keyring"
	"vitalog/ledger"
	"vitalog/op"
	"vitalog/section"
	"vitalog/wire"
)

const devicePass = "a device's passphrase"

// wear makes a device of the patient's, with a file that is opened as the device would.
func (w *world) wear(t *testing.T, ctx context.Context, name string) (*exchange.Device, *keyring.Device) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	n := w.Nodes[3]
	if _, err := w.keys.CreateDevice(path, []byte(devicePass), name, section.PatientGenerated, false, n.Config.URL(), n.Number); err != nil {
		t.Fatal(err)
	}
	if _, err := w.patient.AddDevice(ctx, name, section.PatientGenerated); err != nil {
		t.Fatal(err)
	}
	keys, err := keyring.OpenDevice(path, []byte(devicePass))
	if err != nil {
		t.Fatal(err)
	}
	d, err := exchange.NewDevice(home.Dial(n.Config.URL(), n.Genesis, n.Number, http.DefaultClient), keys)
	if err != nil {
		t.Fatal(err)
	}
	return d, keys
}

// steps are readings, one for each hour of each of the days.
func steps(t *testing.T, hours int, days ...string) (out []*fhir.Resource) {
	t.Helper()
	for _, day := range days {
		for h := range hours {
			r, err := fhir.Parse(fmt.Appendf(nil, `{"resourceType":"Observation","status":"final","code":{"text":"steps"},"effectiveDateTime":"%sT%02d:00:00+02:00","valueQuantity":{"value":%d,"unit":"1"}}`, day, h, 100*h))
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, r)
		}
	}
	return out
}

// own is how many resources and records the patient sees in the device's section.
func (w *world) own(t *testing.T, ctx context.Context) (resources, records int) {
	t.Helper()
	c, failed, err := w.patient.Record(ctx, section.PatientGenerated)
	if err != nil || len(failed) > 0 {
		t.Fatal(err, failed)
	}
	devices, err := w.patient.Devices(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range devices {
		records += d.Records
	}
	return c.Len(), records
}

func TestADeviceWritesOneProvableRecordADayAndNothingTwice(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	w := newWorld()
	w.patient = w.newPatient(t, ctx)
	d, keys := w.wear(t, ctx, "wristband")
	readings := steps(t, 5, "2026-11-01", "2026-11-02")
	first, err := d.Push(ctx, readings)
	if err != nil || len(first) != 2 {
		t.Fatalf("got %d records, %v, want 2", len(first), err)
	}
	for i, p := range first {
		if p.Day != []string{"2026-11-01", "2026-11-02"}[i] || len(p.Readings) != 5 || p.Again || 3*p.Signed <= 2*p.Of {
			t.Errorf("record %d: %+v", i, p)
		}
		v, err := w.patient.Proof(ctx, p.Log, p.Entry)
		if err != nil || v.Entry.Signer != keys.Signer().Public() {
			t.Errorf("record %d is not provably the device's: %v", i, err)
		}
	}
	again, err := d.Push(ctx, append(readings, readings[0]))
	if err != nil || len(again) != 2 || !again[0].Again || again[0].Entry != first[0].Entry || again[1].Entry != first[1].Entry {
		t.Errorf("pushed again: %+v, %v", again, err)
	}
	if resources, records := w.own(t, ctx); resources != 10 || records != 2 {
		t.Errorf("the patient sees %d readings in %d records, want 10 in 2", resources, records)
	}
	if later, err := d.Push(ctx, steps(t, 7, "2026-11-02")[5:]); err != nil || len(later) != 1 || later[0].Again {
		t.Errorf("later readings of a day: %+v, %v", later, err)
	}
	if resources, records := w.own(t, ctx); resources != 12 || records != 3 {
		t.Errorf("the patient sees %d readings in %d records, want 12 in 3", resources, records)
	}
	// A grantee reads them too.
	if _, err := w.patient.Grant(ctx, exchange.Share{Member: 1, Purpose: "TREAT", Rights: consent.Read, Sections: []section.Section{section.PatientGenerated}}); err != nil {
		t.Fatal(err)
	}
	w.settle(t, ctx)
	opened, err := w.Nodes[1].Member.Open(ctx, asker("TREAT"), w.patient.ChartID(), exchange.Want{Sections: []section.Section{section.PatientGenerated}})
	if err != nil || opened.Chart.Len() != 12 || len(opened.Errors) > 0 {
		t.Errorf("a grantee reads %+v, %v", opened, err)
	}
	if _, err := d.Push(ctx, []*fhir.Resource{w.pulse(t).Resource}); !errors.Is(err, exchange.ErrInvalid) {
		t.Errorf("a reading of no day: got %v, want %v", err, exchange.ErrInvalid)
	}
}

// cut is a home member whose connection breaks at the wrong moment.
type cut struct {
	exchange.Home
	before, after bool // the submission is lost, or its answer
}

var errCut = errors.New("the connection broke")

func (c *cut) Submit(ctx context.Context, ops ...*op.Operation) ([]ledger.Result, error) {
	if c.before {
		return nil, errCut
	}
	r, err := c.Home.Submit(ctx, ops...)
	if c.after {
		return nil, errCut
	}
	return r, err
}

func TestAPushThatBrokeOffIsRepeatedAndDoublesNothing(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	w := newWorld()
	w.patient = w.newPatient(t, ctx)
	_, keys := w.wear(t, ctx, "scale")
	n := w.Nodes[3]
	c := &cut{Home: home.Dial(n.Config.URL(), n.Genesis, n.Number, http.DefaultClient)}
	d, err := exchange.NewDevice(c, keys)
	if err != nil {
		t.Fatal(err)
	}
	readings := steps(t, 3, "2026-11-01")
	for _, broken := range []cut{{before: true}, {before: true}, {after: true}, {before: true}} {
		c.before, c.after = broken.before, broken.after
		_, err := d.Push(ctx, readings)
		if c.after != errors.Is(err, errCut) && !c.before {
			t.Errorf("cut %+v: got %v", broken, err)
		}
	}
	c.before, c.after = false, false
	p, err := d.Push(ctx, readings)
	if err != nil || len(p) != 1 || !p[0].Again {
		t.Fatalf("got %+v, %v, want one record that was there", p, err)
	}
	if resources, records := w.own(t, ctx); resources != 3 || records != 1 {
		t.Errorf("the patient sees %d readings in %d records, want 3 in 1", resources, records)
	}
}

func TestAStolenDeviceFileReadsNothingAndWritesNothingAfterItsRemoval(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	w := newWorld()
	w.patient = w.newPatient(t, ctx)
	d, keys := w.wear(t, ctx, "wristband")
	pushed, err := d.Push(ctx, steps(t, 2, "2026-11-01"))
	if err != nil {
		t.Fatal(err)
	}
	// The thief asks for an access with the device's key, and every validator decides against it.
	n := w.Nodes[3]
	body := &op.Access{Ranges: []consent.Range{{From: pushed[0].Entry, To: pushed[0].Entry + 1}}, Session: wire.Hash{1}, Detail: wire.Hash{2}}
	o := op.Sign(n.Genesis.Network(), keys.Signer(), keys.Log(), uint64(time.Now().Add(time.Minute).UnixMilli()), body)
	results, err := n.Chain.Submit(ctx, o)
	if err != nil || results[0].Err() != nil {
		t.Fatal(results, err)
	}
	e, err := n.Chain.Ledger().Entry(results[0].Log, results[0].First)
	if err != nil || e.Says.(*op.Accessed).Why != consent.NoRight {
		t.Errorf("the device's key asked to read: %+v, %v", e, err)
	}
	w.settle(t, ctx)
	if log, err := w.patient.Activity(ctx); err != nil || len(log.Rows) != 1 || log.Rows[0].Device != "wristband" {
		t.Errorf("the patient doesn't see that the wristband tried to read: %+v, %v", log, err)
	}
	stopped, err := w.patient.Stop(ctx, func(g exchange.Shared) bool { return g.Device == "wristband" })
	if err != nil || len(stopped) != 1 {
		t.Fatal(stopped, err)
	}
	w.settle(t, ctx)
	if _, err := d.Push(ctx, steps(t, 1, "2026-11-02")); !errors.Is(err, exchange.ErrNotShared) {
		t.Errorf("a removed device writes: got %v, want %v", err, exchange.ErrNotShared)
	}
	if _, err := w.patient.AddDevice(ctx, "wristband", section.PatientGenerated); !errors.Is(err, exchange.ErrConflict) {
		t.Errorf("the old key may write again: got %v, want %v", err, exchange.ErrConflict)
	}
	all, err := w.patient.Sharing(ctx)
	if err != nil || len(all) != 1 || all[0].Device != "wristband" || !all[0].Revoked {
		t.Errorf("the patient sees %+v, %v", all, err)
	}
}
