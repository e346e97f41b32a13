package op_test

import (
	"bytes"
	"testing"

	"vitalog/key"
	"vitalog/op"
)

// What decodes encodes again to the same bytes.

func FuzzOperation(f *testing.F) {
	for _, b := range samples() {
		f.Add(signed(f, b).Encode(network))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := op.Decode(network, b)
		if err != nil {
			return
		}
		if got := o.Encode(network); !bytes.Equal(got, b) {
			t.Errorf("encodes again as %x", got)
		}
		if o.Size() != len(b) {
			t.Errorf("%d bytes, says %d", len(b), o.Size())
		}
	})
}

func FuzzTx(f *testing.F) {
	var all []*op.Operation
	for _, b := range samples() {
		all = append(all, signed(f, b))
		f.Add(op.EncodeTx(network, all[len(all)-1:]))
	}
	f.Add(op.EncodeTx(network, all[:6]))
	f.Add(op.EncodeClock(7))
	f.Fuzz(func(t *testing.T, b []byte) {
		if ms, ok := op.DecodeClock(b); ok && !bytes.Equal(op.EncodeClock(ms), b) {
			t.Errorf("clock %d encodes again to other bytes", ms)
		}
		ops, err := op.DecodeTx(network, b)
		if err != nil {
			return
		}
		if got := op.EncodeTx(network, ops); !bytes.Equal(got, b) {
			t.Errorf("encodes again as %x", got)
		}
	})
}

func FuzzEntry(f *testing.F) {
	for _, e := range entries() {
		f.Add(e.Encode())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := op.DecodeEntry(key.Log{1}, 7, b)
		if err != nil {
			return
		}
		if got := e.Encode(); !bytes.Equal(got, b) {
			t.Errorf("encodes again as %x", got)
		}
	})
}

func FuzzHead(f *testing.F) {
	h := someHead()
	f.Add(h.Encode())
	h.Grants, h.Erased, h.Kept = nil, nil, nil
	f.Add(h.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		number, log, errOf := op.HeadOf(b)
		h, err := op.DecodeHead(b)
		if err != nil {
			return
		}
		if errOf != nil || number != h.Number || log != h.Log {
			t.Errorf("head %d of %v is taken for %d of %v, %v", h.Number, h.Log, number, log, errOf)
		}
		if got := h.Encode(); !bytes.Equal(got, b) {
			t.Errorf("encodes again as %x", got)
		}
	})
}

func FuzzProof(f *testing.F) {
	p := &op.Proof{Height: 3, Entry: entries()[1].Encode(), Head: someHead().Encode(), State: op.State{Count: 1}}
	f.Add(p.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := op.DecodeProof(b)
		if err != nil {
			return
		}
		if got := p.Encode(); !bytes.Equal(got, b) {
			t.Errorf("encodes again as %x", got)
		}
		_, _, _ = p.Check(key.Log{1}, 7) // may fail, may not panic
	})
}
