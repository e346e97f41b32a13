package home

import (
	"context"
	"errors"
	"fmt"

	"vitalog/exchange"
	"vitalog/key"
	"vitalog/wire"
)

// Limits of one call for many things.
const (
	maxWanted    = 256
	maxSmall     = 64 << 10 // bytes of a ciphertext or a sealed message that comes along
	maxWantedSum = 8 << 20  // bytes of an answer after which nothing else is begun
)

// wanted are records of a log whose headers and ciphertext are asked for together: one call in the place of hundreds, over a slow line.
type wanted struct {
	log     key.Log
	records []key.Record
}

func decodeWanted(b []byte) (w wanted, err error) {
	r := wire.NewReader(b)
	r.Fixed(w.log[:])
	w.records = readNames[key.Record](r)
	return w, r.End()
}

// decodeHashes reads the names of sealed messages that are asked for together.
func decodeHashes(b []byte) ([]wire.Hash, error) {
	r := wire.NewReader(b)
	hashes := readNames[wire.Hash](r)
	return hashes, r.End()
}

func readNames[T ~[32]byte](r *wire.Reader) []T {
	out := make([]T, r.Count(maxWanted, 32))
	for i := range out {
		out[i] = T(r.Take(32))
	}
	if r.Err() == nil && len(out) == 0 {
		r.Fail(fmt.Errorf("a list of nothing: %w", wire.ErrNonCanonical))
	}
	return out
}

// many answers with what there is of each name, in their order, until it is enough for one answer.
func many[T any](names []T, each func(name T, w *wire.Writer) error) ([]byte, error) {
	var list, out wire.Writer
	n := 0
	for _, name := range names {
		if err := each(name, &list); err != nil {
			return nil, err
		}
		if n++; len(list.Done()) >= maxWantedSum {
			break
		}
	}
	out.U32(uint32(n))
	out.Fixed(list.Done())
	return out.Done(), nil
}

func records(ctx context.Context, home exchange.Home, w wanted) ([]byte, error) {
	return many(w.records, func(id key.Record, out *wire.Writer) error {
		header, blob, err := recordOf(ctx, home, w.log, id)
		out.Bytes(header)
		out.Bytes(blob)
		return err
	})
}

func blobs(ctx context.Context, home exchange.Home, hashes []wire.Hash) ([]byte, error) {
	return many(hashes, func(h wire.Hash, out *wire.Writer) error {
		b, err := home.Blob(ctx, h)
		if errors.Is(err, exchange.ErrNotShared) {
			err = nil
		}
		if len(b) > maxSmall {
			b = nil
		}
		out.Bytes(b)
		return err
	})
}

// recordOf is a header and its ciphertext, each empty where nobody has it, and the ciphertext where it is large.
func recordOf(ctx context.Context, home exchange.Home, log key.Log, id key.Record) (header, blob []byte, err error) {
	h, err := home.Header(ctx, log, id)
	if errors.Is(err, exchange.ErrNotShared) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if h.Padded+16 > maxSmall { // more than one chunk, or one that is full
		return h.Encode(), nil, nil
	}
	blob, err = home.Blob(ctx, h.Blob)
	if errors.Is(err, exchange.ErrNotShared) {
		err = nil
	}
	return h.Encode(), blob, err
}
