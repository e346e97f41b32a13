package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"vitalog/consent"
	"vitalog/exchange"
	"vitalog/section"
)

// bloodPressure is what Dr. Okafor asks for.
func (t *tour) bloodPressure() string {
	return "/fhir/Observation?" + url.Values{"patient": {t.chart}, "code": {"http://loinc.org|85354-9"}, "category": {"vital-signs"}}.Encode()
}

func (t *tour) refused(ctx context.Context, s *Step) error {
	before, err := t.maria.Activity(ctx)
	if err != nil {
		return err
	}
	a, err := t.okafor.Do(ctx, http.MethodGet, t.bloodPressure(), nil)
	if err != nil {
		return err
	}
	if a.Status != http.StatusForbidden {
		return fmt.Errorf("want 403, got %d: %s", a.Status, a.Diagnostics())
	}
	row, err := t.newRow(ctx, before)
	if err != nil {
		return err
	}
	if row.Why == consent.Allowed || row.Detail == nil || row.Detail.Name != t.okafor.who.Name {
		return fmt.Errorf("the row on the ledger is not Dr. Okafor's refusal: %v", row.Why)
	}
	s.Shows["block"], s.Shows["why"] = row.Block, row.Why.String()
	s.say("✗ refused: St. Elena may write vitals, not read them; the attempt is recorded   block %d", row.Block)
	return nil
}

// await asks again until done. Maria's home is another member than those who write and read: it hears of a block a moment later.
func await(ctx context.Context, what string, done func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
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

// newRow is the one row that came since before.
func (t *tour) newRow(ctx context.Context, before *exchange.ActivityLog) (row *exchange.Activity, err error) {
	err = await(ctx, "no new row in Maria's log", func(ctx context.Context) (bool, error) {
		after, err := t.maria.Activity(ctx)
		if err != nil {
			return false, err
		}
		for i := range after.Rows {
			if slices.ContainsFunc(before.Rows, func(x exchange.Activity) bool { return x.Log == after.Rows[i].Log && x.Entry == after.Rows[i].Entry }) {
				continue
			}
			if row != nil {
				return false, errors.New("want exactly one new row in Maria's log, got more")
			}
			row = &after.Rows[i]
		}
		return row != nil, nil
	})
	return row, err
}

const ninetyDays = 90 * 24 * time.Hour

func (t *tour) narrows(ctx context.Context, s *Step) error {
	order := map[string]any{"patient": t.chart, "asker": t.okafor.who, "sections": names(section.Clinical())}
	raw, err := json.Marshal(order)
	if err != nil {
		return err
	}
	a, err := t.okafor.Operate(ctx, http.MethodPost, "request", raw)
	if err != nil {
		return err
	}
	var posted struct{ Request string }
	if err := json.Unmarshal(a.Body, &posted); err != nil {
		return err
	}
	var q exchange.Wished
	err = await(ctx, "the request did not reach Maria's inbox", func(ctx context.Context) (bool, error) {
		inbox, _, err := t.maria.Inbox(ctx)
		if n := len(inbox); n > 0 {
			q = inbox[n-1]
		}
		return q.Request != nil && fmt.Sprintf("%x", q.ID) == posted.Request, err
	})
	if err != nil {
		return err
	}
	if q.Name != t.okafor.who.Name || int(q.Member) != Number(StElena) || len(q.Sections) != len(section.Clinical()) {
		return fmt.Errorf("the request in the inbox is not Dr. Okafor's")
	}
	narrowed := []section.Section{section.Medications, section.Vitals}
	granted, err := t.maria.Grant(ctx, exchange.Share{Member: int(q.Member), Purpose: q.Purpose, Rights: consent.Read, Sections: narrowed, Until: t.now.Add(ninetyDays), Label: "blood pressure follow-up"})
	if err != nil {
		return err
	}
	block := uint64(0)
	signed, of := 0, 0
	for _, g := range granted {
		v, err := t.maria.Proof(ctx, g.Log, g.Entry)
		if err != nil {
			return err
		}
		block, signed, of = max(block, g.Block), v.Signed, v.Of
	}
	if 3*signed <= 2*of {
		return fmt.Errorf("the grant is signed by %d of %d validators", signed, of)
	}
	t.granted = block
	s.Shows["asked"], s.Shows["granted"], s.Shows["block"], s.Shows["signed"], s.Shows["of"] = len(q.Sections), names(narrowed), block, signed, of
	s.say("she asks for %d sections; Maria grants vital signs and medicines, treatment, 90 days   ✓ final in block %d (%d of %d signed)", len(q.Sections), block, signed, of)
	return nil
}

func names(sections []section.Section) []string {
	var out []string
	for _, s := range sections {
		out = append(out, s.String())
	}
	return out
}

// searchset is what a search answers.
type searchset struct {
	Total int `json:"total"`
	Entry []struct {
		Resource json.RawMessage `json:"resource"`
	} `json:"entry"`
}

// observation is as much of one as the tour looks at.
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

func (t *tour) reads(ctx context.Context, s *Step) error {
	before, err := t.maria.Activity(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	a, err := t.get(ctx, t.okafor, t.granted, t.bloodPressure()+"&_count=100")
	if err != nil {
		return err
	}
	took := time.Since(began)
	var set searchset
	if err := json.Unmarshal(a.Body, &set); err != nil {
		return err
	}
	if len(set.Entry) != 24 {
		return fmt.Errorf("want 24 sealed readings, got %d", len(set.Entry))
	}
	var newest observation
	for _, e := range set.Entry {
		var o observation
		if err := json.Unmarshal(e.Resource, &o); err != nil {
			return err
		}
		if o.Effective > newest.Effective {
			newest = o
		}
	}
	reading, inRange := newest.reading()
	if reading != "109/75" || !inRange {
		return fmt.Errorf("the newest reading is %s, in range: %v; want 109/75 in range", reading, inRange)
	}
	row, err := t.newRow(ctx, before)
	if err != nil {
		return err
	}
	if row.Why != consent.Allowed || row.Detail == nil || row.Detail.Name != t.okafor.who.Name || row.Records == 0 {
		return fmt.Errorf("the row on the ledger is not this read: %v, %d records", row.Why, row.Records)
	}
	s.Shows["block"], s.Shows["readings"], s.Shows["newest"], s.Shows["milliseconds"] = row.Block, len(set.Entry), reading, took.Milliseconds()
	s.say("✓ trace first (block %d), then %d sealed readings released and opened: %s mmHg, in range   %d ms", row.Block, len(set.Entry), reading, took.Milliseconds())
	return nil
}

func (o *observation) reading() (text string, inRange bool) {
	values := map[string]string{}
	inRange = len(o.Component) > 0
	for _, c := range o.Component {
		for _, code := range c.Code.Coding {
			values[code.Code] = c.ValueQuantity.Value.String()
		}
		if len(c.Interpretation) == 0 || len(c.Interpretation[0].Coding) == 0 || c.Interpretation[0].Coding[0].Code != "N" {
			inRange = false
		}
	}
	return values["8480-6"] + "/" + values["8462-4"], inRange
}

// get reads once the member has followed the ledger up to here: the message of a new grant travels by itself.
func (t *tour) get(ctx context.Context, by *Staff, block uint64, path string) (*Answer, error) {
	if _, err := by.Operate(ctx, http.MethodPost, fmt.Sprint("followed?block=", block), nil); err != nil {
		return nil, err
	}
	a, err := by.Do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	if a.Status != http.StatusOK {
		return nil, fmt.Errorf("want 200, got %d: %s", a.Status, a.Diagnostics())
	}
	return a, nil
}

func (t *tour) moves(ctx context.Context, s *Step) error {
	// Before the grant, because the wearable goes on writing: who then reads has at least this much.
	own, failed, err := t.maria.Record(ctx, section.Clinical()...)
	if err != nil || len(failed) > 0 {
		return errors.Join(append(failed, err)...)
	}
	granted, err := t.maria.Grant(ctx, exchange.Share{Member: Number(Lac), Purpose: exchange.Treat, Rights: consent.Read | consent.Write, Sections: section.Clinical(), Label: "my doctors abroad"})
	if err != nil {
		return err
	}
	block := uint64(0)
	for _, g := range granted {
		block = max(block, g.Block)
	}
	began := time.Now()
	a, err := t.get(ctx, t.moreau, block, "/fhir/Patient/"+t.chart+"/$everything")
	if err != nil {
		return err
	}
	took := time.Since(began)
	var set searchset
	if err := json.Unmarshal(a.Body, &set); err != nil {
		return err
	}
	if len(set.Entry) < own.Len() {
		return fmt.Errorf("the chart abroad has %d resources, Maria's has %d", len(set.Entry), own.Len())
	}
	authors := authorsOf(own)
	s.Shows["resources"], s.Shows["authors"], s.Shows["seconds"], s.Shows["block"] = len(set.Entry), len(authors), took.Seconds(), block
	s.say("her whole chart opens there   %d resources, %d authors, %.1f s", len(set.Entry), len(authors), took.Seconds())
	return nil
}

func (t *tour) sees(ctx context.Context, s *Step) error {
	log, err := t.maria.Activity(ctx)
	if err != nil {
		return err
	}
	if !log.Proven {
		return errors.New("the access log is not proven complete")
	}
	people := map[string]bool{}
	for _, r := range log.Rows {
		if r.Member == "" || r.Detail == nil || r.Detail.Name == "" || r.Purpose == "" || r.Block == 0 {
			return fmt.Errorf("a row of block %d does not say who, where and what for", r.Block)
		}
		people[r.Detail.Name+", "+r.Member] = true
	}
	for _, r := range log.Rows[:min(len(log.Rows), 3)] {
		records := fmt.Sprintf("%d records", r.Records)
		if r.Records == 1 {
			records = "1 record"
		}
		s.say("%s, %s · %v, %s · %s · %v · block %d", r.Detail.Name, r.Member, r.Section, records, r.Detail.Reason, r.Why, r.Block)
	}
	s.say("%d rows by %d people; complete, proven by the ledger (%d of %d signed)", len(log.Rows), len(people), log.Signed, log.Of)
	stopped, err := t.maria.Stop(ctx, func(g exchange.Shared) bool { return g.Member == Number(StElena) && g.Rights&consent.Read != 0 })
	if err != nil {
		return err
	}
	if len(stopped) == 0 {
		return errors.New("there was nothing to stop")
	}
	a, err := t.okafor.Do(ctx, http.MethodGet, t.bloodPressure(), nil)
	if err != nil {
		return err
	}
	if a.Status != http.StatusForbidden {
		return fmt.Errorf("after the stop: want 403, got %d: %s", a.Status, a.Diagnostics())
	}
	row, err := t.newRow(ctx, log)
	if err != nil {
		return err
	}
	s.Shows["rows"], s.Shows["people"], s.Shows["proven"], s.Shows["stopped"], s.Shows["refusedInBlock"] = len(log.Rows), len(people), log.Proven, len(stopped), row.Block
	s.say("She stops St. Elena (block %d); Dr. Okafor asks → ✗ refused (%v, block %d)", stopped[0].Block, row.Why, row.Block)
	s.say("What was already opened can't be un-seen; Maria sees exactly what that was.")
	return nil
}
