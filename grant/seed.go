package grant

import (
	"fmt"
	"log/slog"

	"vitalog/key"
	"vitalog/wire"
)

// Seed is the secret of one epoch's reader key. It neither prints nor compares.
type Seed struct {
	_      [0]func()
	Epoch  uint32
	secret [32]byte
}

// NewSeed is the seed of epoch, as key.SectionKeys derives it.
func NewSeed(epoch uint32, secret [32]byte) Seed { return Seed{Epoch: epoch, secret: secret} }

// Reader is the reader key of the seed's epoch.
func (s Seed) Reader() *key.Decapsulating { return key.NewDecapsulating(s.secret) }

// EncodeSeeds is for a keyring to wrap. The result is secret.
func EncodeSeeds(seeds []Seed) []byte {
	var w wire.Writer
	appendSeeds(&w, seeds)
	return w.Done()
}

// DecodeSeeds reads what a keyring has unwrapped.
func DecodeSeeds(b []byte) ([]Seed, error) {
	r := wire.NewReader(b)
	seeds := readSeeds(r)
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("reader seeds: %w", err)
	}
	return seeds, nil
}

func appendSeeds(w *wire.Writer, seeds []Seed) {
	w.U32(uint32(len(seeds)))
	for i := range seeds {
		w.U32(seeds[i].Epoch)
		w.Fixed(seeds[i].secret[:])
	}
}

func readSeeds(r *wire.Reader) []Seed {
	out := make([]Seed, r.Count(MaxSeeds, 36))
	last := uint32(0)
	for i := range out {
		out[i].Epoch = r.U32()
		r.Fixed(out[i].secret[:])
		if r.Err() == nil && out[i].Epoch <= last {
			r.Fail(fmt.Errorf("seed of epoch %d after %d: %w", out[i].Epoch, last, wire.ErrNonCanonical))
		}
		last = out[i].Epoch
	}
	return out
}

// LogValue keeps the secret out of logs.
func (Seed) LogValue() slog.Value { return slog.StringValue("(secret)") }

// String keeps the secret out of formatted text.
func (s Seed) String() string { return fmt.Sprintf("(reader seed of epoch %d)", s.Epoch) }

// GoString keeps the secret out of %#v.
func (s Seed) GoString() string { return s.String() }
