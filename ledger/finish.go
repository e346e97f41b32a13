package ledger

import (
	"encoding/binary"
	"fmt"
	"slices"

	"vitalog/op"
)

// finish computes the state after the block and all that is to be written. Logs come in the order in which the block touched them.
func (s *stage) finish() {
	if s.err != nil {
		return
	}
	for _, g := range s.touched {
		if !g.dirty {
			continue
		}
		if g.frontier != nil {
			g.head.Root = g.frontier.Root()
			s.put(at(atFrontier, g.head.Number), g.frontier.Encode())
		}
		b := g.head.Encode()
		s.put(at(atHead, g.head.Number), b)
		if leaf := op.HeadHash(g.head.Log, b); g.head.Number < s.heads.Len() {
			s.heads.Set(g.head.Number, leaf)
		} else if n := s.heads.Append(leaf); n != g.head.Number {
			s.err = fmt.Errorf("head %d would stand at %d", g.head.Number, n)
			return
		}
	}
	if !slices.Equal(s.tickets, s.l.tickets) {
		s.put(at(atTickets), encodeTickets(s.tickets))
		s.ticketSum = ticketSum(s.tickets)
	}
	if n := len(s.l.keys); len(s.keys) > n {
		for _, k := range s.keys[n:] {
			s.put(at(atKey, uint64(k.Gen)), k.Encode())
		}
		s.keySum = keySum(s.keys)
	}
	if s.ceremony != s.l.ceremony {
		b := s.ceremony.encode()
		s.put(at(atCeremony), b)
		s.ceremony.sum = ceremonySum(b)
	}
	s.changes = append(s.changes, s.windows.finish(s.height, s.clock)...)
	if len(s.runs) > 0 {
		for _, r := range s.runs {
			s.put(at(atRun, r.log, r.first+r.count-1), at(atBlock, s.height)[1:])
		}
		s.put(at(atBlock, s.height), encodeRuns(s.runs))
	}
	s.state = op.State{Heads: s.heads.Root(), Count: s.count, Clock: s.clock, Keys: s.keySum, Rest: s.l.rest(s.ticketSum, s.ceremony.sum, s.windows.sum)}
	s.put(at(atMeta), s.l.meta(s.height, s.state))
}

func encodeRuns(runs []run) []byte {
	var b []byte
	for _, r := range runs {
		b = binary.BigEndian.AppendUint64(b, r.log)
		b = binary.BigEndian.AppendUint64(b, r.first)
		b = binary.BigEndian.AppendUint64(b, r.count)
	}
	return b
}

func decodeRuns(b []byte) []run {
	out := make([]run, 0, len(b)/24)
	for ; len(b) >= 24; b = b[24:] {
		out = append(out, run{number(b), number(b[8:]), number(b[16:])})
	}
	return out
}
