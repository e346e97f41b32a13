package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"vitalog/consent"
	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/home"
	"vitalog/keyring"
	"vitalog/node"
	"vitalog/section"
	"vitalog/synthetic"

	"golang.org/x/sync/errgroup"
)

// maria is the directory of the patient who has an app of her own; everybody else is in the hospital's custody.
const maria = "maria"

// WearableDevice is the name of Maria's device.
const WearableDevice = "wristband"

// atOnce is how many patients are loaded at the same time.
const atOnce = 3

// load brings the synthetic patients in, each once.
func (d *Demo) load(ctx context.Context, say func(string)) error {
	people := synthetic.Patients(Seed, Patients, Day)
	todo := 0
	for _, p := range people {
		if !d.State.Loaded[p.MRN] {
			todo++
		}
	}
	if todo == 0 {
		return nil
	}
	say(fmt.Sprintf("enrolling %d synthetic patients and writing their records", todo))
	w, err := Open(d.Dir)
	if err != nil {
		return err
	}
	for i, f := range founders {
		w.rings[f.name] = d.Nodes[i].Ring
	}
	states := make([]*PatientState, len(people))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for i, p := range people {
		if d.State.Loaded[p.MRN] {
			continue
		}
		g.Go(func() (err error) {
			if i == 0 {
				states[i], err = d.loadMaria(gctx, w, p)
			} else {
				states[i], err = d.loadCustodial(gctx, w, p)
			}
			if err != nil {
				return fmt.Errorf("synthetic patient %d: %w", i, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i, s := range states {
		if s != nil {
			d.State.Patients = append(d.State.Patients, *s)
			d.State.Loaded[people[i].MRN] = true
		}
	}
	return d.State.save(d.Dir)
}

// loadCustodial sends a patient's years to the hospital, which takes the patient into custody.
func (d *Demo) loadCustodial(ctx context.Context, w *World, p *synthetic.Patient) (*PatientState, error) {
	c, err := w.Staff(StElena, exchange.Asker{Practitioner: "import", Name: "Import", Role: "system", Purpose: exchange.Treat, Machine: true})
	if err != nil {
		return nil, err
	}
	if err := c.Post(ctx, p.Batches[0].Bundle); err != nil {
		return nil, err
	}
	rest, err := synthetic.Merge(p.Batches[1:], func(synthetic.Source) bool { return true })
	if err != nil {
		return nil, err
	}
	if err := c.Post(ctx, rest); err != nil {
		return nil, err
	}
	chart, ok, err := d.Node(StElena).Member.FindPatient(synthetic.MRNSystem, p.MRN)
	if err != nil || !ok {
		return nil, errors.Join(err, errors.New("the chart was not found after the import"))
	}
	return &PatientState{Name: p.Name, MRN: p.MRN, Chart: chart}, nil
}

// loadMaria makes Maria's app, has her let four writers write, and has each send what it made.
func (d *Demo) loadMaria(ctx context.Context, w *World, p *synthetic.Patient) (*PatientState, error) {
	app, err := d.makeApp(maria)
	if err != nil {
		return nil, err
	}
	if err := app.Enrol(ctx); err != nil {
		return nil, err
	}
	grants := []exchange.Share{
		{Member: Number(StElena), Purpose: exchange.Treat, Rights: consent.Write, Sections: section.Clinical(), Label: "my hospital"},
		{Member: Number(Pharmacy), Purpose: exchange.Treat, Rights: consent.Write, Sections: []section.Section{section.Medications}, Label: "my pharmacy"},
		{Member: Number(Lab), Purpose: exchange.Treat, Rights: consent.Write, Sections: []section.Section{section.Labs}, Label: "the laboratory"},
	}
	for _, s := range grants {
		if _, err := app.Grant(ctx, s); err != nil {
			return nil, err
		}
	}
	if _, err := app.AddDevice(ctx, WearableDevice, section.PatientGenerated); err != nil && !errors.Is(err, exchange.ErrConflict) { // loading that broke off added it
		return nil, err
	}
	// Each writer's own register says which of its patients has which chart: Maria showed her card at the desk.
	for _, name := range []string{StElena, Pharmacy, Lab} {
		n := d.Node(name)
		if err := n.Member.Followed(ctx, n.Chain.Ledger().Height()); err != nil {
			return nil, err
		}
		if err := n.Member.Link(app.ChartID(), synthetic.MRNSystem, p.MRN); err != nil {
			return nil, err
		}
	}
	for name, source := range map[string]synthetic.Source{StElena: synthetic.Hospital, Pharmacy: synthetic.Pharmacy, Lab: synthetic.Lab} {
		bundle, err := synthetic.Merge(p.Batches, func(s synthetic.Source) bool { return s == source })
		if err != nil {
			return nil, err
		}
		c, err := w.Staff(name, exchange.Asker{Practitioner: "import", Name: "Import", Role: "system", Purpose: exchange.Treat, Machine: true})
		if err != nil {
			return nil, err
		}
		if err := c.Post(ctx, bundle); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	for _, b := range p.Batches {
		if b.Source == synthetic.Wearable {
			if err := PushDevice(ctx, app, b.Bundle); err != nil {
				return nil, err
			}
		}
	}
	return &PatientState{Name: p.Name, MRN: p.MRN, Chart: app.ChartID(), App: maria}, nil
}

// makeApp makes a patient's keyring, or opens the one that is there.
func (d *Demo) makeApp(name string) (*exchange.Patient, error) {
	dir := filepath.Join(d.Dir, "patients", name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	passphrase, err := Passphrase(dir)
	if errors.Is(err, fs.ErrNotExist) {
		passphrase, err = node.DrawPassphrase(dir)
	}
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "keyring")
	ring, err := keyring.Open(path, bytes.Clone(passphrase))
	if errors.Is(err, fs.ErrNotExist) {
		if ring, err = keyring.CreatePatient(path, passphrase, ""); err == nil {
			err = ring.Join(d.Network())
		}
	}
	if err != nil {
		return nil, err
	}
	keys, err := ring.Own()
	if err != nil {
		return nil, err
	}
	// Maria's home is the pharmacy round the corner: it relays, and can read nothing.
	h := d.Node(Pharmacy)
	return exchange.NewPatient(home.Dial(h.Config.URL(), h.Genesis, h.Number, http.DefaultClient), keys), nil
}

// PushDevice writes one day of a wearable, as the device would.
func PushDevice(ctx context.Context, app *exchange.Patient, bundle []byte) error {
	entries, err := entriesOf(bundle)
	if err != nil {
		return err
	}
	var drafts []exchange.Draft
	for _, e := range entries {
		r, err := fhir.Parse(e.Resource)
		if err != nil {
			return err
		}
		drafts = append(drafts, exchange.Draft{Resource: r, ID: strings.TrimPrefix(e.FullURL, "urn:uuid:"), Section: section.PatientGenerated, Group: entries[0].FullURL})
	}
	_, err = app.PublishDevice(ctx, WearableDevice, drafts)
	return err
}

// bundleEntry is one entry of a transaction.
type bundleEntry struct {
	FullURL  string          `json:"fullUrl"`
	Resource json.RawMessage `json:"resource"`
	Request  json.RawMessage `json:"request"`
}

func entriesOf(bundle []byte) ([]bundleEntry, error) {
	var b struct {
		Entry []bundleEntry `json:"entry"`
	}
	if err := json.Unmarshal(bundle, &b); err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	return b.Entry, nil
}
