package release

import (
	"context"
	"fmt"
	"slices"

	"vitalog/envelope"
	"vitalog/threshold"
)

// combine opens every record that has parts enough, on all cores.
func (g *gathering) combine(ctx context.Context) error {
	last := len(g.inflight) == 0 && len(g.unasked) == 0 && g.gave > 0
	for {
		var ready []*record
		for _, r := range g.records {
			if !r.done && (len(g.trusted(r)) >= r.key.K || last && len(r.parts) >= r.key.K) {
				ready = append(ready, r)
			}
		}
		if len(ready) == 0 {
			return nil
		}
		if err := parallel(ctx, len(ready), func(i int) error { g.open(ready[i]); return nil }); err != nil {
			return err
		}
	}
}

// trusted are the parts of members that have given no wrong one.
func (g *gathering) trusted(r *record) []threshold.Part {
	if g.distrusts() == 0 {
		return r.parts
	}
	var out []threshold.Part
	for _, p := range r.parts {
		if !g.distrusted(r, p) {
			out = append(out, p)
		}
	}
	return out
}

func (g *gathering) distrusts() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.incidents)
}

func (g *gathering) distrusted(r *record, p threshold.Part) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	member := r.key.Holders[p.X-1]
	return slices.ContainsFunc(g.incidents, func(i Incident) bool { return i.Member == member })
}

// open settles r, or takes the wrong ones from its parts. Nothing is verified as long as everything fits: the lock's key commitment
// tells. Only if it doesn't fit, the pairings say whether the holders or the header are to blame.
func (g *gathering) open(r *record) {
	k := r.key.K
	parts := g.trusted(r)
	sound := len(parts) < k // nobody else is left to ask: those of the distrusted that do verify count
	if sound {
		if parts = g.sift(r, r.parts); len(parts) < k {
			return
		}
	}
	combined, err := g.interpolate(parts[:k])
	if err == nil {
		var secret *envelope.Secret
		if secret, err = r.unlock(combined); err == nil {
			r.done, r.out.Secret = true, secret
			return
		}
		if threshold.VerifyCombined(combined.Point(), r.id, r.key.Public()) {
			r.fail(fmt.Errorf("entry %d: %w: %w", r.want.Entry.Number, ErrAltered, err))
			return
		}
	}
	if !sound && len(g.trusted(r)) < len(parts) {
		return // somebody was found out meanwhile: try again without
	}
	if sound || len(g.sift(r, parts)) == len(parts) {
		r.fail(fmt.Errorf("entry %d: every partial verifies, together they don't: %w", r.want.Entry.Number, err))
	}
}

// interpolate combines parts. The records of an access most often have theirs from the same holders in the same order, so what depends on
// the holders alone is kept.
func (g *gathering) interpolate(parts []threshold.Part) (*threshold.Combined, error) {
	xs, points := make([]uint16, len(parts)), make([]threshold.Point1, len(parts))
	for i, p := range parts {
		xs[i], points[i] = p.X, p.P
	}
	g.mu.Lock()
	at := slices.IndexFunc(g.quorums, func(q *threshold.Quorum) bool { return slices.Equal(q.Shares(), xs) })
	if at < 0 {
		q, err := threshold.NewQuorum(xs)
		if err != nil {
			g.mu.Unlock()
			return nil, err
		}
		at, g.quorums = len(g.quorums), append(g.quorums, q)
	}
	q := g.quorums[at]
	g.mu.Unlock()
	return q.Combine(points)
}

// sift returns those of the parts that the holders' shares have made. It drops the others from r and remembers who gave them.
func (g *gathering) sift(r *record, parts []threshold.Part) []threshold.Part {
	var good []threshold.Part
	for _, p := range parts {
		if threshold.VerifyPart(p, r.id, r.key.Poly) {
			good = append(good, p)
			continue
		}
		g.blame(r.key.Holders[p.X-1], r.want.Entry.Number)
		r.parts = slices.DeleteFunc(slices.Clone(r.parts), func(x threshold.Part) bool { return x.X == p.X })
	}
	return good
}

func (g *gathering) blame(member int, entry uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !slices.ContainsFunc(g.incidents, func(i Incident) bool { return i.Member == member }) {
		g.incidents = append(g.incidents, Incident{Member: member, Log: g.access.Entry.Log, Entry: entry})
	}
}
