package chart

import (
	"cmp"
	"maps"
	"slices"

	"vitalog/key"
)

// Fold makes the chart of records, in whatever order they come. A record that is given twice counts once. A resource belongs to the author
// of its first version; an item of another author is left out and reported.
func Fold(opened []Opened) *Chart { return new(Chart).With(opened) }

// With is the chart of c's records and these: the same as Fold makes of all of them. c stays as it is. What it costs depends on how many
// records are new; of the old ones only lists of pointers are copied.
func (c *Chart) With(opened []Opened) *Chart {
	fresh := c.unknown(opened)
	if len(fresh) == 0 {
		return c
	}
	next := c.copy()
	byLog := map[key.Log][]*Opened{}
	changed := map[string]map[string][]*Version{} // by type and id
	for _, o := range fresh {
		byLog[o.Log] = append(byLog[o.Log], o)
		next.bytes += o.Content.bytes()
		for i := range o.Content.Items {
			x := &o.Content.Items[i]
			ids := changed[x.Type]
			if ids == nil {
				ids = map[string][]*Version{}
				changed[x.Type] = ids
			}
			ids[x.ID] = append(ids[x.ID], &Version{Opened: *o, Item: x, number: i})
		}
	}
	for log, list := range byLog {
		slices.SortFunc(list, byEntry)
		next.records[log] = merge(c.records[log], list, byEntry)
	}
	for name, ids := range changed {
		next.tables[name] = c.tables[name].with(ids)
	}
	return next
}

// unknown are the records that c hasn't got, in the order of the fold, each once.
func (c *Chart) unknown(opened []Opened) []*Opened {
	var fresh []*Opened
	for _, o := range opened {
		if _, known := slices.BinarySearchFunc(c.records[o.Log], &o, byEntry); !known {
			fresh = append(fresh, &o) // each by itself, so that a record that goes takes its memory with it
		}
	}
	slices.SortStableFunc(fresh, (*Opened).compare)
	seen := make(map[place]bool, len(fresh))
	return slices.DeleteFunc(fresh, func(o *Opened) bool {
		p := place{o.Log, o.Entry}
		known := seen[p]
		seen[p] = true
		return known
	})
}

// copy is a chart of its own with the same contents.
func (c *Chart) copy() *Chart {
	next := &Chart{records: maps.Clone(c.records), tables: maps.Clone(c.tables), bytes: c.bytes}
	if next.records == nil {
		next.records, next.tables = map[key.Log][]*Opened{}, map[string]*table{}
	}
	return next
}

// place is where an entry stands.
type place struct {
	log    key.Log
	number uint64
}

func byEntry(a, b *Opened) int { return cmp.Compare(a.Entry, b.Entry) }

// bytes is the length of the resources.
func (c *Content) bytes() (n int) {
	for i := range c.Items {
		n += len(c.Items[i].Raw)
	}
	return n
}

// merge is a new list of what two ascending lists hold, made for a short second one.
func merge[T any](old, fresh []T, compare func(a, b T) int) []T {
	out := make([]T, 0, len(old)+len(fresh))
	for _, x := range fresh {
		at, _ := slices.BinarySearchFunc(old, x, compare)
		out = append(append(out, old[:at]...), x)
		old = old[at:]
	}
	return append(out, old...)
}

// without is a new list of what isn't gone.
func without[T any](list []T, gone func(T) bool) []T {
	return slices.DeleteFunc(slices.Clone(list), gone)
}
