package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"vitalog/cloud"
	"vitalog/consent"
	"vitalog/exchange"
	"vitalog/keyring"
	"vitalog/section"
)

// deeds are what happens in the story, each checked: the tour tells of them in the terminal, the page in a browser.
type deeds struct {
	w      *World
	maria  *exchange.Patient
	keys   *keyring.Patient // hers
	chart  string
	okafor *Staff // of St. Elena

	buckets []*cloud.Bucket // the members', by their numbers, as somebody else opens them; nil: they have none
}

func (w *World) deeds(ctx context.Context) (*deeds, error) {
	p, ok := w.Patient(maria)
	if !ok {
		return nil, errors.New("this demo has no patient with an app: start it with 'vitalog demo' and let it load")
	}
	keys, err := ownKeys(w.Dir, maria)
	if err != nil {
		return nil, err
	}
	okafor, err := w.Staff(StElena, exchange.Asker{Practitioner: "okafor", Name: "Dr. Ada Okafor", Role: "cardiologist", Purpose: exchange.Treat, Reason: "blood pressure follow-up"})
	if err != nil {
		return nil, err
	}
	d := &deeds{w: w, maria: w.app(keys), keys: keys, chart: p.Chart, okafor: okafor}
	if w.State.S3 != nil {
		d.buckets, err = w.State.S3.open(ctx)
	}
	return d, err
}

// close lets go of the buckets.
func (d *deeds) close() error {
	var failed []error
	for _, b := range d.buckets {
		failed = append(failed, b.Close())
	}
	return errors.Join(failed...)
}

// afresh brings Maria to where the story begins: nobody reads, and no request waits.
func (d *deeds) afresh(ctx context.Context) error {
	if _, err := d.maria.Stop(ctx, func(g exchange.Shared) bool { return g.Rights&consent.Read != 0 }); err != nil {
		return err
	}
	inbox, _, err := d.maria.Inbox(ctx)
	if err != nil {
		return err
	}
	for _, q := range inbox {
		if q.Answered {
			continue
		}
		if err := d.maria.Answer(ctx, q, nil, ""); err != nil {
			return err
		}
	}
	return nil
}

// bloodPressure is what Dr. Okafor asks for.
func (d *deeds) bloodPressure() string {
	return "/fhir/Observation?" + url.Values{"patient": {d.chart}, "code": {"http://loinc.org|85354-9"}, "category": {"vital-signs"}, "_count": {"100"}}.Encode()
}

// refusal is what became of a read that Maria doesn't allow.
type refusal struct {
	why     string
	block   uint64
	counted bool // without a row: after many within an hour the ledger keeps their number, which becomes a row when the hour is over
}

var refusalSaid = regexp.MustCompile(`refused: (.+); (the attempt is recorded in|after many in this hour the attempt was counted, by) block (\d+)`)

// refused has Dr. Okafor ask for what she may not read, which leaves one row in Maria's log.
func (d *deeds) refused(ctx context.Context) (*refusal, error) {
	before, err := d.maria.Activity(ctx)
	if err != nil {
		return nil, err
	}
	a, err := d.okafor.Do(ctx, http.MethodGet, d.bloodPressure(), nil)
	if err != nil {
		return nil, err
	}
	said := refusalSaid.FindStringSubmatch(a.Diagnostics())
	if a.Status != http.StatusForbidden || said == nil {
		return nil, fmt.Errorf("want 403 and why, got %d: %s", a.Status, a.Diagnostics())
	}
	r := &refusal{why: said[1], counted: strings.Contains(said[2], "counted")}
	if r.block, err = strconv.ParseUint(said[3], 10, 64); err != nil || r.counted {
		return r, err
	}
	row, err := d.newRow(ctx, before)
	if err != nil {
		return nil, err
	}
	if row.Why.String() != r.why || row.Block != r.block || row.Detail == nil || row.Detail.Name != d.okafor.who.Name {
		return nil, fmt.Errorf("the row on the ledger is not Dr. Okafor's refusal: %v in block %d, said was %v", row.Why, row.Block, said[0])
	}
	return r, nil
}

// await asks again until done. Maria's home is another member than those who write and read: it hears of a block a moment later.
func await(ctx context.Context, what string, done func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok, err := done(ctx); ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.New(what)
		}
	}
}

// newRow is the one row of an access that came since before.
func (d *deeds) newRow(ctx context.Context, before *exchange.ActivityLog) (row *exchange.Activity, err error) {
	err = await(ctx, "no new row in Maria's log", func(ctx context.Context) (bool, error) {
		after, err := d.maria.Activity(ctx)
		if err != nil {
			return false, err
		}
		for i := range after.Rows {
			x := &after.Rows[i]
			if x.Count > 0 || slices.ContainsFunc(before.Rows, func(o exchange.Activity) bool { return o.Log == x.Log && o.Entry == x.Entry }) {
				continue
			}
			if row != nil {
				return false, errors.New("want exactly one new row in Maria's log, got more")
			}
			row = x
		}
		return row != nil, nil
	})
	return row, err
}

// requests has Dr. Okafor ask Maria for every section, and returns the request as it waits in Maria's inbox.
func (d *deeds) requests(ctx context.Context) (q exchange.Wished, err error) {
	order := map[string]any{"patient": d.chart, "asker": d.okafor.who, "sections": names(section.Clinical())}
	raw, err := json.Marshal(order)
	if err != nil {
		return q, err
	}
	a, err := d.okafor.Operate(ctx, http.MethodPost, "request", raw)
	if err != nil {
		return q, err
	}
	var posted struct{ Request string }
	if err := json.Unmarshal(a.Body, &posted); err != nil {
		return q, err
	}
	err = await(ctx, "the request did not reach Maria's inbox", func(ctx context.Context) (bool, error) {
		inbox, _, err := d.maria.Inbox(ctx)
		if n := len(inbox); n > 0 {
			q = inbox[n-1]
		}
		return q.Request != nil && fmt.Sprintf("%x", q.ID) == posted.Request, err
	})
	if err != nil {
		return q, err
	}
	if q.Name != d.okafor.who.Name || int(q.Member) != Number(StElena) || len(q.Sections) != len(section.Clinical()) {
		return q, errors.New("the request in the inbox is not Dr. Okafor's")
	}
	return q, nil
}

func names(sections []section.Section) []string {
	var out []string
	for _, s := range sections {
		out = append(out, s.String())
	}
	return out
}

// narrowed is what Maria gives of all that is asked for, and ninetyDays for how long.
var narrowed = []section.Section{section.Medications, section.Vitals}

const ninetyDays = 90 * 24 * time.Hour

// granted is a grant that is final.
type granted struct {
	block      uint64
	signed, of int // validators, by the receipts
	until      time.Time
}

// narrows has Maria give less than q asks for, and tell so.
func (d *deeds) narrows(ctx context.Context, q exchange.Wished) (*granted, error) {
	out := &granted{until: time.Now().Add(ninetyDays)}
	grants, err := d.maria.Grant(ctx, exchange.Share{Member: int(q.Member), Purpose: q.Purpose, Rights: consent.Read, Sections: narrowed, Until: out.until, Label: "blood pressure follow-up"})
	if err != nil {
		return nil, err
	}
	for _, g := range grants {
		v, err := d.maria.Proof(ctx, g.Log, g.Entry)
		if err != nil {
			return nil, err
		}
		out.block, out.signed, out.of = max(out.block, g.Block), v.Signed, v.Of
	}
	if 3*out.signed <= 2*out.of {
		return nil, fmt.Errorf("the grant is signed by %d of %d validators", out.signed, out.of)
	}
	return out, d.maria.Answer(ctx, q, grants, "")
}

// searchset is what a search answers.
type searchset struct {
	Total int `json:"total"`
	Entry []struct {
		Resource json.RawMessage `json:"resource"`
	} `json:"entry"`
}

// observation is as much of one as the story looks at.
type observation struct {
	Effective string `json:"effectiveDateTime"`
	Component []struct {
		Code struct {
			Coding []struct{ Code string }
		}
		ValueQuantity  struct{ Value json.Number }
		Interpretation []struct {
			Coding []struct{ Code string }
		}
	}
}

// reading is one blood pressure.
type reading struct {
	At        string `json:"at"`
	Systolic  string `json:"systolic"`
	Diastolic string `json:"diastolic"`
	InRange   bool   `json:"inRange"`
}

func (o *observation) reading() reading {
	values := map[string]string{}
	inRange := len(o.Component) > 0
	for _, c := range o.Component {
		for _, code := range c.Code.Coding {
			values[code.Code] = c.ValueQuantity.Value.String()
		}
		if len(c.Interpretation) == 0 || len(c.Interpretation[0].Coding) == 0 || c.Interpretation[0].Coding[0].Code != "N" {
			inRange = false
		}
	}
	return reading{At: o.Effective, Systolic: values["8480-6"], Diastolic: values["8462-4"], InRange: inRange}
}

// opened is what came of a read.
type opened struct {
	row      *exchange.Activity
	readings []reading // oldest first
	took     time.Duration
}

// reads has Dr. Okafor ask once the member knows of the grant in that block.
func (d *deeds) reads(ctx context.Context, block uint64) (*opened, error) {
	before, err := d.maria.Activity(ctx)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	a, err := d.okafor.get(ctx, block, d.bloodPressure())
	if err != nil {
		return nil, err
	}
	out := &opened{took: time.Since(began)}
	var set searchset
	if err := json.Unmarshal(a.Body, &set); err != nil {
		return nil, err
	}
	for _, e := range set.Entry {
		var o observation
		if err := json.Unmarshal(e.Resource, &o); err != nil {
			return nil, err
		}
		out.readings = append(out.readings, o.reading())
	}
	if len(out.readings) == 0 {
		return nil, errors.New("there is no blood pressure in Maria's record")
	}
	slices.SortFunc(out.readings, func(a, b reading) int { return strings.Compare(a.At, b.At) })
	if out.row, err = d.newRow(ctx, before); err != nil {
		return nil, err
	}
	if r := out.row; r.Why != consent.Allowed || r.Detail == nil || r.Detail.Name != d.okafor.who.Name || r.Records == 0 {
		return nil, fmt.Errorf("the row on the ledger is not this read: %v, %d records", r.Why, r.Records)
	}
	return out, nil
}

// get reads once the member has followed the ledger up to block: the message of a new grant travels by itself.
func (s *Staff) get(ctx context.Context, block uint64, path string) (*Answer, error) {
	if _, err := s.Operate(ctx, http.MethodPost, fmt.Sprint("followed?block=", block), nil); err != nil {
		return nil, err
	}
	a, err := s.Do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	if a.Status != http.StatusOK {
		return nil, fmt.Errorf("want 200, got %d: %s", a.Status, a.Diagnostics())
	}
	return a, nil
}

// stops has Maria end what St. Elena reads, and returns the ended grants with their blocks.
func (d *deeds) stops(ctx context.Context) ([]exchange.Shared, error) {
	stopped, err := d.maria.Stop(ctx, func(g exchange.Shared) bool { return g.Member == Number(StElena) && g.Rights&consent.Read != 0 })
	if err == nil && len(stopped) == 0 {
		err = errors.New("there was nothing to stop")
	}
	return stopped, err
}

// writes posts a resource as staff, and returns its type/id.
func (s *Staff) writes(ctx context.Context, what map[string]any) (string, error) {
	raw, err := json.Marshal(what)
	if err != nil {
		return "", err
	}
	kind := what["resourceType"].(string)
	a, err := s.Do(ctx, http.MethodPost, "/fhir/"+kind, raw)
	if err != nil {
		return "", err
	}
	if a.Status != http.StatusCreated {
		return "", fmt.Errorf("%s wrote a %s: want 201, got %d: %s", s.title, kind, a.Status, a.Diagnostics())
	}
	var got struct{ ID string }
	err = json.Unmarshal(a.Body, &got)
	return kind + "/" + got.ID, err
}
