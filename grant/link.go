package grant

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"

	"vitalog/key"
	"vitalog/wire"
)

const linkInfo = "vitalog/v1/health-link"

// Limits of a health link (spec/health-links.md), in bytes.
const (
	MinPasscode = 6
	MaxPasscode = 64
	MaxLinkFile = 4 << 20
)

// Link is what a patient tells the home member of a health link: by what it is found, and what it takes to put an opening on the ledger. What
// decrypts the file is not in it. It holds the secret of the key that the grant names, and the passcode.
type Link struct {
	_       [0]func()
	Network key.Network
	Log     key.Log   // of the grant
	ID      wire.Hash // of the token in the link's address
	Owner   key.Exchange
	File    wire.Hash // of the JWE
	Size    uint32    // of the JWE, bytes

	seed     [32]byte
	passcode string
}

// NewLink is a link with its secrets; the caller fills in the rest.
func NewLink(seed [32]byte, passcode string) *Link { return &Link{seed: seed, passcode: passcode} }

// Key signs accesses under the link's grant.
func (l *Link) Key() *key.Signing { return key.NewSigning(l.seed) }

// Opens tells whether a passcode is the link's, in constant time for one length.
func (l *Link) Opens(passcode string) bool {
	return subtle.ConstantTimeCompare([]byte(passcode), []byte(l.passcode)) == 1
}

// Seal seals the link to the home member's exchange key.
func (l *Link) Seal(to *key.Exchange) ([]byte, error) {
	var w wire.Writer
	w.U8(Version)
	for _, b := range [][]byte{l.Network[:], l.Log[:], l.ID[:], l.seed[:], l.Owner[:]} {
		w.Fixed(b)
	}
	w.Bytes([]byte(l.passcode))
	w.Fixed(l.File[:])
	w.U32(l.Size)
	if _, err := decodeLink(w.Done()); err != nil {
		return nil, fmt.Errorf("health link in %v: %w", l.Log, err)
	}
	return seal(to, linkInfo, linkContext(l.Network, l.Log, l.Key().Public()), w.Done())
}

// OpenLink opens the link whose grant in log names k.
func OpenLink(o key.Opener, network key.Network, log key.Log, k key.Verifier, sealed []byte) (*Link, error) {
	b, err := open(o, linkInfo, linkContext(network, log, k), sealed)
	if err != nil {
		return nil, fmt.Errorf("health link in %v: %w", log, err)
	}
	l, err := decodeLink(b)
	if err == nil && (l.Network != network || l.Log != log || l.Key().Public() != k) {
		err = fmt.Errorf("of another network, log or key: %w", wire.ErrNonCanonical)
	}
	if err != nil {
		return nil, fmt.Errorf("health link in %v: %w", log, err)
	}
	return l, nil
}

func decodeLink(b []byte) (*Link, error) {
	r := wire.NewReader(b)
	l := &Link{}
	readVersion(r)
	r.Fixed(l.Network[:])
	r.Fixed(l.Log[:])
	r.Fixed(l.ID[:])
	r.Fixed(l.seed[:])
	r.Fixed(l.Owner[:])
	l.passcode = readLine(r, MaxPasscode)
	r.Fixed(l.File[:])
	l.Size = r.U32()
	if err := r.End(); err != nil {
		return nil, err
	}
	if len(l.passcode) < MinPasscode || l.Size == 0 || l.Size > MaxLinkFile {
		return nil, fmt.Errorf("a passcode of %d bytes, a file of %d: %w", len(l.passcode), l.Size, wire.ErrNonCanonical)
	}
	_, err := key.ParseExchange(l.Owner[:])
	return l, err
}

func linkContext(network key.Network, log key.Log, k key.Verifier) []byte {
	return concat(network[:], log[:], k[:])
}

// Format keeps the link's secrets out of all that is printed.
func (*Link) Format(f fmt.State, _ rune) { io.WriteString(f, "(health link)") }

// LogValue redacts.
func (*Link) LogValue() slog.Value { return slog.StringValue("(health link)") }
