package release

import (
	"fmt"

	"vitalog/envelope"
	"vitalog/key"
	"vitalog/op"
	"vitalog/threshold"
	"vitalog/wire"
)

// record is one want on its way.
type record struct {
	want  Want
	says  *op.Recorded
	key   *op.NetworkKey
	id    wire.Hash
	parts []threshold.Part
	done  bool
	out   Opened
}

// check holds the header against the ledger, so that only its locks are left to be wrong.
func (r *record) check(log key.Log, network key.Network) {
	if r.done {
		return
	}
	e, h := r.want.Entry, r.want.Header
	if err := h.Check(network, log, r.says.ID, e.Signer, r.says.Core, r.says.Blob); err != nil {
		r.fail(fmt.Errorf("entry %d: %w: %w", e.Number, ErrAltered, err))
		return
	}
	if h.Network.Gen != r.says.NetGen {
		r.fail(fmt.Errorf("entry %d: %w: network lock of generation %d, want %d", e.Number, ErrAltered, h.Network.Gen, r.says.NetGen))
		return
	}
	r.id = envelope.ReleaseID(network, r.says.NetGen, log, e.Signer, r.says.ID)
}

func (r *record) fail(err error) { r.done, r.out.Err = true, err }

// unlock is the way from the combined key to the record's secret.
func (r *record) unlock(combined *threshold.Combined) (*envelope.Secret, error) {
	h := r.want.Header
	secret, err := combined.Decapsulate(h.Network.U, r.id)
	if err != nil {
		return nil, err
	}
	if a := r.want.Author; a != nil {
		return h.ByAuthor(a, h.B(secret))
	}
	return h.ByReader(r.want.Epoch, r.want.Reader, h.B(secret))
}
