package ledger

import (
	"vitalog/consent"
	"vitalog/key"
	"vitalog/op"
	"vitalog/wire"
)

// append makes one entry of each record.
func (s *stage) append(g *log, o *op.Operation, b *op.Append) *Result {
	if !g.head.Owns(o.Signer) {
		if r := s.allowed(g, o.Signer, consent.Write); r != nil {
			return r
		}
	}
	if len(s.keys) == 0 {
		return no(NoNetworkKey, "")
	}
	if newest := s.keys[len(s.keys)-1].Gen; b.NetGen != newest {
		return no(WrongNetGen, "%d, want %d", b.NetGen, newest)
	}
	if b.Epoch != g.head.Epoch {
		return no(StaleEpoch, "%d, want %d", b.Epoch, g.head.Epoch)
	}
	if rid, ok := s.recorded(g, b.Records); ok {
		return no(RecordExists, "%v", rid)
	}
	if r := s.namedBefore(b.Records); r != nil {
		return r
	}
	if r := s.charge(g, o.Signer, entryCost(o)); r != nil {
		return r
	}
	s.settle(g, o.Signer)
	first := g.head.Size
	for i := range b.Records {
		n := s.write(g, o.Signer, &op.Recorded{Epoch: b.Epoch, NetGen: b.NetGen, Record: b.Records[i]})
		s.put(recordAt(g.head.Number, b.Records[i].ID), wire.U64(n))
		if g.rids == nil {
			g.rids = map[key.Record]bool{}
		}
		g.rids[b.Records[i].ID] = true
	}
	return &Result{First: first, Count: len(b.Records)}
}

// recorded finds the first of records whose id the log has already, or that comes twice.
func (s *stage) recorded(g *log, records []op.Record) (key.Record, bool) {
	within, keys := make(map[key.Record]bool, len(records)), make([][]byte, len(records))
	for i := range records {
		rid := records[i].ID
		if g.rids[rid] || within[rid] {
			return rid, true
		}
		within[rid], keys[i] = true, recordAt(g.head.Number, rid)
	}
	if i := s.present(keys); i >= 0 {
		return records[i].ID, true
	}
	return key.Record{}, false
}

// allowed asks consent for a right that has no ranges.
func (s *stage) allowed(g *log, k key.Verifier, right consent.Rights) *Result {
	_, why := consent.Decide(g.head.Terms(), nil, consent.Request{Key: k, Right: right, Now: s.clock})
	return refused(why, right)
}

func refused(why consent.Reason, right consent.Rights) *Result {
	switch why {
	case consent.Allowed:
		return nil
	case consent.NoGrant:
		return no(NotGranted, "")
	}
	return no(NoRight, "to %v: %v", right, why)
}
