package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"vitalog/consent"
	"vitalog/section"
	"vitalog/wire"
)

// Agreement is a Consent that the patient's grants carry out.
type Agreement struct {
	ID      string
	Consent []byte    // as it was written
	At      time.Time // when it was last written
	Version uint64    // number of the note
	Grants  []Shared  // none: it denies, or it was written and nothing was granted
}

// Agree grants what a Consent permits, as the shares say. A Consent of the same id is replaced: its grants end first, so that never more is shared
// than either of the two says.
//
// Crash points: those of Stop, then those of Grant, where the note has the Consent too. What a crash leaves permits less, and the same again goes on.
func (p *Patient) Agree(ctx context.Context, id string, doc []byte, shares []Share) ([]Shared, error) {
	if _, err := p.EndAgreement(ctx, id); err != nil {
		return nil, err
	}
	return p.grant(ctx, note{Agreement: &agreement{ID: id, Consent: doc}}, shares)
}

// Deny ends the grants that a Consent denies, and those of one of the same id, and then writes the Consent down.
//
// Crash points: those of Stop; a crash before the note leaves less shared and nothing said, and the same again goes on.
func (p *Patient) Deny(ctx context.Context, id string, doc []byte, which func(Shared) bool) error {
	if _, err := p.EndAgreement(ctx, id); err != nil {
		return err
	}
	if _, err := p.Stop(ctx, which); err != nil {
		return err
	}
	return p.write(ctx, note{Agreement: &agreement{ID: id, Consent: doc}})
}

// Agreements are the patient's Consents in the order in which they were first written, and the grants that were given without one.
func (p *Patient) Agreements(ctx context.Context) (agreed []Agreement, others []Shared, err error) {
	all, err := p.Sharing(ctx)
	if err != nil {
		return nil, nil, err
	}
	of := map[wire.Hash]int{}
	_, err = p.notes(ctx, func(n *note, e Placed) error {
		if n.Agreement == nil {
			return nil
		}
		i := slices.IndexFunc(agreed, func(a Agreement) bool { return a.ID == n.Agreement.ID })
		if i < 0 {
			i = len(agreed)
			agreed = append(agreed, Agreement{ID: n.Agreement.ID})
		}
		agreed[i].Consent, agreed[i].At, agreed[i].Version = n.Agreement.Consent, time.UnixMilli(int64(e.At)), e.Number
		for _, h := range n.Agreement.Messages {
			of[h] = i
		}
		return nil
	})
	for _, g := range all {
		if i, ok := of[g.Message]; ok && g.Message != (wire.Hash{}) {
			agreed[i].Grants = append(agreed[i].Grants, g)
		} else {
			others = append(others, g)
		}
	}
	return agreed, others, err
}

// EndAgreement ends the grants of a Consent that are not ended yet, and returns them.
func (p *Patient) EndAgreement(ctx context.Context, id string) ([]Shared, error) {
	agreed, _, err := p.Agreements(ctx)
	if err != nil {
		return nil, err
	}
	var out []Shared
	for _, a := range agreed {
		if a.ID == id {
			out = a.Grants
		}
	}
	return p.Stop(ctx, func(s Shared) bool {
		return slices.ContainsFunc(out, func(g Shared) bool { return g.Message == s.Message })
	})
}

// InForce tells whether a grant lets anybody do anything now or later.
func (s *Shared) InForce() bool {
	return !s.Revoked && (s.Until == 0 || nowMillis() < s.Until) && (s.Uses == 0 || s.Used < s.Uses)
}

// SharedWith lists what of a chart is shared with this member, and what was, from its own ledger. Nothing is opened for it. It is ErrNotShared for
// a chart that is not known here.
func (m *Member) SharedWith(chartID string) ([]Shared, error) {
	c, err := m.index.chart(chartID)
	if err == nil && c == nil {
		err = ErrNotShared
	}
	if err != nil {
		return nil, err
	}
	var out []Shared
	for _, s := range section.Clinical() {
		st := c.Sections[s]
		if st == nil {
			continue
		}
		head, err := m.node.Ledger().Head(st.Log)
		if err != nil {
			return nil, err
		}
		if head == nil {
			continue
		}
		for _, purpose := range st.Purposes {
			v := m.ring.Grantee(st.Log, purpose).Public()
			for _, g := range head.Terms() {
				if g.Key != v {
					continue
				}
				e, err := m.node.Ledger().Entry(st.Log, g.Entry)
				if err != nil || e == nil {
					return nil, errors.Join(fmt.Errorf("%v entry %d: %w", st.Log, g.Entry, ErrNotShared), err)
				}
				out = append(out, Shared{Member: m.number, Section: s, Purpose: purpose, Log: st.Log, At: time.UnixMilli(int64(e.At)), Message: messageOf(e), Grant: g})
			}
		}
	}
	return out, nil
}

// Reads tells whether a grant is one to read.
func (s *Shared) Reads() bool { return s.Rights&consent.Read != 0 }
