package exchange

import (
	"context"
	"crypto/sha256"
	"slices"
	"time"

	"vitalog/blobstore"
	"vitalog/ledger"
	"vitalog/section"
	"vitalog/wire"
)

// What a bucket lost and an entry names is asked for until somebody gives it. No entry names the public keys of sections, which cards and letters name, the
// invitations of proxies, which texts name, author copies, what is just being written, and what a crash or a refused operation left behind. Most of it
// is at one member alone, and nobody will ever come to have it who hasn't: it is put back out of the notes about charts, or given up when every other
// member has said that it hasn't got it. Who needs it later asks again, as for whatever isn't here.

const atGivenUp = 'v' // → how many blobs were given up

// Lost has fetched, soon and from whoever has it, what this member had and has no more: its bucket lost it. It is for blobstore.Store.Attach.
func (m *Member) Lost(blobs []wire.Hash, headers []blobstore.Record) error {
	m.log.Warn("the bucket lost what was in it: it is fetched from other members", "blobs", len(blobs), "headers", len(headers))
	changes := make([]ledger.Change, 0, len(blobs)+len(headers))
	copies, alone := m.copies.byBlob(), []*authorCopy(nil)
	now := uint64(time.Now().UnixNano())
	for i, h := range blobs {
		if c := copies[h]; c != nil {
			alone = append(alone, c)
			continue
		}
		named, err := m.node.Ledger().Names(h)
		if err != nil {
			return err
		}
		k := blobKey(h)
		if !named {
			k = unnamedKey(h)
		}
		changes = append(changes, ledger.Change{Key: k, Value: wire.U64(now + uint64(i))})
	}
	for i, r := range headers {
		changes = append(changes, ledger.Change{Key: placeKey(r.Log, r.ID), Value: wire.U64(now + uint64(i))})
	}
	if err := m.lostCopies(alone); err != nil {
		return err
	}
	m.losing.Lock()
	err := m.index.db.Write(changes)
	m.losing.Unlock()
	if err != nil {
		return err
	}
	m.keysBack.Store(false)
	ring(m.lacking)
	return nil
}

func unnamedKey(h wire.Hash) []byte { return append([]byte{lackKey}, h[:]...) }

// pullUnnamed brings back what was lost that no entry names, or gives it up.
func (m *Member) pullUnnamed(ctx context.Context, due []lack) (left map[string]bool, err error) {
	if m.keysBack.CompareAndSwap(false, true) {
		if err := m.putKeysBack(); err != nil {
			m.keysBack.Store(false)
			return nil, err
		}
	}
	missing, err := m.fetchDue(ctx, due)
	if err != nil {
		return nil, err
	}
	left = map[string]bool{}
	for batch := range slices.Chunk(missing, maxAsked) {
		nowhere, err := m.nowhere(ctx, batch)
		switch {
		case err == nil:
			batch = slices.DeleteFunc(slices.Clone(batch), func(h wire.Hash) bool { return nowhere[h] })
			if err := m.giveUp(len(nowhere)); err != nil {
				return nil, err
			}
		case ctx.Err() != nil:
			return nil, err
		}
		for _, h := range batch {
			left[string(unnamedKey(h))] = true
		}
	}
	return left, nil
}

// nowhere are those of at most maxAsked hashes of which every other member says that it hasn't got them. It is an error where one doesn't say.
func (m *Member) nowhere(ctx context.Context, hashes []wire.Hash) (map[wire.Hash]bool, error) {
	denied := map[wire.Hash]int{}
	for other := range m.genesis.Members {
		if other == m.number {
			continue
		}
		within, cancel := context.WithTimeout(ctx, askTime)
		reply, err := m.peers.Call(within, other, "blobs", encodeHashes(hashes))
		cancel()
		if err != nil {
			return nil, err
		}
		in := wire.NewReader(reply)
		for _, h := range hashes {
			switch in.U8() {
			case blobAbsent:
				denied[h]++
			case blobHere:
				in.Take(int(in.U32()))
			case blobInParts:
				in.U64()
				in.U16()
			}
		}
		if err := in.End(); err != nil {
			return nil, err
		}
	}
	out := map[wire.Hash]bool{}
	for _, h := range hashes {
		if denied[h] == len(m.genesis.Members)-1 {
			out[h] = true
		}
	}
	return out, nil
}

// giveUp counts what is asked for no more. A crash before it is crossed out counts it twice.
func (m *Member) giveUp(n int) error {
	if n == 0 {
		return nil
	}
	m.log.Warn("what the bucket lost, no entry names and no member has is given up", "blobs", n)
	before, err := m.GivenUp()
	if err != nil {
		return err
	}
	return m.index.db.Write([]ledger.Change{{Key: []byte{atGivenUp}, Value: wire.U64(before + uint64(n))}})
}

// GivenUp is how many blobs the bucket lost that no entry names and no member had.
func (m *Member) GivenUp() (uint64, error) { return m.index.number(atGivenUp) }

// putKeysBack puts back the public keys of sections that were lost and that the notes about charts have too, or the roots in custody.
func (m *Member) putKeysBack() error {
	lost := map[wire.Hash]bool{}
	err := m.index.db.Scan([]byte{lackKey}, []byte{lackKey + 1}, func(k, _ []byte) error {
		lost[wire.Hash(k[1:])] = true
		return nil
	})
	if err != nil || len(lost) == 0 {
		return err
	}
	ids, err := m.index.ids()
	if err != nil {
		return err
	}
	for _, id := range ids {
		keys, err := m.sectionKeys(id)
		if err != nil {
			return err
		}
		var found [][]byte
		for _, k := range keys {
			if lost[wire.Hash(sha256.Sum256(k))] {
				found = append(found, k)
			}
		}
		if err := m.store.PutAll(found); err != nil {
			return err
		}
	}
	return nil
}

// sectionKeys are the public keys of a chart's sections, as far as this member has them.
func (m *Member) sectionKeys(chart string) (out [][]byte, err error) {
	c, err := m.index.chart(chart)
	if err != nil || c == nil {
		return nil, err
	}
	for _, s := range c.Sections {
		out = append(out, s.Owner)
	}
	if c.Custody != nil {
		patient, err := m.ring.Patient(c.Custody)
		if err != nil {
			return nil, err
		}
		for _, s := range section.All() {
			out = append(out, patient.Private(s).Exchange()[:])
		}
	}
	return out, nil
}
