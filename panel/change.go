package panel

import (
	"fmt"
	"slices"

	"vitalog/key"
	"vitalog/kv"
)

// Change is what is done to the versions of one log, in one step with the log.
type Change struct {
	x     *Index
	log   *Log
	rows  map[string]*resource // as they will be, by key
	batch []kv.Change
}

// Update changes what is known of a log: change gets it, without a chart if nothing is, and all or nothing is written of what it does. A
// crash may undo it, together with everything after it.
func (x *Index) Update(log key.Log, change func(l *Log, c *Change) error) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	k := x.logKey(kindLog, log)
	l, err := x.log(k)
	if err != nil {
		return err
	}
	if l == nil {
		l = &Log{Log: log}
	}
	marker, err := x.db.Get(x.logKey(kindLacking, log))
	if err != nil {
		return err
	}
	l.Lacking = marker != nil
	c := &Change{x: x, log: l, rows: map[string]*resource{}}
	if err := change(l, c); err != nil {
		return err
	}
	if l.Chart == "" {
		return nil
	}
	if len(l.Lacks) > maxLacks {
		return fmt.Errorf("index across patients: %v has more than %d records", log, maxLacks)
	}
	lacking := kv.Change{Key: x.logKey(kindLacking, log)}
	if l.Lacking {
		lacking.Value = []byte{}
	}
	for k, r := range c.rows {
		if len(r.versions) == 0 {
			c.batch = append(c.batch, kv.Change{Key: []byte(k)})
		} else {
			c.batch = append(c.batch, x.seal([]byte(k), r.encode()))
		}
	}
	if err := x.db.WriteLater(append(c.batch, x.seal(k, l.encode()), lacking)); err != nil {
		return fmt.Errorf("index across patients: %w", err)
	}
	return nil
}

// Add puts a version of a resource in, in the place of one of the same entry.
func (c *Change) Add(v Version) error {
	k := c.x.resourceKey(c.log.Log, v.Type+"/"+v.ID)
	r := c.rows[string(k)]
	if r == nil {
		var err error
		if r, err = c.x.resource(k); err != nil {
			return err
		}
	}
	if r == nil {
		r = &resource{Chart: c.log.Chart, Section: c.log.Section, Log: c.log.Log, Type: v.Type, ID: v.ID}
	}
	c.rows[string(k)] = r
	c.drop(k, r, func(w *noted) bool { return w.entry == v.Entry })
	if len(r.versions) == maxList || len(v.Keys.Terms) > maxList || len(v.Keys.Dates) > maxList || !fits(r) {
		return fmt.Errorf("index across patients: entry %d of %v has more than can be noted", v.Entry, c.log.Log)
	}
	n := noted{entry: v.Entry, author: v.Author, deleted: v.Deleted, dates: v.Keys.Dates}
	for _, t := range v.Keys.Terms {
		h := c.x.hash(t)
		n.terms = append(n.terms, h)
		c.batch = append(c.batch, c.x.seal(c.x.posting(h, k, v.Entry), place{k, v.Entry}.encode()))
	}
	i, _ := slices.BinarySearchFunc(r.versions, v.Entry, func(w noted, entry uint64) int {
		if w.entry < entry {
			return -1
		}
		return 1
	})
	r.versions = slices.Insert(r.versions, i, n)
	return nil
}

// drop takes versions out, with their postings.
func (c *Change) drop(k []byte, r *resource, which func(*noted) bool) {
	r.versions = slices.DeleteFunc(r.versions, func(w noted) bool {
		if !which(&w) {
			return false
		}
		for _, h := range w.terms {
			c.batch = append(c.batch, kv.Change{Key: c.x.posting(h, k, w.entry)})
		}
		return true
	})
}

// Keep takes out of the log what is not to stay, and tells which entries those were, ascending.
func (c *Change) Keep(stays func(entry uint64) bool) (gone []uint64, err error) {
	from := c.x.logKey(kindResource, c.log.Log)
	err = c.x.db.Scan(from, after(from), func(k, sealed []byte) error {
		r, err := c.x.openResource(k, sealed)
		if err != nil {
			return err
		}
		k = slices.Clone(k)
		c.drop(k, r, func(w *noted) bool {
			if stays(w.entry) {
				return false
			}
			gone = append(gone, w.entry)
			c.rows[string(k)] = r
			return true
		})
		return nil
	})
	slices.Sort(gone)
	return slices.Compact(gone), err
}
