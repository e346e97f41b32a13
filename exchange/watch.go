package exchange

import (
	"errors"

	"vitalog/consent"
	"vitalog/key"
	"vitalog/section"
)

// Watched is one log of a chart as a member may follow it for one purpose, by the newest committed state.
type Watched struct {
	Section section.Section
	Log     key.Log
	Size    uint64 // entries
	Since   uint64 // entry of the first grant ever to this member's key for the purpose
	Custody bool   // the patient is in this member's custody
	Granted bool   // a grant that lets the key read is in force

	inForce []*consent.Grant
	look    *look
}

// MayRead tells whether a grant in force covers an entry that is not erased. A grant for a number of uses counts for nothing here: following a
// log would use it up.
func (w *Watched) MayRead(entry uint64) bool {
	span := consent.Range{From: entry, To: entry + 1}
	if consent.Overlaps(w.look.head.Erased, span) {
		return false
	}
	for _, g := range w.inForce {
		if consent.Covers(g.Ranges, span) {
			return true
		}
	}
	return false
}

// Owns tells whether a grantee key is this member's for the purpose.
func (w *Watched) Owns(v key.Verifier) bool { return w.look.signer.Public() == v }

// Watch is the logs of a chart in which this member's key for a purpose was ever granted anything, by section. It reads the ledger and
// opens nothing. There are none of a chart that is not known here.
func (m *Member) Watch(chartID, purpose string) ([]Watched, error) {
	c, err := m.index.chart(chartID)
	if err != nil || c == nil {
		return nil, err
	}
	var out []Watched
	for _, s := range section.Clinical() {
		st := c.Sections[s]
		if st == nil {
			continue
		}
		l, err := m.look(st.Log, purpose)
		if errors.Is(err, ErrNotShared) {
			continue // the patient is being enrolled
		}
		if err != nil {
			return nil, err
		}
		w := Watched{Section: s, Log: st.Log, Size: l.head.Size, Custody: c.Custody != nil, Granted: len(l.inForce) > 0, look: l}
		ever := false
		for i := range l.terms {
			if g := &l.terms[i]; !ever && w.Owns(g.Key) {
				w.Since, ever = g.Entry, true
			}
		}
		for _, g := range l.inForce {
			if counted, _ := l.limits(g); !counted {
				w.inForce = append(w.inForce, g)
			}
		}
		if ever {
			out = append(out, w)
		}
	}
	return out, nil
}
