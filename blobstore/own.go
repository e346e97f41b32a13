package blobstore

import (
	"sync"

	"vitalog/key"
	"vitalog/pack"
)

// own are the headers that came from this member's own clients: since the last flush began, and before that.
type own struct {
	mu     sync.Mutex
	now    headers
	before headers
}

// headers are some headers, or all.
type headers struct {
	all   bool
	names map[recordName]bool
}

type recordName struct {
	log key.Log
	id  key.Record
}

// maxOwn is how many headers are told from others: of more all count as this member's own. Each takes about 100 bytes.
const maxOwn = 200_000

func (h *headers) add(n recordName) {
	if h.all {
		return
	}
	if h.names == nil {
		h.names = map[recordName]bool{}
	}
	if h.names[n] = true; len(h.names) > maxOwn {
		h.all, h.names = true, nil
	}
}

func (h *headers) has(n recordName) bool { return h.all || h.names[n] }

// put notes headers before they are put, while no flush begins.
func (o *own) put(records []Record) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range records {
		if records[i].Own {
			o.now.add(recordName{records[i].Log, records[i].ID})
		}
	}
}

// has tells whether a header that is fresh is this member's own.
func (o *own) has(n pack.Name) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	name := recordName{n.Log, n.Record}
	return o.now.has(name) || o.before.has(name)
}

// begin is called when a flush begins, while nothing is put, and the function that it returns when it ends: what was put before it is packed if all was.
func (o *own) begin() (end func(all bool)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for n := range o.before.names { // of a flush that failed
		o.now.add(n)
	}
	o.before, o.now = headers{all: o.now.all || o.before.all, names: o.now.names}, headers{}
	return func(all bool) {
		o.mu.Lock()
		defer o.mu.Unlock()
		if all {
			o.before = headers{}
		}
	}
}
