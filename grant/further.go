package grant

import (
	"fmt"

	"vitalog/key"
	"vitalog/op"
	"vitalog/wire"
)

// Further is one reading of a chart that was open already, as it lies in a member's outbox until its accesses are on the ledger:
// spec/outbox.md.
type Further struct {
	Chart    string // id of the chart, 1 to MaxID bytes
	Accesses []FurtherAccess
}

// FurtherAccess is what the reading owes one log.
type FurtherAccess struct {
	Purpose string // of the grantee key that signed, and signs again should the operation expire
	Size    uint64 // entries of the log when it was signed
	Detail  []byte // sealed
	Op      *op.Operation
}

// Encode is the only encoding. It refuses what DecodeFurther would.
func (f *Further) Encode(network key.Network) ([]byte, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	var w wire.Writer
	w.U8(Version)
	w.Bytes([]byte(f.Chart))
	w.U32(uint32(len(f.Accesses)))
	for _, a := range f.Accesses {
		w.Bytes([]byte(a.Purpose))
		w.U64(a.Size)
		w.Bytes(a.Detail)
		w.Bytes(a.Op.Encode(network))
	}
	return w.Done(), nil
}

// DecodeFurther reads a further use of this network. It doesn't verify the signatures.
func DecodeFurther(network key.Network, b []byte) (*Further, error) {
	r := wire.NewReader(b)
	readVersion(r)
	f := &Further{Chart: string(r.Bytes(MaxID))}
	for range r.Count(MaxFurther, 4+8+4+4) {
		a := FurtherAccess{Purpose: string(r.Bytes(MaxPurpose)), Size: r.U64(), Detail: r.Bytes(op.MaxSealed)}
		raw := r.Bytes(op.MaxBody)
		if r.Err() != nil {
			break
		}
		var err error
		if a.Op, err = op.Decode(network, raw); err != nil {
			return nil, fmt.Errorf("further use: %w", err)
		}
		f.Accesses = append(f.Accesses, a)
	}
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("further use: %w", err)
	}
	return f, f.check()
}

func (f *Further) check() error {
	switch {
	case f.Chart == "" || len(f.Chart) > MaxID:
		return fmt.Errorf("further use: id of a chart has %d bytes, want 1 to %d: %w", len(f.Chart), MaxID, wire.ErrNonCanonical)
	case len(f.Accesses) == 0 || len(f.Accesses) > MaxFurther:
		return fmt.Errorf("further use: %d accesses, want 1 to %d: %w", len(f.Accesses), MaxFurther, wire.ErrNonCanonical)
	}
	for i, a := range f.Accesses {
		body, ok := a.Op.Body.(*op.Access)
		switch {
		case !ValidPurpose(a.Purpose):
			return fmt.Errorf("further use: access %d: purpose of %d bytes is none: %w", i, len(a.Purpose), wire.ErrNonCanonical)
		case !ok || !body.Further:
			return fmt.Errorf("further use: access %d: the operation is not of a further use: %w", i, wire.ErrNonCanonical)
		case Hash(a.Detail) != body.Detail || len(a.Detail) > op.MaxSealed:
			return fmt.Errorf("further use: access %d: the detail is another operation's: %w", i, wire.ErrNonCanonical)
		}
	}
	return nil
}
