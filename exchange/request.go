package exchange

import (
	"context"
	"fmt"
	"slices"

	"vitalog/consent"
	"vitalog/grant"
	"vitalog/section"
)

// Wish is what somebody would like to be granted.
type Wish struct {
	Sections []section.Section
	From     uint64 `json:",omitempty"` // ms since 1970: when the care was that the wished data is from; 0: open
	Until    uint64 `json:",omitempty"` // excluded
	Lasts    uint64 // ms; 0: until the patient stops it
	Uses     uint32 // 0: any number
	Chart    string `json:",omitempty"` // of the patient, where it is known
	Document []byte `json:",omitempty"` // the Consent by which it was asked, for this member itself
}

// Request leaves a wish in a patient's inbox. All that the ledger shows is that some admitted member posted something somewhere.
func (m *Member) Request(ctx context.Context, who Asker, to grant.Handle, wish Wish) (grant.RequestID, error) {
	raw, err := m.Blob(ctx, to.Key)
	if err != nil {
		return grant.RequestID{}, fmt.Errorf("the patient's inbox key: %w", err)
	}
	inbox, err := parseInboxKey(raw, to)
	if err != nil {
		return grant.RequestID{}, err
	}
	q := grant.Request{ID: grant.NewRequestID(), Network: m.network, Inbox: to.Inbox, Member: uint16(m.number), Purpose: who.Purpose, Rights: consent.Read,
		Sections: slices.Sorted(slices.Values(wish.Sections)), From: wish.From, Until: wish.Until, Lasts: wish.Lasts, Uses: wish.Uses,
		Practitioner: who.Practitioner, Name: who.Name, Role: who.Role, Organisation: m.Name(), Reason: who.Reason}
	sealed, err := q.Seal(inbox, m.ring.Member())
	if err != nil {
		return grant.RequestID{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	h, err := m.PutBlob(ctx, sealed)
	if err != nil {
		return grant.RequestID{}, fmt.Errorf("storing the request: %w", err)
	}
	state := &requestState{ID: q.ID, To: to, Chart: wish.Chart, Purpose: who.Purpose, Wish: wish, At: nowMillis()}
	head, err := m.node.Ledger().Head(to.Inbox)
	if err != nil {
		return grant.RequestID{}, err
	}
	if head != nil {
		state.From = head.Size
	}
	if err := m.index.keepRequest(state); err != nil { // before the post, so that no answer finds it unknown
		return grant.RequestID{}, err
	}
	if err := post(ctx, m, to.Inbox, h, uint32(len(sealed))); err != nil {
		return grant.RequestID{}, fmt.Errorf("posting the request: %w", err)
	}
	return q.ID, nil
}
