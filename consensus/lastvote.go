package consensus

import (
	"cmp"
	"fmt"

	"vitalog/wire"
)

// The steps of a round in which a validator signs, in their order, as the engine counts them.
const (
	stepPropose   int8 = 1
	stepPrevote   int8 = 2
	stepPrecommit int8 = 3
)

// lastVote is the last step that a validator signed. See spec/disk.md.
type lastVote struct {
	height    int64
	round     int32
	step      int8
	message   []byte // that was signed
	signature []byte // nil: it was never signed, the member abstains
}

// Limits of what is remembered: what the engine signs has some 200 bytes.
const (
	lastVoteVersion = 1
	maxVoteMessage  = 384
)

func (l *lastVote) String() string { return fmt.Sprintf("%d/%d/%d", l.height, l.round, l.step) }

// compare orders steps in time.
func (l *lastVote) compare(o *lastVote) int {
	return cmp.Or(cmp.Compare(l.height, o.height), cmp.Compare(l.round, o.round), cmp.Compare(l.step, o.step))
}

func (l *lastVote) encode() []byte {
	var w wire.Writer
	w.U8(lastVoteVersion)
	w.U64(uint64(l.height))
	w.U32(uint32(l.round))
	w.U8(uint8(l.step))
	w.Bytes(l.message)
	w.Bytes(l.signature)
	return w.Done()
}

func decodeLastVote(b []byte) (l lastVote, err error) {
	r := wire.NewReader(b)
	if v := r.U8(); v != lastVoteVersion {
		r.Fail(fmt.Errorf("version %d, this program reads %d", v, lastVoteVersion))
	}
	l = lastVote{height: int64(r.U64()), round: int32(r.U32()), step: int8(r.U8())}
	l.message, l.signature = r.Bytes(maxVoteMessage), r.Bytes(64)
	signed := len(l.signature) > 0
	if !signed {
		l.signature = nil
	}
	if l.height < 0 || l.round < 0 || l.step < 0 || l.step > stepPrecommit || signed && len(l.signature) != 64 || signed != (len(l.message) > 0) {
		r.Fail(fmt.Errorf("step %v: %w", &l, wire.ErrNonCanonical))
	}
	return l, r.End()
}
