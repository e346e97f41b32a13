package subscription

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"vitalog/chart"
	"vitalog/exchange"
	"vitalog/key"
	"vitalog/op"
	"vitalog/section"
)

// place is an entry, and the section of its log.
type place struct {
	section section.Section
	log     key.Log
	entry   uint64
}

// candidate is an entry that may be an event.
type candidate struct {
	place
	block, at uint64
}

// concerns tells whether an entry is one that a subscription's topic is about and that its subscriber may know of now.
func (s *sub) concerns(w *exchange.Watched, e *op.Entry) bool {
	if !w.Granted {
		return false
	}
	switch said := e.Says.(type) {
	case *op.Recorded:
		return s.Terms.Topic == ResourceChange && w.MayRead(e.Number) && s.filter.canBeIn(w.Section)
	case *op.Accessed, *op.Refusals:
		return s.Terms.Topic == RecordAccess && w.Custody
	case *op.Grant:
		return s.Terms.Topic == ConsentChange && (w.Custody || w.Owns(said.Key))
	case *op.Revoke:
		return s.Terms.Topic == ConsentChange && w.Custody
	}
	return false
}

// canBeIn tells whether a section can have what the filter lets through.
func (f *filter) canBeIn(s section.Section) bool {
	return len(f.types) == 0 || slices.ContainsFunc(f.types, func(t string) bool { return slices.Contains(section.Where(t), s) })
}

// opens tells whether a record is opened to find out what its event is.
func (s *sub) opens() bool {
	return s.Terms.Topic == ResourceChange && (s.Terms.Content != Empty || len(s.filter.types) > 0)
}

func (s *sub) count() int { return cmp.Or(s.Terms.Count, defaultCount) }

const defaultCount = 20

// watched is the logs of the subscription's patient.
func (b *Book) watched(s *sub) (map[key.Log]*exchange.Watched, error) {
	list, err := b.Member.Watch(s.filter.patient, s.Who.Purpose)
	if err != nil {
		return nil, err
	}
	out := map[key.Log]*exchange.Watched{}
	logs := map[key.Log]bool{}
	for i := range list {
		out[list[i].Log], logs[list[i].Log] = &list[i], true
	}
	s.mu.Lock()
	s.logs = logs
	s.mu.Unlock()
	return out, nil
}

// look finds what the ledger has since the subscription last looked: the first candidates in the order of their blocks, and where it goes on.
func (b *Book) look(ctx context.Context, s *sub) (found []candidate, next map[key.Log]uint64, err error) {
	height := b.Chain.Ledger().Height()
	if err := b.Member.Followed(ctx, height); err != nil { // so that the messages of its grants were opened
		return nil, nil, err
	}
	logs, err := b.watched(s)
	if err != nil {
		return nil, nil, err
	}
	next = maps.Clone(s.at.Next)
	for log, w := range logs {
		from, known := next[log]
		if !known {
			from = w.Since
		}
		if next[log], err = b.lookInto(s, w, from, height, &found); err != nil {
			return nil, nil, err
		}
	}
	slices.SortFunc(found, func(x, y candidate) int {
		return cmp.Or(cmp.Compare(x.block, y.block), cmp.Compare(x.section, y.section), cmp.Compare(x.entry, y.entry))
	})
	if n := s.count(); len(found) > n {
		for _, c := range slices.Backward(found[n:]) {
			next[c.log] = c.entry // the first of each log that is left for the next time
		}
		found = found[:n]
	}
	return found, next, nil
}

var errEnough = errors.New("enough")

// lookInto adds the candidates of one log, as many as are told at once, and returns the entry to go on with.
func (b *Book) lookInto(s *sub, w *exchange.Watched, from, height uint64, found *[]candidate) (next uint64, err error) {
	next, n := from, 0
	err = b.Chain.Ledger().Entries(w.Log, from, w.Size, func(e *op.Entry) error {
		if s.concerns(w, e) {
			block, err := b.Chain.Ledger().BlockOf(w.Log, e.Number)
			if err != nil {
				return err
			}
			if block > height || n == s.count() {
				return errEnough // what came since is for the next time, with what came in other logs
			}
			if block > s.After {
				*found = append(*found, candidate{place{w.Section, w.Log, e.Number}, block, e.At})
				n++
			}
		}
		next = e.Number + 1
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return next, err
}

// view is what was opened for some events. It is given back by close.
type view struct {
	opened []*exchange.Opened
	made   map[place][]*chart.Version
	broken []place // that did not open
}

func (v *view) close() {
	if v != nil {
		for _, o := range v.opened {
			o.Close()
		}
	}
}

// asker is who opens records for a subscription: a program of who subscribed, for their purpose.
func (s *sub) asker() exchange.Asker {
	who := s.Who
	who.Machine = true
	who.Reason = cmp.Or(who.Reason, "subscription")
	return who
}

// open opens the records at some places, each section's with one access. What the patient ended meanwhile is in neither list.
func (b *Book) open(ctx context.Context, s *sub, who exchange.Asker, places []place) (*view, error) {
	v := &view{made: map[place][]*chart.Version{}}
	bySection := map[section.Section][]place{}
	for _, p := range places {
		if same := bySection[p.section]; len(same) == 0 || same[len(same)-1] != p {
			bySection[p.section] = append(same, p)
		}
	}
	for _, sec := range slices.Sorted(maps.Keys(bySection)) {
		want := exchange.Want{Sections: []section.Section{sec}}
		for _, p := range bySection[sec] {
			want.Entries = append(want.Entries, p.entry)
		}
		o, err := b.Member.Open(ctx, who, s.filter.patient, want)
		var refused *exchange.Refused
		if errors.As(err, &refused) {
			continue
		}
		if err != nil {
			v.close()
			return nil, fmt.Errorf("opening what a subscription is about: %w", err)
		}
		v.opened = append(v.opened, o)
		for _, p := range bySection[sec] {
			if made, ok := o.Chart.Made(p.log, p.entry); ok {
				v.made[p] = made
			} else if len(o.Refused) == 0 {
				v.broken = append(v.broken, p)
			}
		}
	}
	return v, nil
}

// events are what a candidate comes to: one for each resource that the filter lets through where its record was opened, else one.
func (s *sub) events(c candidate, v *view) (out []event) {
	e := event{Section: c.section, Log: c.log, Entry: c.entry, At: c.at}
	if v == nil || slices.Contains(v.broken, c.place) {
		return []event{e} // better told once too often than lost
	}
	for _, made := range v.made[c.place] {
		if len(s.filter.types) > 0 && !slices.Contains(s.filter.types, made.Item.Type) {
			continue
		}
		e.Type, e.ID, e.Change = made.Item.Type, made.Item.ID, "create"
		switch {
		case made.Item.Status == chart.Deleted:
			e.Change = "delete"
		case len(made.Item.Supersedes) > 0:
			e.Change = "update"
		}
		out = append(out, e)
	}
	return out
}
