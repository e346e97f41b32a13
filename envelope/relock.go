package envelope

import (
	"errors"
	"fmt"
	"slices"

	"vitalog/key"
	"vitalog/threshold"
)

// Relock puts new locks in the place of those named in to: of an owner that claims its log, of a new epoch, of a new network key.
// Reader, network and author locks can be made only with a secret that came by ByReader or ByAuthor.
func (h *Header) Relock(s *Secret, to Locks) error {
	if err := h.fits(s); err != nil {
		return err
	}
	next := *h
	next.Readers = slices.Clone(h.Readers)
	if err := next.lock(s, to); err != nil {
		return err
	}
	*h = next
	return nil
}

// Rotate adds a reader lock for epoch, or replaces it, with a as the lock of epoch from yields it to o. The log's owner derives the
// reader keys of all epochs and so needs no release for it; whether a is right shows when somebody opens by it.
func (h *Header) Rotate(from uint32, o key.Opener, epoch uint32, reader *key.Exchange) error {
	a, err := h.a(from, o)
	if err != nil {
		return err
	}
	return h.setReader(a, epoch, reader)
}

// Drop removes the reader lock of an epoch, unless it is the last.
func (h *Header) Drop(epoch uint32) error {
	i, found := h.reader(epoch)
	if !found || len(h.Readers) == 1 {
		return fmt.Errorf("dropping the reader lock of epoch %d: not there, or the last", epoch)
	}
	h.Readers = slices.Delete(slices.Clone(h.Readers), i, i+1)
	return nil
}

// lock makes the locks named in to.
func (h *Header) lock(s *Secret, to Locks) (err error) {
	if to.Owner != nil {
		if h.Owner, err = to.Owner.Seal(infoOwner, h.aad(lockOwner, 0), s.r[:]); err != nil {
			return fmt.Errorf("owner lock: %w", err)
		}
	}
	if (to.Reader != nil || to.NetGen != 0 || to.Author != nil) && !s.halves {
		return errors.New("a reader, network or author lock needs a secret that came by the network's lock")
	}
	if to.Author != nil {
		h.Author, err = to.Author.Wrap(h.aad(lockAuthor, 0), s.a)
		if err == nil && (len(h.Author) == 0 || len(h.Author) > MaxAuthor) {
			err = fmt.Errorf("%d bytes, want 1 to %d", len(h.Author), MaxAuthor)
		}
		if err != nil {
			return fmt.Errorf("author lock: %w", err)
		}
	}
	if to.Reader != nil {
		if err := h.setReader(s.a, to.Epoch, to.Reader); err != nil {
			return err
		}
	}
	if to.NetGen != 0 {
		id := ReleaseID(h.Context.Network, to.NetGen, h.Log, h.Writer, h.Record())
		u, mask, err := threshold.Encapsulate(to.Network, id)
		if err != nil {
			return fmt.Errorf("network lock of generation %d: %w", to.NetGen, err)
		}
		h.Network = NetworkLock{Gen: to.NetGen, U: u, B: xor(s.b, mask)}
	}
	return h.lockable()
}

// setReader locks a for epoch, in its place in the list.
func (h *Header) setReader(a [32]byte, epoch uint32, to *key.Exchange) error {
	if epoch == 0 {
		return errors.New("reader lock of epoch 0: epochs count from 1")
	}
	sealed, err := to.Seal(infoReader, h.aad(lockReader, epoch), a[:])
	if err != nil {
		return fmt.Errorf("reader lock of epoch %d: %w", epoch, err)
	}
	i, found := h.reader(epoch)
	readers := slices.Clone(h.Readers)
	switch {
	case found:
		readers[i].Lock = sealed
	case len(readers) == MaxReaders:
		return fmt.Errorf("reader lock of epoch %d: there are %d already, drop one first", epoch, MaxReaders)
	default:
		readers = slices.Insert(readers, i, ReaderLock{Epoch: epoch, Lock: sealed})
	}
	h.Readers = readers
	return nil
}
