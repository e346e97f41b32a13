package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"vitalog/consent"
	"vitalog/grant"
	"vitalog/key"
	"vitalog/keyring"
	"vitalog/ledger"
	"vitalog/op"
	"vitalog/section"
	"vitalog/wire"

	"golang.org/x/sync/errgroup"
)

// Share is what a patient grants to one organisation for one purpose.
type Share struct {
	Member   int // number in the genesis
	Purpose  string
	Rights   consent.Rights
	Sections []section.Section
	Ranges   []consent.Range // entries; nil: all, also those to come
	From     time.Time       // zero: at once
	Until    time.Time       // zero: until the patient stops it
	Uses     uint32          // 0: any number
	Label    string
}

// Shared is one grant as the patient sees it.
type Shared struct {
	Member  int    // -1: a device of the patient's, a person who reads for the patient, or a health link
	Device  string // the device's name
	Proxy   string // the person's
	Link    bool   // of a health link: whoever has it
	Section section.Section
	Purpose string
	Label   string
	Log     key.Log
	Block   uint64
	At      time.Time // on the ledger clock; zero for what was granted a moment ago
	Message wire.Hash // names the grant message, which no other grant has
	consent.Grant

	exchange []byte // the person's exchange key
}

// Grant gives an organisation keys to sections, and returns the grants with the blocks in which they are final.
//
// Crash points: the patient's own note of who is behind the keys is on the ledger before the first grant is, so that no grant is ever
// without a name; a message without a grant is garbage.
func (p *Patient) Grant(ctx context.Context, s Share) ([]Shared, error) {
	return p.grant(ctx, note{Label: s.Label}, []Share{s})
}

// grant is Grant for several shares, which one note is about.
func (p *Patient) grant(ctx context.Context, note note, shares []Share) ([]Shared, error) {
	var ops []*op.Operation
	var out []Shared
	for _, s := range shares {
		if s.Member < 0 || s.Member >= len(p.home.Genesis().Members) {
			return nil, fmt.Errorf("member %d: %w", s.Member, ErrInvalid)
		}
		to, err := key.ParseExchange(p.home.Genesis().Members[s.Member].Exchange)
		if err != nil {
			return nil, err
		}
		for _, sec := range s.Sections {
			log := p.keys.Log(sec)
			i, err := p.introduction(ctx, s, log)
			if err != nil {
				return nil, err
			}
			note.Introductions = append(note.Introductions, i.Encode())
			terms := s.terms(i.Grantee)
			head, err := p.head(ctx, log)
			if err != nil {
				return nil, err
			}
			var epochs []uint32
			if terms.Rights&consent.Read != 0 {
				for e := range head.Epoch {
					epochs = append(epochs, e+1)
				}
			}
			msg := grant.Message{Purpose: s.Purpose, Patient: p.keys.ChartID(), Custodial: p.custodial, Handle: p.Handle(), Label: s.Label, Terms: terms}
			sealed, err := p.keys.GrantMessage(sec, epochs, to, msg)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
			}
			h, err := p.home.PutBlob(ctx, sealed)
			if err != nil {
				return nil, fmt.Errorf("storing the grant message: %w", err)
			}
			ops = append(ops, op.Sign(p.network, p.keys.Owner(sec), log, expiry(), &op.Grant{Terms: terms, Message: h}))
			out = append(out, Shared{Member: s.Member, Section: sec, Purpose: s.Purpose, Label: s.Label, Log: log, Message: h, Grant: consent.Grant{Terms: terms}})
		}
	}
	if note.Agreement != nil {
		for i := range out {
			note.Agreement.Messages = append(note.Agreement.Messages, out[i].Message)
		}
	}
	if err := p.write(ctx, note); err != nil {
		return nil, err
	}
	results, err := submitAll(ctx, p.home, ops...)
	if err != nil {
		return nil, fmt.Errorf("granting: %w", err)
	}
	return out, p.place(ctx, ops, results, func(i int, entry, block uint64) { out[i].Entry, out[i].Block = entry, block })
}

// introduction is the key that a member has for a log, in the member's word.
func (p *Patient) introduction(ctx context.Context, s Share, log key.Log) (*grant.Introduction, error) {
	i, err := p.home.Introduce(ctx, s.Member, log, s.Purpose)
	if err != nil {
		return nil, err
	}
	if err := i.Verify(p.home.Genesis()); err != nil {
		return nil, err
	}
	if i.Log != log || i.Purpose != s.Purpose || int(i.Member) != s.Member {
		return nil, fmt.Errorf("the introduction is for another log, purpose or member: %w", ErrInvalid)
	}
	return i, nil
}

func (s *Share) terms(v key.Verifier) consent.Terms {
	t := consent.Terms{Key: v, Rights: s.Rights, Uses: s.Uses}
	if s.Rights&consent.Read != 0 {
		if t.Ranges = s.Ranges; t.Ranges == nil {
			t.Ranges = []consent.Range{{To: consent.Forever}}
		}
	}
	if !s.From.IsZero() {
		t.From = uint64(s.From.UnixMilli())
	}
	if !s.Until.IsZero() {
		t.Until = uint64(s.Until.UnixMilli())
	}
	return t
}

// place proves the entries that operations made.
func (p *Patient) place(ctx context.Context, ops []*op.Operation, results []ledger.Result, found func(i int, entry, block uint64)) error {
	blocks := make([]uint64, len(ops))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(provenAtOnce)
	for i := range ops {
		g.Go(func() (err error) {
			blocks[i], err = p.placed(gctx, ops[i], results[i].First)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i := range ops {
		found(i, results[i].First, blocks[i])
	}
	return nil
}

// provenAtOnce is how many receipts are asked for at once.
const provenAtOnce = 8

// AddDevice lets a device of the patient's write into a section, under a key of its own. It is ErrConflict if a device of that name ever
// could: the key is the name's, and an old copy of it would write again.
func (p *Patient) AddDevice(ctx context.Context, name string, s section.Section) (*Shared, error) {
	if err := keyring.CheckDeviceName(name); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	v := p.keys.Device(s, name).Public()
	head, err := p.head(ctx, p.keys.Log(s))
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(head.Terms(), func(g consent.Grant) bool { return g.Key == v }) {
		return nil, fmt.Errorf("a device of that name writes, or wrote, into %v: %w", s, ErrConflict)
	}
	if err := p.write(ctx, note{Label: name, Device: name, Keys: []deviceKey{{Section: s, Key: v}}}); err != nil {
		return nil, err
	}
	terms := consent.Terms{Key: v, Rights: consent.Write}
	o := op.Sign(p.network, p.keys.Owner(s), p.keys.Log(s), expiry(), &op.Grant{Terms: terms})
	results, err := submitAll(ctx, p.home, o)
	if err != nil {
		return nil, fmt.Errorf("adding device: %w", err)
	}
	out := &Shared{Member: -1, Device: name, Section: s, Label: name, Log: p.keys.Log(s), Grant: consent.Grant{Terms: terms}}
	return out, p.place(ctx, []*op.Operation{o}, results, func(_ int, entry, block uint64) { out.Entry, out.Block = entry, block })
}

// Sharing lists the grants of all sections, ended ones too: those in the heads that the validators signed.
func (p *Patient) Sharing(ctx context.Context) ([]Shared, error) {
	names, _, err := p.names(ctx)
	if err != nil {
		return nil, err
	}
	bySection := make([][]Shared, len(section.All()))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(provenAtOnce)
	for i, s := range section.All() {
		g.Go(func() (err error) {
			bySection[i], err = p.sharingOf(gctx, s, names)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return slices.Concat(bySection...), nil
}

func (p *Patient) sharingOf(ctx context.Context, s section.Section, names map[key.Verifier]named) ([]Shared, error) {
	log := p.keys.Log(s)
	head, err := p.head(ctx, log)
	if err != nil {
		return nil, err
	}
	var out []Shared
	for _, g := range head.Terms() {
		e, err := p.home.Entries(ctx, log, g.Entry, g.Entry+1)
		if err != nil || len(e) != 1 {
			return nil, errors.Join(fmt.Errorf("%v entry %d: %w", log, g.Entry, ErrNotShared), err)
		}
		n, known := names[g.Key]
		if !known {
			n.member = -1 // nobody's: not the first member's
		}
		x := Shared{Member: n.member, Device: n.device, Link: n.link, Section: s, Purpose: n.purpose, Label: n.label, Log: log, Block: e[0].Block, Grant: g}
		if n.proxy != nil {
			x.Proxy, x.exchange = n.proxy.Name, n.proxy.Exchange
		}
		x.At, x.Message = time.UnixMilli(int64(e[0].At)), messageOf(e[0].Entry)
		out = append(out, x)
	}
	return out, nil
}
