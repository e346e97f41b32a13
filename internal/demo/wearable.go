package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/home"
	"vitalog/keyring"
	"vitalog/node"
	"vitalog/section"
)

// wearEvery is how often Maria's wearable writes while the demo runs.
const wearEvery = 20 * time.Second

// Wearable is Maria's device as it runs by itself: it has its own file, <dir>/patients/maria/wristband/device, and none of her keys.
type Wearable struct {
	device *exchange.Device
	chart  string // whom it is worn by
}

// wearable opens the device's file. A demo that has none gets it from Maria's keys, to which the device's key belongs.
func (d *Demo) wearable() (*Wearable, error) {
	var chart string
	for _, p := range d.State.Patients {
		if p.App == maria {
			chart = p.Chart
		}
	}
	if chart == "" {
		return nil, errors.New("no patient with an app is loaded")
	}
	h := d.Node(Pharmacy)
	dir := filepath.Join(d.Dir, "patients", maria, WearableDevice)
	path := filepath.Join(dir, "device")
	passphrase, err := Passphrase(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(dir, 0o700); err == nil {
			passphrase, err = node.DrawPassphrase(dir)
		}
	}
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		keys, err := ownKeys(d.Dir, maria)
		if err != nil {
			return nil, err
		}
		if _, err := keys.CreateDevice(path, bytes.Clone(passphrase), WearableDevice, section.PatientGenerated, false, h.Config.URL(), h.Number); err != nil {
			return nil, err
		}
	}
	keys, err := keyring.OpenDevice(path, passphrase)
	if err != nil {
		return nil, err
	}
	device, err := exchange.NewDevice(home.Dial(h.Config.URL(), h.Genesis, h.Number, http.DefaultClient), keys)
	return &Wearable{device: device, chart: chart}, err
}

// wear has the wearable write until ctx ends.
func (d *Demo) wear(ctx context.Context, w *Wearable) {
	tick := time.NewTicker(wearEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if _, err := w.Write(ctx, now); err != nil && ctx.Err() == nil {
				d.log.Warn("the wearable writes again later", "err", err)
			}
		}
	}
}

// Write measures Maria's pulse and steps of this moment, and pushes them.
func (w *Wearable) Write(ctx context.Context, now time.Time) ([]exchange.Pushed, error) {
	at := now.UTC().Format("2006-01-02T15:04:05Z")
	wave := math.Sin(float64(now.Unix()%86400) / 86400 * 2 * math.Pi) // slower by night
	var readings []*fhir.Resource
	for _, x := range []struct {
		code, name, unit, ucum string
		value                  int
	}{
		{"8867-4", "Heart rate", "beats/minute", "/min", 68 - int(8*wave) + int(now.Unix()%5)},
		{"55423-8", "Number of steps", "steps", "{steps}", 20 + int(now.Unix()%60)},
	} {
		raw := fmt.Appendf(nil, `{"resourceType":"Observation","status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"activity"}]}],`+
			`"code":{"coding":[{"system":"http://loinc.org","code":%q,"display":%q}],"text":%[2]q},"subject":{"reference":"Patient/%s"},"effectiveDateTime":%q,`+
			`"valueQuantity":{"value":%d,"unit":%q,"system":"http://unitsofmeasure.org","code":%q},"device":{"display":"Wrist band"}}`, x.code, x.name, w.chart, at, x.value, x.unit, x.ucum)
		r, err := fhir.Parse(raw)
		if err != nil {
			return nil, err
		}
		readings = append(readings, r)
	}
	return w.device.Push(ctx, readings)
}
