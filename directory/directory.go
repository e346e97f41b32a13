// Package directory keeps the resources that are about no patient: organisations, places, practitioners and their roles, definitions.
//
// It promises that every member comes to the same directory: each resource is signed by the member that it came from, in an order without
// gaps, and where two members give a resource the same type and id the one with the lower number in the genesis counts, everywhere. It
// refuses resources about patients, items that are not the next of their member, and changes of another member's resource.
//
//	member 0, item 1    Organization/ef58ea08    signed by member 0
//	member 0, item 2    Practitioner/0000016d    signed by member 0, names item 1
//
// See spec/directory.md.
package directory

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"vitalog/fhir"
	"vitalog/key"
	"vitalog/kv"
	"vitalog/op"
	"vitalog/wire"
)

// The refusals that a caller may want to tell apart.
var (
	ErrPatient    = errors.New("belongs into a patient's log")
	ErrNotOurs    = errors.New("another member's resource")
	ErrUnresolved = errors.New("reference to nothing in the directory")
	ErrOrder      = errors.New("not the member's next item")
	ErrForked     = errors.New("member signed two different items of one number")
	ErrSignature  = errors.New("member's signature does not verify")
	ErrIncomplete = errors.New("this member's own items are still being fetched from the others")
)

// Directory is one member's copy. It is safe for concurrent use. All of it is in memory; the store holds the items, one key each.
type Directory struct {
	db      *kv.DB
	genesis *op.Genesis
	network key.Network
	member  int
	signer  key.Signer

	mu           sync.RWMutex
	awaited      chan struct{}              // nil: complete
	heads        []head                     // by member
	resources    map[string]map[int]*Item   // current items by Type/id and member
	byType       map[string]map[string]bool // ids of a type
	byIdentifier map[string]map[string]bool // Type/ids by Type|system|value
	byContent    map[wire.Hash]string       // Type/id of this member's own resources by what was put
	failed       error                      // of the store: memory may be ahead of it, so nothing more is put
}

// head is the last item of a member.
type head struct {
	seq  uint64
	hash wire.Hash
}

// Resource is a resource as the directory answers it. It is immutable.
type Resource struct{ item *Item }

// Open reads the copy that db holds. signer is the long-term key of member, a number in the genesis.
func Open(db *kv.DB, g *op.Genesis, member int, signer key.Signer) (*Directory, error) {
	if member < 0 || member >= len(g.Members) || g.Members[member].Sign != signer.Public() {
		return nil, fmt.Errorf("directory: %v is not the key of member %d", signer.Public(), member)
	}
	d := &Directory{db: db.Prefix("directory/"), genesis: g, network: g.Network(), member: member, signer: signer,
		heads: make([]head, len(g.Members)), resources: map[string]map[int]*Item{}, byType: map[string]map[string]bool{},
		byIdentifier: map[string]map[string]bool{}, byContent: map[wire.Hash]string{}}
	err := d.db.Scan(nil, nil, func(_, v []byte) error {
		i, err := DecodeItem(v)
		if err != nil {
			return err
		}
		if err := d.next(i); err != nil {
			return err
		}
		d.keep(i)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("directory: reading what is stored: %w", err)
	}
	return d, nil
}

// Listing is a resource to be put into the directory.
type Listing struct {
	ID       string // to replace this member's resource of that id, or to add it under that id; "" to add a new one
	Resource *fhir.Resource
}

// Listed says what became of a listing.
type Listed struct {
	Resource
	Created bool // else it is there already, as this or under another id
	Err     error
}

// Put adds a resource as this member's, and tells whether it is new. It is not if this member put the same bytes before, or if the
// directory has one of that type with one of its identifiers: then that one is the answer. It keeps the id that it came with unless that
// is taken. Conditional references (Organization?identifier=…) are replaced by what they find, ErrUnresolved if nothing.
func (d *Directory) Put(r *fhir.Resource) (out Resource, created bool, err error) {
	l := d.PutAll([]Listing{{Resource: r}})[0]
	return l.Resource, l.Created, l.Err
}

// Update replaces this member's resource of that id by r, or adds it under that id. ErrNotOurs if it is another member's.
func (d *Directory) Update(id string, r *fhir.Resource) (out Resource, created bool, err error) {
	l := d.PutAll([]Listing{{ID: id, Resource: r}})[0]
	return l.Resource, l.Created, l.Err
}

// PutAll is Put or Update for many resources, one after the other, with one wait for the disk. Each has its own error.
func (d *Directory) PutAll(list []Listing) []Listed {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make([]Listed, len(list))
	var batch []kv.Change
	for i, l := range list {
		var item *Item
		if out[i], item = d.put(l); item != nil {
			batch = append(batch, kv.Change{Key: itemKey(item.Member, item.Seq), Value: item.Encode()})
		}
	}
	if len(batch) == 0 {
		return out
	}
	// Nobody has seen the items: d.mu is held. A crash before this line leaves nothing of them.
	if err := d.db.Write(batch); err != nil {
		d.failed = fmt.Errorf("directory: storing %d items: %w", len(batch), err)
		for i := range out {
			out[i] = Listed{Err: d.failed}
		}
	}
	return out
}

// put finds what is there already, or signs this member's next item, which is to be stored. d.mu is held.
func (d *Directory) put(l Listing) (Listed, *Item) {
	if d.failed != nil {
		return Listed{Err: d.failed}, nil
	}
	if err := ours(l.Resource); err != nil {
		return Listed{Err: fmt.Errorf("directory: %w", err)}, nil
	}
	r, err := d.resolve(l.Resource)
	if err != nil {
		return Listed{Err: err}, nil
	}
	if l.ID != "" {
		return d.update(l.ID, r)
	}
	if name, ok := d.byContent[contentHash(r)]; ok {
		return Listed{Resource: Resource{d.resources[name][d.member]}}, nil
	}
	for _, id := range r.Identifiers() {
		if found := d.find(r.Type(), id); len(found) > 0 {
			return Listed{Resource: found[0]}, nil
		}
	}
	id := r.ID()
	if id == "" || d.resources[r.Type()+"/"+id] != nil {
		id = newID()
	}
	return d.write(r, id, true)
}

func (d *Directory) update(id string, r *fhir.Resource) (Listed, *Item) {
	held := d.resources[r.Type()+"/"+id]
	if mine := held[d.member]; held != nil && mine == nil {
		return Listed{Err: fmt.Errorf("directory: %s/%s: %w", r.Type(), id, ErrNotOurs)}, nil
	} else if mine != nil && string(mine.Raw) == string(r.Raw()) {
		return Listed{Resource: Resource{mine}}, nil
	}
	return d.write(r, id, held == nil)
}

// write signs this member's next item, which is to be stored before d.mu is given back.
func (d *Directory) write(r *fhir.Resource, id string, created bool) (Listed, *Item) {
	if len(r.Raw()) > MaxResource {
		return Listed{Err: fmt.Errorf("directory: %s of %d bytes, at most %d: %w", r.Type(), len(r.Raw()), MaxResource, wire.ErrOversized)}, nil
	}
	if d.awaited != nil {
		return Listed{Err: fmt.Errorf("directory: %w", ErrIncomplete)}, nil
	}
	h := d.heads[d.member]
	i := &Item{Member: d.member, Seq: h.seq + 1, Prev: h.hash, At: uint64(time.Now().UnixMilli()), Type: r.Type(), ID: id, Raw: slices.Clone(r.Raw())}
	if err := i.check(); err != nil {
		return Listed{Err: fmt.Errorf("directory: %w", err)}, nil
	}
	hash := i.Hash(d.network)
	i.Sig = d.signer.Sign(hash[:])
	d.keep(i)
	return Listed{Resource: Resource{i}, Created: created}, i
}

// Get is the resource of that type and id, false if there is none.
func (d *Directory) Get(resourceType, id string) (Resource, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	i := d.winner(resourceType + "/" + id)
	return Resource{i}, i != nil
}

// After are the versions of this member's resource that came after one of its versions, oldest first, as far as they are held.
func (d *Directory) After(r Resource, version string) (out []Resource, err error) {
	seq, err := strconv.ParseUint(version, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("directory: version %q: want a number", version)
	}
	for seq < r.item.Seq {
		items, err := d.Since(r.item.Member, seq, maxBatch)
		if err != nil {
			return nil, err
		}
		if len(items) == 0 {
			break
		}
		for _, i := range items {
			if seq = i.Seq; i.Type == r.item.Type && i.ID == r.item.ID {
				out = append(out, Resource{i})
			}
		}
	}
	return out, nil
}

// Find are the resources of a type with that identifier. Where members gave several for one thing, the first is the one to refer to.
func (d *Directory) Find(resourceType string, id fhir.Identifier) []Resource {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.find(resourceType, id)
}

func (d *Directory) find(resourceType string, id fhir.Identifier) []Resource {
	var out []Resource
	for name := range d.byIdentifier[resourceType+"|"+id.String()] {
		i := d.winner(name)
		if slices.Contains(i.resource.Identifiers(), id) {
			out = append(out, Resource{i})
		}
	}
	slices.SortFunc(out, func(a, b Resource) int {
		if a.item.Member != b.item.Member {
			return a.item.Member - b.item.Member
		}
		return strings.Compare(a.item.ID, b.item.ID)
	})
	return out
}

// Search finds resources of a type as chart.Search does.
func (d *Directory) Search(resourceType string, query map[string][]string) ([]Resource, error) {
	s, by, err := fhir.ParseQuery(resourceType, query)
	if err != nil {
		return nil, err
	}
	keys := map[string]fhir.Key{}
	var out []Resource
	d.mu.RLock()
	for id := range d.byType[resourceType] {
		if r := (Resource{d.winner(resourceType + "/" + id)}); s.Matches(r.item.resource, r.identity()) {
			out = append(out, r)
			keys[id] = by.Key(r.item.resource, r.identity())
		}
	}
	d.mu.RUnlock()
	slices.SortFunc(out, func(a, b Resource) int { return by.Compare(keys[a.ID()], keys[b.ID()]) })
	return out, nil
}

// winner is the item that counts for Type/id, nil if there is none.
func (d *Directory) winner(name string) *Item {
	var best *Item
	for member, i := range d.resources[name] {
		if best == nil || member < best.Member {
			best = i
		}
	}
	return best
}

// resolve replaces conditional references.
func (d *Directory) resolve(r *fhir.Resource) (*fhir.Resource, error) {
	var missing error
	raw := r.Rewrite("", nil, func(ref string) string {
		x := fhir.ParseReference(ref)
		if x.Query == "" {
			return ref
		}
		if id, ok := x.Identifier(); ok {
			if found := d.find(x.Type, id); len(found) > 0 {
				return x.Type + "/" + found[0].ID()
			}
		}
		missing = fmt.Errorf("directory: %s refers to a %s: %w", r.Type(), x.Type, ErrUnresolved)
		return ref
	})
	if missing != nil {
		return nil, missing
	}
	return fhir.Parse(raw)
}

// keep indexes an item that is stored. d.mu is held, or d is not shared yet.
func (d *Directory) keep(i *Item) {
	d.heads[i.Member] = head{i.Seq, i.Hash(d.network)}
	name := i.Type + "/" + i.ID
	if d.resources[name] == nil {
		d.resources[name] = map[int]*Item{}
	}
	if old := d.resources[name][i.Member]; old != nil && i.Member == d.member {
		delete(d.byContent, contentHash(old.resource))
	}
	d.resources[name][i.Member] = i
	insert(d.byType, i.Type, i.ID)
	for _, id := range i.resource.Identifiers() { // find drops those that a later version no longer has
		insert(d.byIdentifier, i.Type+"|"+id.String(), name)
	}
	if i.Member == d.member {
		d.byContent[contentHash(i.resource)] = name
	}
}

func insert(m map[string]map[string]bool, k, v string) {
	if m[k] == nil {
		m[k] = map[string]bool{}
	}
	m[k][v] = true
}

func contentHash(r *fhir.Resource) wire.Hash { return wire.Sum("content", []byte(r.Type()), r.Raw()) }

// newID is a random UUID (RFC 9562, version 4).
func newID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// Type is the resource type.
func (r Resource) Type() string { return r.item.Type }

// ID is the resource's id, the same at every member.
func (r Resource) ID() string { return r.item.ID }

// Member is the number of the member that it came from.
func (r Resource) Member() int { return r.item.Member }

// Version is the version id: the number of the member's item.
func (r Resource) Version() string { return fmt.Sprint(r.item.Seq) }

// Updated is when the member took it, by its own clock.
func (r Resource) Updated() time.Time { return time.UnixMilli(int64(r.item.At)).UTC() }

// FHIR is the resource as its member got it, without the identity that Render gives.
func (r Resource) FHIR() *fhir.Resource { return r.item.resource }

// Render is the resource as readers receive it: with its id, versionId and lastUpdated.
func (r Resource) Render() []byte {
	return r.item.resource.Rewrite(r.item.ID, r.item.resource.Meta(r.Version(), r.Updated()), nil)
}

func (r Resource) identity() fhir.Identity {
	return fhir.Identity{ID: r.item.ID, Updated: r.Updated()}
}
