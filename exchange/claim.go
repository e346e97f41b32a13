package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"vitalog/consent"
	"vitalog/grant"
	"vitalog/key"
	"vitalog/keyring"
	"vitalog/op"
	"vitalog/section"
)

// What a claim ends with, for people.
var (
	ErrCardNotGood  = errors.New("this card opens nothing: a character is wrong, or a newer card was made. Ask the hospital for a new one")
	ErrCardUsed     = errors.New("this card was used already, with other keys. If that was not you, tell the hospital at once")
	ErrCardLater    = errors.New("too many wrong codes for this chart: try again in an hour")
	ErrCardNetwork  = errors.New("this card is of another network: use a home member of the network that the card is from")
	ErrOwnRecord    = errors.New("these keys have a record of their own already: claim the card with new keys")
	ErrClaimedOther = errors.New("somebody else has taken over a part of this chart: tell the hospital at once")

	// ErrNoLock is a record that the patient's own keys don't open yet.
	ErrNoLock = errors.New("it was written in custody and has no lock for the patient yet: claim again, which goes on where it was")
)

// Claiming tells how far a claim has come.
type Claiming struct {
	Done, Of int // records that the patient's own keys open, of those that were written in custody
}

// Claim takes over the chart that a card is of, with keys that have no record of their own yet. It returns the patient with the keys of the
// chart. Called again it goes on where it broke off; once the first step is done it needs no card (nil). See spec/claim.md.
//
// Crash points: what a step needs is on the ledger before it; what is done is found, not done again.
func Claim(ctx context.Context, home Home, keys *keyring.Patient, card *grant.ClaimCard, told func(Claiming)) (*Patient, error) {
	c, err := Claimed(ctx, home, keys)
	if err != nil {
		return nil, err
	}
	if c != nil && card != nil && c.Chart() != card.Chart {
		return nil, ErrOwnRecord
	}
	if c == nil {
		if c, err = begin(ctx, home, keys, card); err != nil { // (1)
			return nil, err
		}
	}
	p := NewPatient(home, keys.With(c))
	if err := p.rekey(ctx, c); err != nil { // (2)
		return nil, fmt.Errorf("taking over the logs: %w", err)
	}
	if err := p.turn(ctx); err != nil { // (3)
		return nil, fmt.Errorf("beginning new keys: %w", err)
	}
	return p, p.Unlock(ctx, told) // (4)
}

// begin has the root handed over and writes it down in the patient's own index.
func begin(ctx context.Context, home Home, keys *keyring.Patient, card *grant.ClaimCard) (*keyring.Claim, error) {
	network := home.Genesis().Network()
	switch {
	case card == nil:
		return nil, fmt.Errorf("these keys have claimed nothing yet: a card is needed: %w", ErrInvalid)
	case card.Network != [3]byte(network[:3]) || int(card.Member) >= len(home.Genesis().Members):
		return nil, ErrCardNetwork
	}
	if there, err := onLedger(ctx, home, keys.Log(section.Demographics)); err != nil {
		return nil, err
	} else if there {
		return nil, ErrOwnRecord
	}
	c, err := handed(ctx, home, keys, card)
	if err != nil {
		return nil, err
	}
	custody := NewPatient(home, c.Custody(network))
	if err := custody.epochs(ctx, c); err != nil {
		return nil, fmt.Errorf("the logs of the chart: %w", err)
	}
	old, err := custody.copied(ctx)
	if err != nil {
		return nil, fmt.Errorf("the notes about who is behind the keys: %w", err)
	}
	if err := createLogs(ctx, home, keys, section.Index); err != nil {
		return nil, err
	}
	note, err := claimed(c)
	if err != nil {
		return nil, err
	}
	_, err = NewPatient(home, keys).Publish(ctx, append([]Draft{note}, old...))
	return c, err
}

// handed asks the custodian for the root.
func handed(ctx context.Context, home Home, keys *keyring.Patient, card *grant.ClaimCard) (*keyring.Claim, error) {
	g := home.Genesis()
	to, err := key.ParseExchange(g.Members[card.Member].Exchange)
	if err != nil {
		return nil, err
	}
	reply := keys.ClaimKey(card.Chart)
	q := grant.NewClaim(card, reply.Exchange())
	sealed, err := q.Seal(to, g.Network(), card.Member)
	if err != nil {
		return nil, err
	}
	answer, err := home.Claim(ctx, int(card.Member), sealed)
	if err != nil {
		return nil, fmt.Errorf("%s does not answer the claim; the card stays good, try again later: %w", g.Members[card.Member].Name, err)
	}
	out, root, err := q.OpenAnswered(reply, g, card.Member, answer)
	defer clear(root[:])
	switch {
	case err != nil:
		return nil, err
	case out == grant.Used:
		return nil, ErrCardUsed
	case out == grant.Later:
		return nil, ErrCardLater
	case out != grant.Handed:
		return nil, ErrCardNotGood
	}
	c := keyring.NewClaim(root)
	if c.Chart() != card.Chart {
		return nil, fmt.Errorf("%s handed over the keys of another chart", g.Members[card.Member].Name)
	}
	return c, nil
}

// epochs notes up to which epoch the custody's reader keys go: the newest, while nothing was rotated since.
func (p *Patient) epochs(ctx context.Context, c *keyring.Claim) error {
	for _, s := range section.Clinical() {
		head, err := p.head(ctx, p.keys.Log(s))
		if err != nil {
			return err
		}
		c.Epochs[s] = head.Epoch
	}
	return nil
}

// rekey puts the patient's owner keys in the place of the custodian's. A log whose owner is neither's is somebody else's claim.
func (p *Patient) rekey(ctx context.Context, c *keyring.Claim) error {
	custody := c.Custody(p.network)
	var ops []*op.Operation
	for _, s := range section.All() {
		log, old, next := custody.Log(s), custody.Owner(s), p.keys.Owner(s)
		if s == section.Index {
			next = p.keys.OldIndex()
		}
		head, err := p.head(ctx, log)
		if err != nil {
			return err
		}
		switch {
		case slices.Contains(head.Owners, next.Public()):
			continue
		case !slices.Contains(head.Owners, old.Public()):
			return ErrClaimedOther
		}
		ops = append(ops, op.Sign(p.network, old, log, expiry(), op.NewRekeyOwner(p.network, log, old.Public(), next)))
	}
	if len(ops) > 0 {
		results, err := submitAll(ctx, p.home, ops...)
		if err != nil {
			return err
		}
		if err := p.place(ctx, ops, results, func(int, uint64, uint64) {}); err != nil {
			return err
		}
	}
	return p.corrected(ctx, c)
}

// corrected writes the epochs down again if the custodian began one in the moment before it had no say any more.
func (p *Patient) corrected(ctx context.Context, c *keyring.Claim) error {
	moved := false
	for _, s := range section.Clinical() {
		head, err := p.head(ctx, p.keys.Log(s))
		if err != nil {
			return err
		}
		if head.Epoch != c.Epochs[s] && head.EpochKey == c.Custody(p.network).ReaderPublic(s, head.Epoch).Hash() {
			c.Epochs[s], moved = head.Epoch, true
		}
	}
	if !moved {
		return nil
	}
	note, err := claimed(c)
	if err != nil {
		return err
	}
	p.keys = p.keys.With(c)
	_, err = p.Publish(ctx, []Draft{note})
	return err
}

// turn begins an epoch of the patient's own keys in each section that has none, and tells all who hold a grant.
func (p *Patient) turn(ctx context.Context) error {
	for _, s := range section.All() { // whoever is told seals to these
		if s != section.Index {
			if _, err := p.home.PutBlob(ctx, p.keys.Private(s).Exchange()[:]); err != nil {
				return err
			}
		}
	}
	lacking := map[section.Section]bool{}
	for _, s := range section.Clinical() {
		head, err := p.head(ctx, p.keys.Log(s))
		if err != nil {
			return err
		}
		if head.Epoch <= p.keys.Claimed().Epochs[s] {
			lacking[s] = true
		}
	}
	if len(lacking) == 0 {
		return nil
	}
	all, err := p.Sharing(ctx)
	if err != nil {
		return err
	}
	return p.rotate(ctx, lacking, all, nil, consent.Read|consent.Write)
}
