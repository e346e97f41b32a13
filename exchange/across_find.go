package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"vitalog/chart"
	"vitalog/fhir"
	"vitalog/key"
	"vitalog/panel"
	"vitalog/section"

	"golang.org/x/sync/errgroup"
)

// indexOpened puts what was opened into the index across patients.
func (m *Member) indexOpened(chartID string, opened []chart.Opened, c *chart.Chart) {
	if m.across.mode == panel.None {
		return
	}
	found := map[section.Section]map[uint64][]panel.Version{}
	for _, o := range opened {
		made, _ := c.Made(o.Log, o.Entry)
		var versions []panel.Version
		for _, v := range made {
			p := panel.Version{Type: v.Item.Type, ID: v.Item.ID, Entry: v.Entry, Author: v.Content.Author.Key, Deleted: v.Item.Status == chart.Deleted}
			if r := v.Item.Resource(); r != nil {
				p.Keys = fhir.KeysOf(r, v.Identity())
			}
			versions = append(versions, p)
		}
		put(found, o.Section, o.Entry, versions...)
	}
	m.indexAll(chartID, found)
}

// indexWritten puts what this member wrote into the index across patients.
func (m *Member) indexWritten(chartID string, drafts []Draft, at []Published) {
	if m.across.mode == panel.None {
		return
	}
	found := map[section.Section]map[uint64][]panel.Version{}
	for i, d := range drafts {
		p := panel.Version{Type: d.Resource.Type(), ID: d.ID, Entry: at[i].Entry, Author: m.ring.Member().Public(), Deleted: d.Deleted}
		if !d.Deleted {
			to := map[string]string{}
			for _, r := range d.Refs {
				to[r.From] = r.To
			}
			p.Keys = fhir.KeysOf(d.Resource, fhir.Identity{ID: d.ID, Updated: at[i].At, Ref: func(from string) string {
				if r, ok := to[from]; ok {
					return r
				}
				return from
			}})
		}
		put(found, d.Section, at[i].Entry, p)
	}
	m.indexAll(chartID, found)
}

func put(found map[section.Section]map[uint64][]panel.Version, s section.Section, entry uint64, versions ...panel.Version) {
	if found[s] == nil {
		found[s] = map[uint64][]panel.Version{}
	}
	found[s][entry] = append(found[s][entry], versions...)
}

// indexAll puts versions into the index. What doesn't get there is lacking, and the chart is looked through once more.
func (m *Member) indexAll(chartID string, found map[section.Section]map[uint64][]panel.Version) {
	c, err := m.index.chart(chartID)
	for s, entries := range found {
		if err == nil && c != nil && c.Sections[s] != nil && s <= section.Genetics {
			err = m.reindex(c, s, false, entries)
		}
	}
	if err != nil {
		m.log.Error("putting into the index across patients", "err", err)
		m.across.change(chartID)
	}
}

// Across finds where resources may be that match, in all charts, as the newest state of the ledger lets this member read them for a
// purpose. It opens nothing and says nothing about anybody: see OpenFound.
func (m *Member) Across(ctx context.Context, purpose string, q panel.Query) ([]panel.Found, error) {
	if err := m.across.wait(ctx, m.node.Ledger().Height(), false); err != nil {
		return nil, err
	}
	return m.across.Find(q, func(log key.Log) (func(uint64) bool, error) {
		may, _, err := m.readable(log, purpose)
		return may, err
	})
}

// AcrossLacks tells whether the index lacks records of some sections that this member may read for a purpose.
func (m *Member) AcrossLacks(purpose string, in []section.Section) (bool, error) {
	m.across.mu.Lock()
	looked := m.across.looked
	m.across.mu.Unlock()
	if !looked {
		return true, nil
	}
	err := m.across.Lacking(func(l *panel.Log) error {
		if !slices.Contains(in, l.Section) {
			return nil
		}
		may, _, err := m.readable(l.Log, purpose)
		if err == nil && slices.ContainsFunc(l.Lacks, may) {
			err = errEnough
		}
		return err
	})
	if errors.Is(err, errEnough) {
		return true, nil
	}
	return false, err
}

// OpenFound opens what was found in one chart, and nothing else of it but later records of the same logs that are not in the index: they
// may hold newer versions. The caller closes each.
func (m *Member) OpenFound(ctx context.Context, who Asker, found []panel.Found) (opened []*Opened, err error) {
	entries := map[section.Section][]uint64{}
	for _, f := range found {
		entries[f.Section] = append(entries[f.Section], f.Entry)
	}
	for _, s := range section.Clinical() {
		want := Want{Sections: []section.Section{s}, Entries: entries[s]}
		if len(want.Entries) == 0 {
			continue
		}
		log := found[slices.IndexFunc(found, func(f panel.Found) bool { return f.Section == s })].Log
		l, err := m.across.Of(log)
		may, _, errMay := m.readable(log, who.Purpose)
		if err = errors.Join(err, errMay); err == nil && l != nil {
			first := slices.Min(want.Entries)
			for _, n := range l.Lacks {
				if n > first && may(n) {
					want.Entries = append(want.Entries, n)
				}
			}
		}
		slices.Sort(want.Entries)
		want.Entries = slices.Compact(want.Entries)
		var o *Opened
		if err == nil {
			o, err = m.Open(ctx, who, found[0].Chart, want)
		}
		if err != nil {
			for _, o := range opened {
				o.Close()
			}
			return nil, err
		}
		opened = append(opened, o)
	}
	return opened, nil
}

// Reindexed is how far the index across patients was made anew.
type Reindexed struct {
	Charts  int `json:"charts"`  // looked at
	Of      int `json:"of"`      // known here
	Records int `json:"records"` // opened for the index
	Failed  int `json:"failed"`  // that did not open, or were refused meanwhile
}

// openAtOnce is how many charts a rebuild opens side by side, and openTogether how many records of one.
const openAtOnce, openTogether = 16, 200

// Reindex opens the records that the index across patients lacks and who may read for the purpose: each is a row in the patient's log. anew
// empties the index first. It can be repeated, and goes on where it ended.
func (m *Member) Reindex(ctx context.Context, who Asker, anew bool, tell func(Reindexed) error) (Reindexed, error) {
	x := m.across
	if x.mode == panel.None {
		return Reindexed{}, fmt.Errorf("%w: search_across is none: there is no index to rebuild", ErrInvalid)
	}
	all, err := m.index.ids()
	if err == nil && anew {
		m.CloseCharts() // what stays open is not opened again, and would be lacking
		if err = x.Empty(m.node.Ledger().Height()); err == nil {
			x.updated(nil)
			x.change(all...)
		}
	}
	if err == nil {
		err = x.wait(ctx, m.node.Ledger().Height(), true)
	}
	if err != nil {
		return Reindexed{}, err
	}
	var mu sync.Mutex
	done := Reindexed{Of: len(all)}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(openAtOnce)
	for _, id := range all {
		g.Go(func() error {
			records, failed, err := m.openLacks(ctx, who, id)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			done.Charts, done.Records, done.Failed = done.Charts+1, done.Records+records, done.Failed+failed
			return tell(done)
		})
	}
	err = g.Wait()
	return done, err
}

func (m *Member) openLacks(ctx context.Context, who Asker, chartID string) (records, failed int, err error) {
	c, err := m.index.chart(chartID)
	if err != nil || c == nil {
		return 0, 0, err
	}
	for _, s := range section.Clinical() {
		st := c.Sections[s]
		if st == nil || !slices.Contains(st.Purposes, who.Purpose) {
			continue
		}
		l, err := m.across.Of(st.Log)
		if err != nil {
			return records, failed, err
		}
		if l == nil {
			continue // nothing is on the ledger yet
		}
		may, _, err := m.readable(st.Log, who.Purpose)
		if err != nil {
			return records, failed, err
		}
		lacks := slices.DeleteFunc(l.Lacks, func(n uint64) bool { return !may(n) })
		for some := range slices.Chunk(lacks, openTogether) {
			o, err := m.Open(ctx, who, chartID, Want{Sections: []section.Section{s}, Entries: some})
			if _, refused := errors.AsType[*Refused](err); refused || errors.Is(err, ErrNotShared) {
				failed += len(some)
				continue
			}
			if err != nil {
				return records, failed, err
			}
			o.Close()
			records, failed = records+len(some)-len(o.Errors), failed+len(o.Errors)
		}
	}
	return records, failed, nil
}
