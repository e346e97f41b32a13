package home

import (
	"context"
	"errors"
	"fmt"

	"vitalog/exchange"
	"vitalog/key"
	"vitalog/wire"
)

// Limits of one call for many records.
const (
	maxRecords    = 256
	maxRecordBlob = 64 << 10 // bytes of a ciphertext that comes along
	maxRecordsSum = 8 << 20  // bytes of an answer after which no other record is begun
)

// wanted are records of a log whose headers and ciphertext are asked for together: one call in the place of hundreds, over a slow line.
type wanted struct {
	log     key.Log
	records []key.Record
}

func decodeWanted(b []byte) (w wanted, err error) {
	r := wire.NewReader(b)
	r.Fixed(w.log[:])
	w.records = make([]key.Record, r.Count(maxRecords, 32))
	for i := range w.records {
		r.Fixed(w.records[i][:])
	}
	if r.Err() == nil && len(w.records) == 0 {
		r.Fail(fmt.Errorf("no records: %w", wire.ErrNonCanonical))
	}
	return w, r.End()
}

// records answers with what there is of each record, in their order, until it is enough for one answer.
func records(ctx context.Context, home exchange.Home, w wanted) ([]byte, error) {
	var list wire.Writer
	n := 0
	for _, id := range w.records {
		header, blob, err := recordOf(ctx, home, w.log, id)
		if err != nil {
			return nil, err
		}
		list.Bytes(header)
		list.Bytes(blob)
		if n++; len(list.Done()) >= maxRecordsSum {
			break
		}
	}
	var out wire.Writer
	out.U32(uint32(n))
	out.Fixed(list.Done())
	return out.Done(), nil
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
	if h.Padded+16 > maxRecordBlob { // more than one chunk, or one that is full
		return h.Encode(), nil, nil
	}
	blob, err = home.Blob(ctx, h.Blob)
	if errors.Is(err, exchange.ErrNotShared) {
		err = nil
	}
	return h.Encode(), blob, err
}
