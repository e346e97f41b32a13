package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"vitalog/chart"
	"vitalog/fhir"
	"vitalog/grant"
	"vitalog/key"
	"vitalog/keyring"
	"vitalog/op"
	"vitalog/section"
)

// claimNote is what the patient writes down of a claim: with it and the 24 words the chart is found again.
type claimNote struct {
	Root   []byte                     `json:"root"`
	Epochs map[section.Section]uint32 `json:"epochs"`
}

// claimed is the note about a claim.
func claimed(c *keyring.Claim) (Draft, error) {
	root := c.Root()
	defer clear(root[:])
	return note{Claim: &claimNote{Root: slices.Clone(root[:]), Epochs: c.Epochs}}.draft()
}

// Claimed is the chart that a patient's keys, as they are without it, have claimed, from the patient's own index; nil: none.
func Claimed(ctx context.Context, home Home, keys *keyring.Patient) (c *keyring.Claim, err error) {
	if there, err := onLedger(ctx, home, keys.Log(section.Demographics)); there || err != nil {
		return nil, err // a record of their own
	}
	if there, err := onLedger(ctx, home, keys.Log(section.Index)); !there || err != nil {
		return nil, err
	}
	unread, err := NewPatient(home, keys).notes(ctx, func(n *note, _ Placed) error {
		if n.Claim == nil {
			return nil
		}
		if len(n.Claim.Root) != 32 {
			return fmt.Errorf("a root of %d bytes", len(n.Claim.Root))
		}
		c = keyring.NewClaim([32]byte(n.Claim.Root))
		for _, s := range section.Clinical() {
			if c.Epochs[s] = n.Claim.Epochs[s]; c.Epochs[s] == 0 {
				return fmt.Errorf("no epoch of %v", s)
			}
		}
		return nil
	})
	if err == nil && c == nil && unread > 0 {
		return nil, fmt.Errorf("%d notes in the patient's index don't open: whether a chart was claimed can't be told", unread)
	}
	return c, err
}

// onLedger tells whether there is a log.
func onLedger(ctx context.Context, home Home, log key.Log) (bool, error) {
	_, err := proof(ctx, home, log, 0)
	if errors.Is(err, ErrNotShared) {
		return false, nil
	}
	return err == nil, err
}

// copied are the notes of an index log, to be written into another.
func (p *Patient) copied(ctx context.Context) (out []Draft, err error) {
	entries, err := p.entries(ctx, p.keys.Log(section.Index))
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if _, ok := e.Says.(*op.Recorded); !ok {
			continue
		}
		content, err := p.open(ctx, section.Index, e.Entry)
		if errors.Is(err, errHome) {
			return nil, err
		}
		if err != nil {
			continue // its keys have no name, and can be stopped
		}
		for _, it := range content.Items {
			if it.Status == chart.Deleted {
				continue
			}
			r, err := fhir.Parse(it.Raw)
			if err != nil {
				return nil, err
			}
			out = append(out, Draft{Resource: r, ID: it.ID, Section: section.Index, Group: "claim"})
		}
	}
	return out, nil
}

// keptSecrets are the secrets of records that were written in custody, by the patient's index.
func (p *Patient) keptSecrets(ctx context.Context) (map[key.Record][32]byte, error) {
	p.mu.Lock()
	out := p.kept
	p.mu.Unlock()
	if out != nil {
		return out, nil
	}
	out = map[key.Record][32]byte{}
	_, err := p.notes(ctx, func(n *note, _ Placed) error {
		if len(n.Records)%64 != 0 {
			return fmt.Errorf("a list of %d bytes of records and their secrets", len(n.Records))
		}
		for x := range slices.Chunk(n.Records, 64) {
			out[key.Record(x[:32])] = [32]byte(x[32:])
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kept = out
	return out, nil
}

// Unlock gets owner locks of the records that were written in custody, from the members that may read them, and keeps what is inside. What is done
// is not done again; a record that nobody opens is left, and counted neither as done.
func (p *Patient) Unlock(ctx context.Context, told func(Claiming)) error {
	kept, err := p.keptSecrets(ctx)
	if err != nil {
		return err
	}
	all, err := p.Sharing(ctx)
	if err != nil {
		return err
	}
	var how Claiming
	lacking := map[section.Section][]Placed{}
	for _, s := range section.Clinical() {
		entries, err := p.entries(ctx, p.keys.Log(s))
		if err != nil {
			return err
		}
		for _, e := range entries {
			rec, ok := e.Says.(*op.Recorded)
			if !ok || rec.Epoch > p.keys.Claimed().Epochs[s] && !p.unlockable(ctx, s, e) {
				continue
			}
			how.Of++
			if _, ok := kept[rec.ID]; ok {
				how.Done++
			} else {
				lacking[s] = append(lacking[s], e)
			}
		}
	}
	told(how)
	for _, s := range section.Clinical() {
		for page := range slices.Chunk(lacking[s], grant.MaxLocks) {
			n, err := p.unlockPage(ctx, s, page, readersOf(all, s))
			if err != nil {
				return err
			}
			how.Done += n
			told(how)
		}
	}
	return nil
}

// unlockable tells whether a record of the patient's time has no owner lock all the same: it was written in the moment of the claim.
func (p *Patient) unlockable(ctx context.Context, s section.Section, e Placed) bool {
	h, err := p.home.Header(ctx, e.Log, e.Says.(*op.Recorded).ID)
	return err == nil && h.Owner == nil
}

// readersOf are the members that may read a section, those with the widest grants first.
func readersOf(all []Shared, s section.Section) (out []int) {
	for _, g := range all {
		if g.Section == s && g.Member >= 0 && g.InForce() && g.Reads() && g.Uses == 0 && !slices.Contains(out, g.Member) {
			out = append(out, g.Member)
		}
	}
	return out
}

// unlockPage keeps what opens some records, and tells of how many.
func (p *Patient) unlockPage(ctx context.Context, s section.Section, page []Placed, readers []int) (n int, err error) {
	var found []byte
	defer clear(found)
	for _, member := range readers {
		if len(page) == 0 {
			break
		}
		q := grant.Locks{Chart: p.ChartID(), Log: p.keys.Log(s), Owner: p.keys.Private(s).Exchange(), At: nowMillis()}
		for _, e := range page {
			q.Entries = append(q.Entries, e.Number)
		}
		asked, err := q.Sign(p.keys.Owner(s), p.network, uint16(member))
		if err != nil {
			return 0, err
		}
		answer, err := p.home.OwnerLocks(ctx, member, asked)
		if errors.Is(err, ErrNotShared) {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("owner locks from %s: %w", p.home.Genesis().Members[member].Name, err)
		}
		locks, err := grant.DecodeGiven(answer, len(page))
		if err != nil {
			return 0, err
		}
		var left []Placed
		for i, e := range page {
			kept, err := p.opensBy(ctx, s, e, locks[i])
			if err != nil {
				return 0, err
			}
			if kept == nil {
				left = append(left, e)
			}
			found = append(found, kept...)
		}
		page = left
	}
	if len(found) == 0 {
		return 0, nil
	}
	if err := p.write(ctx, note{Records: found}); err != nil {
		return 0, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for x := range slices.Chunk(found, 64) {
		p.kept[key.Record(x[:32])] = [32]byte(x[32:])
	}
	return len(found) / 64, nil
}

// opensBy is a record's id and its secret out of an owner lock, or nil where the lock is missing or wrong.
func (p *Patient) opensBy(ctx context.Context, s section.Section, e Placed, lock []byte) ([]byte, error) {
	if len(lock) == 0 {
		return nil, nil
	}
	rec := e.Says.(*op.Recorded)
	h, err := p.home.Header(ctx, e.Log, rec.ID)
	if errors.Is(err, ErrNotShared) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := h.Check(p.network, e.Log, rec.ID, e.Signer, rec.Core, rec.Blob); err != nil {
		return nil, err
	}
	h.Owner = lock
	secret, err := h.ByOwner(p.keys.Private(s))
	if err != nil {
		return nil, nil
	}
	r := secret.Keep()
	return slices.Concat(rec.ID[:], r[:]), nil
}
