package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"vitalog/consent"
	"vitalog/exchange"
	"vitalog/section"
)

func (t *tour) isRefused(ctx context.Context, s *Step) error {
	r, err := t.refused(ctx)
	if err != nil {
		return err
	}
	s.Shows["block"], s.Shows["why"] = r.block, r.why
	recorded := "recorded"
	if r.counted {
		recorded = "counted, after many in this hour"
	}
	s.say("✗ refused: St. Elena may write vitals, not read them; the attempt is %s   block %d", recorded, r.block)
	return nil
}

func (t *tour) isGiven(ctx context.Context, s *Step) error {
	q, err := t.requests(ctx)
	if err != nil {
		return err
	}
	g, err := t.narrows(ctx, q)
	if err != nil {
		return err
	}
	t.granted = g.block
	s.Shows["asked"], s.Shows["granted"], s.Shows["block"], s.Shows["signed"], s.Shows["of"] = len(q.Sections), names(narrowed), g.block, g.signed, g.of
	s.say("she asks for %d sections; Maria grants vital signs and medicines, treatment, 90 days   ✓ final in block %d (%d of %d signed)", len(q.Sections), g.block, g.signed, g.of)
	return nil
}

func (t *tour) isRead(ctx context.Context, s *Step) error {
	o, err := t.reads(ctx, t.granted)
	if err != nil {
		return err
	}
	if len(o.readings) != 24 {
		return fmt.Errorf("want 24 sealed readings, got %d", len(o.readings))
	}
	newest := o.readings[len(o.readings)-1]
	value := newest.Systolic + "/" + newest.Diastolic
	if value != "109/75" || !newest.InRange {
		return fmt.Errorf("the newest reading is %s, in range: %v; want 109/75 in range", value, newest.InRange)
	}
	s.Shows["block"], s.Shows["readings"], s.Shows["newest"], s.Shows["milliseconds"] = o.row.Block, len(o.readings), value, o.took.Milliseconds()
	s.say("✓ trace first (block %d), then %d sealed readings released and opened: %s mmHg, in range   %d ms", o.row.Block, len(o.readings), value, o.took.Milliseconds())
	return nil
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
	a, err := t.moreau.get(ctx, block, "/fhir/Patient/"+t.chart+"/$everything")
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
	rows := slices.DeleteFunc(slices.Clone(log.Rows), func(r exchange.Activity) bool { return r.Count > 0 }) // how many more there were
	for _, r := range rows {
		if r.Member == "" || r.Detail == nil || r.Detail.Name == "" || r.Purpose == "" || r.Block == 0 {
			return fmt.Errorf("a row of block %d does not say who, where and what for", r.Block)
		}
		people[r.Detail.Name+", "+r.Member] = true
	}
	for _, r := range rows[:min(len(rows), 3)] {
		records := fmt.Sprintf("%d records", r.Records)
		if r.Records == 1 {
			records = "1 record"
		}
		s.say("%s, %s · %v, %s · %s · %v · block %d", r.Detail.Name, r.Member, r.Section, records, r.Detail.Reason, r.Why, r.Block)
	}
	s.say("%d rows by %d people; complete, proven by the ledger (%d of %d signed)", len(log.Rows), len(people), log.Signed, log.Of)
	stopped, err := t.stops(ctx)
	if err != nil {
		return err
	}
	r, err := t.refused(ctx)
	if err != nil {
		return fmt.Errorf("after the stop: %w", err)
	}
	s.Shows["rows"], s.Shows["people"], s.Shows["proven"], s.Shows["stopped"], s.Shows["refusedInBlock"] = len(log.Rows), len(people), log.Proven, len(stopped), r.block
	s.say("She stops St. Elena (block %d); Dr. Okafor asks → ✗ refused (%v, block %d)", stopped[0].Block, r.why, r.block)
	s.say("What was already opened can't be un-seen; Maria sees exactly what that was.")
	return nil
}
