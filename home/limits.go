package home

import (
	"io"
	"sync"
	"time"
)

// What a member does in a minute for all those together who come to it: nobody has an account.
const (
	ticketsPerMinute = 1200      // logs and posts that it admits. An enrolment takes one per section
	claimsPerMinute  = 600       // and lists of owner locks, each of which has a member read
	bytesPerMinute   = 256 << 20 // of bodies that it takes, and so of blobs and records that it stores
)

// atOnce is how many calls that may have to ask other members are worked on: fewer than the member has room for towards each.
const atOnce = 32

// budget is what is left of something in this minute.
type budget struct {
	limit int64

	mu     sync.Mutex // of minute and spent
	minute int64
	spent  int64
}

// take spends n, or tells that there is not so much left.
func (b *budget) take(n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now := time.Now().Unix() / 60; now != b.minute {
		b.minute, b.spent = now, 0
	}
	b.spent += n
	return b.spent <= b.limit
}

// metered takes what is read from a budget as it comes, so that one who announces much and sends nothing keeps nobody out.
type metered struct {
	io.Reader
	bytes *budget
}

func (m metered) Read(p []byte) (int, error) {
	n, err := m.Reader.Read(p)
	if !m.bytes.take(int64(n)) {
		return n, errBusy
	}
	return n, err
}
