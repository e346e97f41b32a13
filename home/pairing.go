package home

import (
	"bytes"
	"net/http"
	"sync"
	"time"

	"vitalog/exchange"
	"vitalog/wire"
)

// Limits of mailboxes in which two devices of a patient meet (spec/pairing.md).
const (
	maxMailboxes       = 1024 // at once, over all who come
	mailboxesPerMinute = 120
	mailboxLife        = 10 * time.Minute
	maxLeft            = 4 << 10 // bytes in one place
	places             = 3       // public key, hello, keys; who reads the last ends the mailbox
)

// placed is where something is left or looked for.
type placed struct {
	mailbox wire.Hash
	place   uint8
	left    []byte // nothing in a call that looks
}

func decodePlaced(b []byte) (placed, error) {
	r := wire.NewReader(b)
	var p placed
	r.Fixed(p.mailbox[:])
	if p.place = r.U8(); p.place >= places {
		r.Fail(wire.ErrNonCanonical)
	}
	if r.Err() == nil {
		p.left = b[len(p.mailbox)+1:]
	}
	return p, r.Err()
}

type mailbox struct {
	left  [places][]byte
	until time.Time
}

// mailboxes are in memory alone: what is in them is sealed or public, and of no use after minutes.
type mailboxes struct {
	begun budget
	now   func() time.Time

	mu  sync.Mutex // of all
	all map[wire.Hash]*mailbox
}

func newMailboxes() *mailboxes {
	return &mailboxes{begun: budget{limit: mailboxesPerMinute}, now: time.Now, all: map[wire.Hash]*mailbox{}}
}

// put leaves bytes in a place, once. The same bytes again change nothing.
func (m *mailboxes) put(p placed) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	box := m.find(p.mailbox)
	if box == nil {
		if p.place != 0 {
			return exchange.ErrNotShared
		}
		for id := range m.all { // those whose time is over make room
			m.find(id)
		}
		if len(m.all) >= maxMailboxes || !m.begun.take(1) {
			return errBusy
		}
		box = &mailbox{until: m.now().Add(mailboxLife)}
		m.all[p.mailbox] = box
	}
	switch before := box.left[p.place]; {
	case before == nil:
		box.left[p.place] = p.left
	case !bytes.Equal(before, p.left):
		return exchange.ErrConflict
	}
	return nil
}

// get is what is in a place, or nothing yet.
func (m *mailboxes) get(p placed) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	box := m.find(p.mailbox)
	if box == nil {
		return nil, exchange.ErrNotShared
	}
	b := box.left[p.place]
	if b != nil && p.place == places-1 {
		delete(m.all, p.mailbox)
	}
	return b, nil
}

// find forgets a mailbox whose time is over. The caller holds the lock.
func (m *mailboxes) find(id wire.Hash) *mailbox {
	box := m.all[id]
	if box != nil && !m.now().Before(box.until) {
		delete(m.all, id)
		return nil
	}
	return box
}

func (m *mailboxes) handle(s *Server) {
	s.handle("pairing-put", 33+maxLeft, func(_ *http.Request, body []byte) ([]byte, error) {
		p, err := decodePlaced(body)
		if err == nil && len(p.left) == 0 {
			err = wire.ErrTruncated
		}
		if err != nil {
			return nil, invalid{err}
		}
		return nil, m.put(p)
	})
	s.handle("pairing-get", 33, func(_ *http.Request, body []byte) ([]byte, error) {
		p, err := decodePlaced(body)
		if err != nil {
			return nil, invalid{err}
		}
		return m.get(p)
	})
}
