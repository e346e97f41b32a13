package grant

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"vitalog/key"
	"vitalog/wire"
)

const (
	cardVersion = 1
	cardSize    = 1 + 3 + 2 + 16 + 16 + 2

	// ClaimURI is what the QR code of a claim card begins with.
	ClaimURI = "vitalog:claim?"
)

// ErrCard says that a text is no claim card.
var ErrCard = errors.New("no claim card")

var crockford = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

// ClaimCard lets a patient whom a custodian enrolled claim the chart later. It holds a secret: whoever has the card is the patient. See
// spec/claim-card.md.
type ClaimCard struct {
	_       [0]func()
	Network [3]byte // the first of the network's id
	Member  uint16  // number of the custodian in the genesis
	Chart   string  // id of the chart, a UUID
	secret  [16]byte
}

// NewClaimCard draws the secret of a card.
func NewClaimCard(network key.Network, member uint16, chartID string) (*ClaimCard, error) {
	if _, err := chartBytes(chartID); err != nil {
		return nil, err
	}
	c := &ClaimCard{Network: [3]byte(network[:3]), Member: member, Chart: chartID}
	rand.Read(c.secret[:])
	return c, nil
}

// Hash is what the custodian keeps of the secret.
func (c *ClaimCard) Hash() wire.Hash {
	chart, _ := chartBytes(c.Chart) // it was read when the card was made
	return wire.Sum(secretOfCard, chart[:], c.secret[:])
}

// Code is the card as text: 64 characters of Crockford's base32, in groups of 4. It is the secret: it belongs on the card and nowhere else.
func (c *ClaimCard) Code() string {
	b := []byte{cardVersion}
	b = append(b, c.Network[:]...)
	b = binary.BigEndian.AppendUint16(b, c.Member)
	chart, _ := chartBytes(c.Chart)
	b = append(append(b, chart[:]...), c.secret[:]...)
	text := crockford.EncodeToString(append(b, checksum(b)...))
	var out []string
	for at := 0; at < len(text); at += 4 {
		out = append(out, text[at:at+4])
	}
	return strings.Join(out, "-")
}

// ParseClaimCard reads a code as people type it, or the URI of the QR code.
func ParseClaimCard(text string) (*ClaimCard, error) {
	if rest, ok := strings.CutPrefix(text, ClaimURI); ok {
		text = rest
	}
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '-' || r == ' ' || r == '\t' || r == '\n' || r == '\r':
			return -1
		case r >= 'a' && r <= 'z':
			r -= 'a' - 'A'
		}
		switch r {
		case 'O':
			return '0'
		case 'I', 'L':
			return '1'
		}
		return r
	}, text)
	if want := crockford.EncodedLen(cardSize); len(text) != want {
		return nil, fmt.Errorf("%w: %d characters, want %d", ErrCard, len(text), want)
	}
	b, err := crockford.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("%w: a character that no card has", ErrCard)
	}
	if b[0] != cardVersion {
		return nil, fmt.Errorf("%w of version %d, this program reads %d: use a newer program", ErrCard, b[0], cardVersion)
	}
	if string(checksum(b[:cardSize-2])) != string(b[cardSize-2:]) {
		return nil, fmt.Errorf("%w: a character is wrong or in another place", ErrCard)
	}
	c := &ClaimCard{Network: [3]byte(b[1:4]), Member: binary.BigEndian.Uint16(b[4:6]), secret: [16]byte(b[22:38])}
	c.Chart = chartText([16]byte(b[6:22]))
	return c, nil
}

func checksum(b []byte) []byte {
	h := sha256.Sum256(append([]byte("vitalog/v1/claim-card"), b...))
	return h[:2]
}

// chartBytes is a chart's id, in its only form, as bytes.
func chartBytes(id string) (out [16]byte, err error) {
	b, err := hex.DecodeString(strings.ReplaceAll(id, "-", ""))
	if err != nil || len(b) != 16 || chartText([16]byte(b)) != id {
		return out, fmt.Errorf("%w: the id of a chart is a UUID", ErrCard)
	}
	return [16]byte(b), nil
}

func chartText(b [16]byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// Format keeps the secret out of text.
func (*ClaimCard) Format(f fmt.State, _ rune) { io.WriteString(f, "(claim card)") }

// LogValue keeps it out of logs.
func (*ClaimCard) LogValue() slog.Value { return slog.StringValue("(claim card)") }
