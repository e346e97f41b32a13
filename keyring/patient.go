package keyring

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	bip39 "github.com/cosmos/go-bip39"

	"vitalog/grant"
	"vitalog/key"
	"vitalog/section"
)

const patientContext = "vitalog/v1/keyring/patient"

// Patient performs what a patient's root can do. It is safe for concurrent use.
type Patient struct {
	_       [0]func()
	network key.Network
	root    *key.Root
	claim   *Claim // nil: no chart was claimed

	mu   sync.Mutex // of keys
	keys map[section.Section]*sectionKeys
}

// sectionKeys are the keys of one log: the root's own, or those of a log that was taken over.
type sectionKeys struct {
	*key.SectionKeys
	log     key.Log
	salt    [32]byte
	private key.Opener
	old     *key.SectionKeys // before the claim; nil: there was none
	until   uint32           // its last epoch
}

func (k *sectionKeys) of(epoch uint32) *key.SectionKeys {
	if k.old != nil && epoch <= k.until {
		return k.old
	}
	return k.SectionKeys
}

func (k *sectionKeys) readerSeed(epoch uint32) [32]byte { return k.of(epoch).ReaderSeed(epoch) }

// NewPatient draws the root of a patient whom the member enrols. wrapped is the root sealed to this ring: the custodian keeps it until
// the patient claims the chart.
func (r *Ring) NewPatient() (wrapped []byte, p *Patient, err error) { return r.take(key.NewRoot()) }

// RecoverPatient takes a patient into custody by the 24 words.
func (r *Ring) RecoverPatient(words string) (wrapped []byte, p *Patient, err error) {
	root, err := rootOf(words)
	if err != nil {
		return nil, nil, err
	}
	return r.take(root)
}

func (r *Ring) take(root *key.Root) ([]byte, *Patient, error) {
	p, err := r.patient(root)
	if err != nil {
		return nil, nil, err
	}
	secret := root.Reveal()
	defer clear(secret[:])
	return r.SealLocal([]byte(patientContext), secret[:]), p, nil
}

// Patient unwraps the root of a patient in custody.
func (r *Ring) Patient(wrapped []byte) (*Patient, error) {
	b, err := r.OpenLocal([]byte(patientContext), wrapped)
	if err != nil {
		return nil, fmt.Errorf("patient in custody: %w", err)
	}
	defer clear(b)
	if len(b) != 32 {
		return nil, fmt.Errorf("patient in custody: a root of %d bytes", len(b))
	}
	return r.patient(key.RootFrom([32]byte(b)))
}

// Own is the patient whose ring this is, or ErrNoPatient.
func (r *Ring) Own() (*Patient, error) {
	r.mu.RLock()
	own, secret := r.s.own, r.s.root
	r.mu.RUnlock()
	defer clear(secret[:])
	if !own {
		return nil, fmt.Errorf("keyring %s: %w", r.path, ErrNoPatient)
	}
	return r.patient(key.RootFrom(secret))
}

func (r *Ring) patient(root *key.Root) (*Patient, error) {
	network, err := r.Network()
	if err != nil {
		return nil, err
	}
	return &Patient{network: network, root: root, keys: map[section.Section]*sectionKeys{}}, nil
}

// Log is the id of the section's log.
func (p *Patient) Log(s section.Section) key.Log { return p.section(s).log }

// Salt is what the log's id is made with, next to the owner key.
func (p *Patient) Salt(s section.Section) [32]byte { return p.section(s).salt }

// Owner signs for the owner of the section's log.
func (p *Patient) Owner(s section.Section) key.Signer { return p.section(s).Owner }

// Private opens what is sealed to the owner: owner locks, access details, posts.
func (p *Patient) Private(s section.Section) key.Opener { return p.section(s).private }

// ReaderPublic is the public half of the epoch's reader key: what writers seal to.
func (p *Patient) ReaderPublic(s section.Section, epoch uint32) *key.Exchange {
	return p.section(s).of(epoch).Reader(epoch).Exchange()
}

// Reader is the epoch's reader key, with which a custodian reads like every grantee: through a release.
func (p *Patient) Reader(s section.Section, epoch uint32) key.Opener {
	return p.section(s).of(epoch).Reader(epoch)
}

// GrantMessage completes m with network, log, section and the owner's exchange key, adds the reader seeds of the epochs, ascending, and
// seals it to the grantee.
func (p *Patient) GrantMessage(s section.Section, epochs []uint32, to *key.Exchange, m grant.Message) ([]byte, error) {
	k := p.section(s)
	m.Network, m.Log, m.Section, m.Owner = p.network, k.log, s, *k.private.Exchange()
	seeds := make([]grant.Seed, len(epochs))
	for i, e := range epochs {
		seeds[i] = grant.NewSeed(e, k.readerSeed(e))
	}
	return m.Seal(to, seeds)
}

// Words are the 24 words (BIP-39, English) that bring the patient back anywhere. They are the root itself: whoever has read them is the
// patient. They are for the patient's eyes and paper, never for a file, a log or a message.
func (p *Patient) Words() (string, error) {
	secret := p.root.Reveal()
	defer clear(secret[:])
	words, err := bip39.NewMnemonic(secret[:])
	if err != nil {
		return "", errors.New("patient: the root does not make 24 words")
	}
	return words, nil
}

// rootOf reads 24 words in any case and spacing. Its error repeats none of them.
func rootOf(words string) (*key.Root, error) {
	list := strings.Fields(strings.ToLower(words))
	if len(list) != 24 {
		return nil, fmt.Errorf("recovery: %d words, want 24", len(list))
	}
	b, err := bip39.MnemonicToByteArray(strings.Join(list, " "))
	if err != nil || len(b) != 33 {
		return nil, errors.New("recovery: the words do not fit together: one is wrong or in another place")
	}
	defer clear(b)
	return key.RootFrom([32]byte(b[:32])), nil // the last byte is the checksum
}

func (p *Patient) section(s section.Section) *sectionKeys {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := p.keys[s]
	switch {
	case k != nil:
		return k
	case p.claim != nil && s != section.Index:
		k = p.claimed(s)
	default:
		own := p.root.Section(uint8(s))
		k = &sectionKeys{SectionKeys: own, log: own.Log(p.network), salt: own.Salt, private: own.Private}
	}
	p.keys[s] = k
	return k
}

// LogValue keeps the root out of logs.
func (*Patient) LogValue() slog.Value { return slog.StringValue("(patient)") }

// String keeps the root out of formatted text.
func (*Patient) String() string { return "(patient)" }

// GoString keeps the root out of %#v.
func (p *Patient) GoString() string { return p.String() }
