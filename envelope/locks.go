package envelope

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"vitalog/key"
	"vitalog/threshold"
)

// Locks says for whom to lock. Reader and network come together or not at all.
type Locks struct {
	Owner   *key.Exchange // the log's owner exchange key; nil: the log is in custody
	Reader  *key.Exchange // the reader key of Epoch; nil: nobody reads by grant
	Epoch   uint32
	Network threshold.Point2
	NetGen  uint32
	Author  Author // nil: the author keeps no copy once the record is destroyed
}

// Author is the author's own key, which never leaves its keeper. It gives half of the secret, as a grant does: the network's half comes for an
// access that the ledger has, here as there. Unwrap refuses what Wrap made in another context. What Wrap makes has at most MaxAuthor bytes.
type Author interface {
	Wrap(context []byte, half [32]byte) ([]byte, error)
	Unwrap(context, sealed []byte) ([32]byte, error)
}

// What a lock is sealed for. The numbers are part of each lock's associated data.
const (
	lockOwner  = 1
	lockReader = 2
	lockAuthor = 4 // 3 is the network lock, which its identity binds

	infoOwner  = "vitalog/v1/lock/owner"
	infoReader = "vitalog/v1/lock/reader"
)

// aad binds a lock to its envelope, its kind and its epoch.
func (h *Header) aad(kind byte, epoch uint32) []byte {
	ctx := h.hash()
	out := append(ctx[:], h.Com[:]...)
	return binary.BigEndian.AppendUint32(append(out, kind), epoch)
}

// ByOwner opens the owner's lock.
func (h *Header) ByOwner(o key.Opener) (*Secret, error) {
	if h.Owner == nil {
		return nil, errors.New("no owner lock: the log is in custody")
	}
	r, err := open32(o, infoOwner, h.aad(lockOwner, 0), h.Owner)
	if err != nil {
		return nil, fmt.Errorf("owner lock: %w", err)
	}
	return h.whole(r, "owner")
}

// ByKept takes a secret that the owner kept: see Secret.Keep.
func (h *Header) ByKept(r [32]byte) (*Secret, error) { return h.whole(r, "kept") }

// ByAuthor opens the author's lock and joins what is in it with b, which the members released.
func (h *Header) ByAuthor(by Author, b [32]byte) (*Secret, error) {
	if h.Author == nil {
		return nil, errors.New("no author lock")
	}
	a, err := by.Unwrap(h.aad(lockAuthor, 0), h.Author)
	if err != nil {
		return nil, fmt.Errorf("author lock: %w", err)
	}
	s := join(h.hash(), a, b)
	if err := h.fits(s); err != nil {
		return nil, fmt.Errorf("author lock, network lock of generation %d: %w", h.Network.Gen, err)
	}
	return s, nil
}

// ByReader opens the reader lock of epoch and joins what is in it with b, which the members released.
func (h *Header) ByReader(epoch uint32, o key.Opener, b [32]byte) (*Secret, error) {
	a, err := h.a(epoch, o)
	if err != nil {
		return nil, err
	}
	s := join(h.hash(), a, b)
	if err := h.fits(s); err != nil {
		return nil, fmt.Errorf("reader lock of epoch %d, network lock of generation %d: %w", epoch, h.Network.Gen, err)
	}
	return s, nil
}

// Kept is the header as the author of a destroyed record keeps it: the locks for anybody else are gone. It is an error if there is no
// author's lock.
func (h *Header) Kept() (*Header, error) {
	if h.Author == nil {
		return nil, errors.New("no author lock")
	}
	kept := *h
	kept.Owner, kept.Readers = nil, nil
	return &kept, nil
}

// B takes the mask off b with the secret that was decapsulated for ReleaseID. A wrong secret gives a wrong b, which ByReader and
// ByAuthor refuse.
func (h *Header) B(secret [32]byte) [32]byte { return xor(h.Network.B, secret) }

func (h *Header) reader(epoch uint32) (int, bool) {
	return slices.BinarySearchFunc(h.Readers, epoch, func(l ReaderLock, e uint32) int { return int(int64(l.Epoch) - int64(e)) })
}

// a is the grant's half of the secret.
func (h *Header) a(epoch uint32, o key.Opener) ([32]byte, error) {
	i, found := h.reader(epoch)
	if !found {
		return [32]byte{}, fmt.Errorf("no reader lock of epoch %d among %d", epoch, len(h.Readers))
	}
	a, err := open32(o, infoReader, h.aad(lockReader, epoch), h.Readers[i].Lock)
	if err != nil {
		return a, fmt.Errorf("reader lock of epoch %d: %w", epoch, err)
	}
	return a, nil
}

// whole checks an R that came out of a lock by itself.
func (h *Header) whole(r [32]byte, lock string) (*Secret, error) {
	s := &Secret{r: r}
	if err := h.fits(s); err != nil {
		return nil, fmt.Errorf("%s lock: %w", lock, err)
	}
	return s, nil
}

func open32(o key.Opener, info string, aad, sealed []byte) (out [32]byte, err error) {
	b, err := o.Open(info, aad, sealed)
	if err == nil && len(b) != len(out) {
		err = fmt.Errorf("%d bytes inside, want %d", len(b), len(out))
	}
	copy(out[:], b)
	return out, err
}

func xor(a, b [32]byte) (out [32]byte) {
	for i := range out {
		out[i] = a[i] ^ b[i]
	}
	return out
}
