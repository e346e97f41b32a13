package keyring

import (
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"vitalog/grant"
	"vitalog/key"
	"vitalog/section"
	"vitalog/wire"
)

// Claim is what a patient took over from a custodian: the root in custody, and up to which epoch its reader keys go. See spec/claim.md.
type Claim struct {
	_      [0]func()
	Epochs map[section.Section]uint32 // of the clinical sections: the last of the custody's
	root   *key.Root
}

// NewClaim takes over a root that was handed over. Until Epochs is filled it claims nothing.
func NewClaim(root [32]byte) *Claim {
	return &Claim{root: key.RootFrom(root), Epochs: map[section.Section]uint32{}}
}

// Root copies the root in custody out, for the patient's own index. Nothing else calls it.
func (c *Claim) Root() [32]byte { return c.root.Reveal() }

// Chart is the id of the chart.
func (c *Claim) Chart() string { return chartOf(c.root) }

// Custody performs what the root in custody can do.
func (c *Claim) Custody(network key.Network) *Patient {
	return &Patient{network: network, root: c.root, keys: map[section.Section]*sectionKeys{}}
}

// Encode is for SealLocal: it is secret.
func (c *Claim) Encode() []byte {
	var w wire.Writer
	w.U8(1)
	root := c.root.Reveal()
	defer clear(root[:])
	w.Fixed(root[:])
	for _, s := range section.Clinical() {
		w.U32(c.Epochs[s])
	}
	return w.Done()
}

// DecodeClaim reads what OpenLocal gave.
func DecodeClaim(b []byte) (*Claim, error) {
	r := wire.NewReader(b)
	if v := r.U8(); r.Err() == nil && v != 1 {
		r.Fail(fmt.Errorf("format version %d, this program reads 1: use a newer program", v))
	}
	var root [32]byte
	r.Fixed(root[:])
	c := NewClaim(root)
	clear(root[:])
	for _, s := range section.Clinical() {
		if c.Epochs[s] = r.U32(); r.Err() == nil && c.Epochs[s] == 0 {
			r.Fail(fmt.Errorf("epoch 0: %w", wire.ErrNonCanonical))
		}
	}
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("claim: %w", err)
	}
	return c, nil
}

// Format keeps the root out of text.
func (*Claim) Format(f fmt.State, _ rune) { io.WriteString(f, "(claim)") }

// LogValue keeps the root out of logs.
func (*Claim) LogValue() slog.Value { return slog.StringValue("(claim)") }

// claiming is the root from which a patient's keys of a claimed chart derive: no key of it is one of the patient's own logs.
func (p *Patient) claiming(chart string) *key.Root {
	secret := p.root.Reveal()
	defer clear(secret[:])
	id, _ := hex.DecodeString(strings.ReplaceAll(chart, "-", "")) // what is no chart's id leads to no chart's keys
	return key.RootFrom(key.Derive(secret[:], "vitalog/v1/root/claim", id))
}

// ClaimKey opens the answer to the claim of a chart.
func (p *Patient) ClaimKey(chart string) key.Opener {
	return p.claiming(chart).Section(uint8(section.Inbox)).Private
}

// With are the keys of a patient who claims, or claimed, a chart: its logs take the place of the own ones, but for the index.
func (p *Patient) With(c *Claim) *Patient {
	return &Patient{network: p.network, root: p.root, claim: c, keys: map[section.Section]*sectionKeys{}}
}

// Claimed is what the patient has claimed, or nil.
func (p *Patient) Claimed() *Claim { return p.claim }

// claimed are the keys of a section that was taken over.
func (p *Patient) claimed(s section.Section) *sectionKeys {
	old, mine := p.claim.root.Section(uint8(s)), p.claiming(p.claim.Chart()).Section(uint8(s))
	return &sectionKeys{SectionKeys: mine, log: old.Log(p.network), salt: old.Salt, private: either{mine.Private, old.Private}, old: old, until: p.claim.Epochs[s]}
}

// OldIndex signs for the patient in the index log of the custody, in which nothing is written any more.
func (p *Patient) OldIndex() key.Signer {
	return p.claiming(p.claim.Chart()).Section(uint8(section.Index)).Owner
}

// either opens what was sealed to a key, or to the one before it.
type either struct{ now, before *key.Decapsulating }

// Exchange is the public half of the present key.
func (e either) Exchange() *key.Exchange { return e.now.Exchange() }

// Open is that of the first key that opens it.
func (e either) Open(info string, aad, sealed []byte) ([]byte, error) {
	b, err := e.now.Open(info, aad, sealed)
	if err == nil {
		return b, nil
	}
	if b, before := e.before.Open(info, aad, sealed); before == nil {
		return b, nil
	}
	return nil, err
}

// HandOver answers a claim with the root of a patient in custody, sealed to who claims.
func (r *Ring) HandOver(wrapped []byte, to *grant.Claim) ([]byte, error) {
	network, err := r.Network()
	if err != nil {
		return nil, err
	}
	p, err := r.Patient(wrapped)
	if err != nil {
		return nil, err
	}
	root := p.root.Reveal()
	defer clear(root[:])
	return to.Answered(network, r.member, grant.Handed, root)
}

// KeepSeeds are the reader seeds of a patient in custody up to an epoch, wrapped for Reader: what a custodian keeps when it forgets the root.
func (r *Ring) KeepSeeds(p *Patient, s section.Section, until uint32) []byte {
	var seeds []grant.Seed
	for e := range until {
		seeds = append(seeds, grant.NewSeed(e+1, p.section(s).readerSeed(e+1)))
	}
	plain := grant.EncodeSeeds(seeds)
	defer clear(plain)
	return r.SealLocal(seedContext(p.Log(s)), plain)
}
