package exchange

import (
	"context"
	"errors"

	"vitalog/blobstore"
	"vitalog/envelope"
	"vitalog/key"
	"vitalog/op"
	"vitalog/section"
)

// Once makes a publication one that can be repeated. Its records have the same ids in every attempt, so that the ledger refuses them a
// second time. The zero value is a publication that is another one each time. See spec/import.md.
type Once struct {
	Key string // names the publication at this member
	At  uint64 // ms since 1970: when its records were made
}

// again finds what became of earlier attempts in one section.
type again struct {
	Once
	m        *Member
	chart    string
	section  section.Section
	purposes []string // with whose keys this member may have written; nil: with the part's own signer only
}

// salt makes a record's id: the same for everything in a group, whenever it is sealed.
func (a *again) salt(group string) [16]byte {
	name := a.m.ring.NameLocal("vitalog/v1/salt", []byte(a.Key+"\x00"+a.chart+"\x00"+a.section.String()+"\x00"+group))
	return [16]byte(name[:])
}

// writer lets a part go on with the key that an earlier attempt wrote with. All headers of an attempt became durable in one step, so that
// the first group speaks for all.
func (a *again) writer(p *part, group string) error {
	salt := a.salt(group)
	for _, purpose := range a.purposes {
		signer := a.m.ring.Grantee(p.log, purpose)
		_, err := a.m.store.Header(p.log, key.RecordID(a.m.network, p.log, signer.Public(), salt))
		if err == nil {
			p.signer = signer
			return nil
		}
		if !errors.Is(err, blobstore.ErrNotFound) {
			return err
		}
	}
	return nil
}

// find looks whether a record is on the ledger, which then says where its drafts stand, or durable here. The epoch in p was read before: a
// record of an older epoch that is not on the ledger now will never be.
func (a *again) find(p *part, r *group, name string, net *op.NetworkKey, out []Published) (there bool, err error) {
	r.context.Salt, r.context.Created = a.salt(name), a.At
	rid := r.context.Record()
	e, err := a.m.recordEntry(p.log, rid)
	if err != nil {
		return false, err
	}
	if e != nil {
		block, err := a.m.node.Ledger().BlockOf(p.log, e.Number)
		if err != nil {
			return false, err
		}
		r.place(Placed{e, block}, out)
		return true, nil
	}
	r.kept, err = a.kept(p, r, rid, net)
	return false, err
}

// kept takes a record that an earlier attempt left in the own store, if its locks are of the present epoch and network key.
func (a *again) kept(p *part, r *group, rid key.Record, net *op.NetworkKey) (bool, error) {
	raw, err := a.m.store.Header(p.log, rid)
	if errors.Is(err, blobstore.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	h, err := envelope.DecodeHeader(raw)
	if err != nil {
		return false, err
	}
	if n := len(h.Readers); h.Network.Gen != net.Gen || n == 0 || h.Readers[n-1].Epoch != p.epoch {
		return false, nil
	}
	blob, err := a.m.store.Get(h.Blob, maxBlob)
	if errors.Is(err, blobstore.ErrNotFound) || errors.Is(err, blobstore.ErrCorrupt) {
		return false, nil
	}
	r.Sealed = Sealed{Header: h, Blob: blob}
	return err == nil, err
}

// Repeated are the places of what earlier attempts of a publication put on the ledger in the groups of a chart. It opens nothing.
func (m *Member) Repeated(once Once, chartID string, groups []string) (out []Location, err error) {
	c, err := m.index.chart(chartID)
	if err != nil || c == nil {
		return nil, err
	}
	for _, s := range section.Clinical() {
		st := c.Sections[s]
		if st == nil {
			continue
		}
		a := again{Once: once, m: m, chart: chartID, section: s}
		for _, purpose := range st.Purposes {
			signer := m.ring.Grantee(st.Log, purpose).Public()
			for _, group := range groups {
				e, err := m.recordEntry(st.Log, key.RecordID(m.network, st.Log, signer, a.salt(group)))
				if err != nil {
					return nil, err
				}
				if e != nil {
					out = append(out, Location{Chart: chartID, Section: s, Log: st.Log, Entry: e.Number, At: e.At})
				}
			}
		}
	}
	return out, nil
}

// putOwn stores records that this member sealed. One that it had sealed before, and that can't come onto the ledger any more, gives way.
func (m *Member) putOwn(_ context.Context, records []Sealed) error {
	batch := make([]blobstore.Record, len(records))
	for i, r := range records {
		batch[i] = blobstore.Record{Log: r.Header.Log, ID: r.Header.Record(), Header: r.Header.Encode(), Blob: r.Blob, Own: true}
	}
	return m.store.PutRecords(batch)
}
