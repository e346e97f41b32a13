package exchange

import (
	"fmt"

	"vitalog/grant"
	"vitalog/wire"
)

// cardState is what a custodian keeps of a claim card: never the secret.
type cardState struct {
	Hash wire.Hash
	At   uint64 // ms since 1970
}

// IssueCard makes a claim card for a patient in this member's custody, and ends the one before it. ErrNotShared for every other chart. The
// card holds the secret, which is nowhere else.
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
		c.Card = &cardState{Hash: card.Hash(), At: nowMillis()}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("claim card: %w", err)
	}
	return card, nil
}
