package exchange

import (
	"context"
	"crypto/subtle"
	"fmt"
	"slices"

	"vitalog/grant"
	"vitalog/wire"
)

// cardState is what a custodian keeps of a claim card: never the secret.
type cardState struct {
	Hash  wire.Hash
	At    uint64    // ms since 1970
	By    wire.Hash `json:",omitzero"`  // of the reply key that the root was handed to: the first is the only one
	Wrong []uint64  `json:",omitempty"` // when wrong secrets came, within the last hour
}

// Wrong secrets that a chart bears within an hour.
const (
	maxWrong  = 10
	wrongHour = 60 * 60 * 1000 // ms
)

// IssueCard makes a claim card for a patient in this member's custody, and ends the one before it. ErrNotShared for every other chart. The
// card holds the secret, which is nowhere else. A claim that is under way goes on with it, for whoever began it.
func (m *Member) IssueCard(chartID string) (*grant.ClaimCard, error) {
	c, err := m.index.chart(chartID)
	if err != nil {
		return nil, err
	}
	if c == nil || c.Custody == nil {
		return nil, ErrNotShared
	}
	card, err := grant.NewClaimCard(m.network, uint16(m.number), chartID)
	if err != nil {
		return nil, err
	}
	err = m.index.update(chartID, func(c *chartState) error {
		next := &cardState{Hash: card.Hash(), At: nowMillis()}
		if c.Card != nil {
			next.By = c.Card.By
		}
		c.Card = next
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("claim card: %w", err)
	}
	return card, nil
}

// handOver answers a claim: with the root in custody, to the first who comes with the newest card, and to nobody else. See spec/claim.md.
//
// Crash points: whose the card is, and that a code was wrong, is durable before the answer leaves.
func (m *Member) handOver(ctx context.Context, sealed []byte) ([]byte, error) {
	q, err := grant.OpenClaim(m.ring.Exchange(), m.network, uint16(m.number), sealed)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	c, err := m.index.chart(q.Chart)
	if err != nil {
		return nil, err
	}
	out := grant.NotGood
	if c != nil && c.Card != nil {
		if c.Custody != nil && c.Enrolling != 0 {
			if _, err := m.Publish(ctx, Asker{}, q.Chart, nil); err != nil {
				return nil, fmt.Errorf("completing an enrolment before the claim: %w", err)
			}
		}
		err := m.index.update(q.Chart, func(c *chartState) error {
			out = c.Card.try(q, nowMillis(), c.Custody != nil)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if out != grant.Handed {
		return q.Answered(m.network, m.ring.Member(), out, [32]byte{})
	}
	if c, err = m.index.chart(q.Chart); err != nil {
		return nil, err
	}
	if c.Custody == nil { // forgotten in this moment
		return q.Answered(m.network, m.ring.Member(), grant.Used, [32]byte{})
	}
	return m.ring.HandOver(c.Custody, q)
}

// try decides a claim and notes what it was.
func (c *cardState) try(q *grant.Claim, now uint64, custody bool) grant.Outcome {
	c.Wrong = slices.DeleteFunc(c.Wrong, func(at uint64) bool { return at+wrongHour <= now })
	if len(c.Wrong) >= maxWrong {
		return grant.Later
	}
	got := q.Card()
	if subtle.ConstantTimeCompare(got[:], c.Hash[:]) != 1 {
		c.Wrong = append(c.Wrong, now)
		return grant.NotGood
	}
	by := q.Reply.Hash()
	switch {
	case !custody, c.By != (wire.Hash{}) && c.By != by:
		return grant.Used
	}
	c.By = by
	return grant.Handed
}

// claimed tells whether a patient in custody was handed the root: from then on nothing is done in the patient's name.
func (c *chartState) claimed() bool { return c.Card != nil && c.Card.By != (wire.Hash{}) }
