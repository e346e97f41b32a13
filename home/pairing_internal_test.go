package home

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"vitalog/exchange"
	"vitalog/wire"
)

func FuzzDecodePlaced(f *testing.F) {
	f.Add(make([]byte, 33))
	f.Add(append(make([]byte, 32), 2, 'k', 'e', 'y'))
	f.Add(append(make([]byte, 32), 3))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := decodePlaced(b)
		if err == nil && !bytes.Equal(append(append(p.mailbox[:], p.place), p.left...), b) {
			t.Errorf("%x encodes again to %x %d %x", b, p.mailbox, p.place, p.left)
		}
	})
}

func TestAMailboxIsForOnePairingAndForTenMinutes(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	m := newMailboxes()
	m.now = func() time.Time { return now }
	id := wire.Hash{7}
	put := func(place uint8, left string) error { return m.put(placed{id, place, []byte(left)}) }
	get := func(place uint8, want string, wantErr error) {
		t.Helper()
		if got, err := m.get(placed{mailbox: id, place: place}); string(got) != want || !errors.Is(err, wantErr) {
			t.Errorf("place %d: got %q, %v, want %q, %v", place, got, err, want, wantErr)
		}
	}
	if err := put(1, "hello"); !errors.Is(err, exchange.ErrNotShared) {
		t.Errorf("a hello before there is a mailbox: %v", err)
	}
	for range 2 { // a call that is repeated
		if err := put(0, "public key"); err != nil {
			t.Fatal(err)
		}
	}
	if err := put(0, "another key"); !errors.Is(err, exchange.ErrConflict) {
		t.Errorf("another key in the same place: %v", err)
	}
	get(0, "public key", nil)
	get(1, "", nil)
	if err := errors.Join(put(1, "hello"), put(2, "sealed")); err != nil {
		t.Fatal(err)
	}
	get(1, "hello", nil)
	get(2, "sealed", nil)
	get(2, "", exchange.ErrNotShared) // it is read once, and the mailbox ends with it
	get(0, "", exchange.ErrNotShared)

	if err := put(0, "public key"); err != nil {
		t.Fatal(err)
	}
	now = now.Add(mailboxLife)
	get(0, "", exchange.ErrNotShared)
}

func TestStrangersBeginNoMoreMailboxesThanThereIsRoomFor(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	m := newMailboxes()
	m.now = func() time.Time { return now }
	m.begun.limit = 2 * maxMailboxes
	begin := func(i int) error { return m.put(placed{wire.Hash{byte(i >> 8), byte(i)}, 0, []byte("key")}) }
	for i := range maxMailboxes {
		if err := begin(i); err != nil {
			t.Fatal(err)
		}
	}
	if err := begin(maxMailboxes); !errors.Is(err, errBusy) {
		t.Errorf("one more than there is room for: %v", err)
	}
	now = now.Add(mailboxLife)
	if err := begin(maxMailboxes); err != nil || len(m.all) != 1 {
		t.Errorf("when the others are over: %v, and %d are kept", err, len(m.all))
	}
}
