package exchange

import (
	"context"
	"fmt"
	"slices"

	"vitalog/consent"
	"vitalog/grant"
	"vitalog/key"
	"vitalog/op"
	"vitalog/section"
	"vitalog/wire"
)

// Stop ends grants: at once, because members stop releasing, and for new records because a new reader key begins. It returns them with
// the blocks in which the end is final.
func (p *Patient) Stop(ctx context.Context, which func(Shared) bool) ([]Shared, error) {
	all, err := p.Sharing(ctx)
	if err != nil {
		return nil, err
	}
	var ops []*op.Operation
	var out []Shared
	rotate := map[section.Section]bool{}
	for _, g := range all {
		if g.Revoked || !which(g) {
			continue
		}
		ops = append(ops, op.Sign(p.network, p.keys.Owner(g.Section), g.Log, expiry(), &op.Revoke{Grant: g.Entry}))
		out = append(out, g)
		rotate[g.Section] = rotate[g.Section] || g.Rights&consent.Read != 0 && !g.Link // who has a health link was given no seed
	}
	if len(ops) == 0 {
		return nil, nil
	}
	results, err := submitAll(ctx, p.home, ops...)
	if err != nil {
		return nil, fmt.Errorf("stopping: %w", err)
	}
	if err := p.place(ctx, ops, results, func(i int, _, block uint64) { out[i].Block, out[i].Revoked = block, true }); err != nil {
		return nil, err
	}
	// A crash here leaves the old epoch: nothing is released under the ended grant; the new epoch follows with the next rotation.
	return out, p.rotate(ctx, rotate, all, out, consent.Read)
}

// rotate begins a new epoch in the sections named, and leaves a letter for everybody who remains with one of the rights: with the epoch's seed for
// a reader.
func (p *Patient) rotate(ctx context.Context, sections map[section.Section]bool, all, ended []Shared, told consent.Rights) error {
	gone := map[key.Log][]uint64{}
	for _, g := range ended {
		gone[g.Log] = append(gone[g.Log], g.Entry)
	}
	var ops []*op.Operation
	for _, s := range section.All() {
		if !sections[s] {
			continue
		}
		log := p.keys.Log(s)
		head, err := p.head(ctx, log)
		if err != nil {
			return err
		}
		next := head.Epoch + 1
		var box grant.Mailbox
		for _, g := range all {
			if g.Section != s || g.Revoked || g.Member < 0 && g.exchange == nil || g.Rights&told == 0 || slices.Contains(gone[log], g.Entry) {
				continue
			}
			reads := slices.ContainsFunc(all, func(o Shared) bool {
				return o.Section == s && !o.Revoked && o.Key == g.Key && o.Reads() && !slices.Contains(gone[log], o.Entry)
			})
			if reads && !g.Reads() || slices.ContainsFunc(box.Letters, func(l grant.Letter) bool { return l.Key == g.Key }) {
				continue // the seed is the same for all grants to a key
			}
			to, err := p.exchangeOf(g)
			if err != nil {
				return err
			}
			msg := grant.Message{Purpose: g.Purpose, Patient: p.keys.ChartID(), Custodial: p.custodial, Handle: p.Handle(), Label: g.Label, Terms: g.Terms}
			var epochs []uint32
			if reads {
				epochs = append(epochs, next)
			}
			sealed, err := p.keys.GrantMessage(s, epochs, to, msg)
			if err != nil {
				return err
			}
			box.Letters = append(box.Letters, grant.Letter{Key: g.Key, Sealed: sealed})
		}
		var mailbox wire.Hash
		if len(box.Letters) > 0 {
			if mailbox, err = p.home.PutBlob(ctx, box.Encode()); err != nil {
				return fmt.Errorf("storing the new epoch's messages: %w", err)
			}
		}
		reader := p.keys.ReaderPublic(s, next)
		if _, err := p.home.PutBlob(ctx, reader[:]); err != nil {
			return fmt.Errorf("storing the new epoch's key: %w", err)
		}
		ops = append(ops, op.Sign(p.network, p.keys.Owner(s), log, expiry(), &op.Rotate{Epoch: next, EpochKey: reader.Hash(), Mailbox: mailbox}))
	}
	if len(ops) == 0 {
		return nil
	}
	results, err := submitAll(ctx, p.home, ops...)
	if err != nil {
		return fmt.Errorf("beginning a new epoch: %w", err)
	}
	return p.place(ctx, ops, results, func(int, uint64, uint64) {})
}

// exchangeOf is the key that messages about a grant are sealed to.
func (p *Patient) exchangeOf(g Shared) (*key.Exchange, error) {
	if g.exchange != nil {
		return key.ParseExchange(g.exchange)
	}
	return key.ParseExchange(p.home.Genesis().Members[g.Member].Exchange)
}
