package chart

import (
	"cmp"
	"iter"
	"maps"
	"slices"

	"vitalog/key"
	"vitalog/section"
)

// Opened is a record of one of the patient's logs that was opened. Its content must have been verified.
type Opened struct {
	Log     key.Log
	Section section.Section
	Entry   uint64 // its number in the log
	At      uint64 // ledger clock, ms
	Content *Content
}

// Chart is a patient's resources, as far as the reader opened them. It is immutable and safe for concurrent use. Charts that With
// makes of each other share what is the same in them.
type Chart struct {
	records map[key.Log][]*Opened // of a log ascending by entry
	tables  map[string]*table     // by type, none empty
	bytes   int
}

// Problem is an item that the chart leaves out, and why.
type Problem struct {
	Opened
	Type, ID string
	Text     string
}

// NotAuthor is the problem of an item that amends somebody else's resource.
const NotAuthor = "amended by a member that did not write it"

// Get is the resource of that type and id, nil if the chart has none. It may be deleted.
func (c *Chart) Get(resourceType, id string) *Resource {
	t := c.tables[resourceType]
	if i, ok := t.find(id); ok {
		return t.byID[i]
	}
	return nil
}

// Of are the resources of a type by id, deleted ones too.
func (c *Chart) Of(resourceType string) []*Resource {
	if t := c.tables[resourceType]; t != nil {
		return slices.Clone(t.byID)
	}
	return nil
}

// Len is the number of resources, deleted ones too.
func (c *Chart) Len() (n int) {
	for _, t := range c.tables {
		n += len(t.byID)
	}
	return n
}

// All are the resources that are not deleted, by type and id.
func (c *Chart) All() iter.Seq[*Resource] {
	return func(yield func(*Resource) bool) {
		for _, name := range slices.Sorted(maps.Keys(c.tables)) {
			for _, r := range c.tables[name].byID {
				if !r.Deleted() && !yield(r) {
					return
				}
			}
		}
	}
}

// Made are the versions that one entry made, in the order of its items; ok tells whether the chart has the entry.
func (c *Chart) Made(log key.Log, entry uint64) (out []*Version, ok bool) {
	records := c.records[log]
	i, ok := slices.BinarySearchFunc(records, &Opened{Entry: entry}, byEntry)
	if !ok {
		return nil, false
	}
	for number := range records[i].Content.Items {
		x := &records[i].Content.Items[number]
		for _, v := range c.Get(x.Type, x.ID).versions {
			if v.Log == log && v.Entry == entry && v.number == number {
				out = append(out, v)
			}
		}
	}
	return out, true
}

// Problems are the items that were left out, in the order of their records.
func (c *Chart) Problems() []Problem {
	var left []*Version
	for _, t := range c.tables {
		if t.problems == 0 {
			continue
		}
		for _, r := range t.byID {
			for _, v := range r.items {
				if v.Content.Author.Key != r.Author().Key {
					left = append(left, v)
				}
			}
		}
	}
	slices.SortFunc(left, (*Version).compare)
	var out []Problem
	for _, v := range left {
		out = append(out, Problem{v.Opened, v.Item.Type, v.Item.ID, NotAuthor})
	}
	return out
}

// Bytes is the length of all resources that the chart holds as they were received, superseded versions too. The chart takes about twice as
// much memory.
func (c *Chart) Bytes() int { return c.bytes }

// compare orders records as the fold does: by time, section, number and log.
func (o *Opened) compare(p *Opened) int {
	return cmp.Or(cmp.Compare(o.At, p.At), cmp.Compare(o.Section, p.Section), cmp.Compare(o.Entry, p.Entry), slices.Compare(o.Log[:], p.Log[:]))
}
