// Package peer is how members call each other: one message, one answer, over HTTP/2 and TLS 1.3.
//
// It promises that both ends know from the genesis who the other is: each certificate's Ed25519 key is a member's TLS key, and a client
// that calls member 3 talks to member 3 or fails. It refuses certificates of nobody, messages over the limits, and more calls at once
// than it has room for. No name, no authority and no date of a certificate is looked at.
//
//	POST /v1/release  body → 200 answer, or 403 404 400 503 429 and a line of text: denied, not found, invalid, unavailable, later
//
// See spec/peer.md.
package peer

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"vitalog/key"
	"vitalog/op"
)

// Limits of a call.
const (
	MaxBody  = 4 << 20          // bytes of a message
	MaxReply = 8 << 20          // bytes of an answer
	MaxText  = 512              // bytes of an error's text
	Timeout  = 30 * time.Second // of a call whose context ends later or never

	maxCallsIn  = 256              // that a server works on for one member at once; more are told to come later
	maxCallsOut = 128              // that a client has open to one member; more wait
	dialTimeout = 5 * time.Second  // of connecting, and of the TLS handshake
	idleTimeout = 5 * time.Minute  // after which a connection without calls is closed
	pingAfter   = 15 * time.Second // without a frame from the other end it is asked whether it lives
	pingTimeout = 5 * time.Second
)

// Handler answers the calls of one route. from is the caller's member number. An *Error travels as it is, every other error as
// Unavailable with its text. ctx ends when the caller gives up, and after Timeout.
type Handler func(ctx context.Context, from int, body []byte) ([]byte, error)

// Kind says what a caller can do about an error.
type Kind uint8

const (
	Denied      Kind = iota + 1 // the member may not, or may not any more: asking again is useless
	NotFound                    // the member doesn't have it: another may
	Invalid                     // the message is wrong
	Unavailable                 // the member is not there or has trouble: another may help
	Later                       // the member is busy or behind: ask it again
)

var kinds = map[Kind]struct {
	name   string
	status int
}{Denied: {"denied", 403}, NotFound: {"not found", 404}, Invalid: {"invalid", 400}, Unavailable: {"unavailable", 503}, Later: {"later", 429}}

// String is the kind in words.
func (k Kind) String() string {
	if x, ok := kinds[k]; ok {
		return x.name
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Error is why a call failed. A handler returns one to tell the caller its kind.
type Error struct {
	Kind Kind
	Text string
	err  error // the cause on this side, if it didn't come from the other
}

// Errorf makes an error of a kind. A %w in format is unwrapped on this side and travels as text.
func Errorf(k Kind, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Kind: k, Text: err.Error(), err: errors.Unwrap(err)}
}

func (e *Error) Error() string { return e.Kind.String() + ": " + e.Text }

// Unwrap is the cause on this side.
func (e *Error) Unwrap() error { return e.err }

// KindOf is the kind of err if it is or wraps an *Error, else Unavailable. It is 0 for nil.
func KindOf(err error) Kind {
	if err == nil {
		return 0
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Unavailable
}

// config is what both ends have in common. trusted judges the other's key after TLS has proved that the other holds it.
func config(cert tls.Certificate, trusted func(key.Verifier) error) *tls.Config {
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{cert},
		NextProtos:   []string{"h2"},
		ClientAuth:   tls.RequireAnyClientCert,
		// The pinned key takes the place of the chain and the name. VerifyConnection runs on every handshake, resumed ones included.
		InsecureSkipVerify: true,
		VerifyConnection: func(s tls.ConnectionState) error {
			k, err := peerKey(&s)
			if err != nil {
				return err
			}
			return trusted(k)
		},
		SessionTicketsDisabled: true,
	}
}

func peerKey(s *tls.ConnectionState) (key.Verifier, error) {
	if len(s.PeerCertificates) == 0 {
		return key.Verifier{}, errors.New("no certificate")
	}
	k, ok := s.PeerCertificates[0].PublicKey.(ed25519.PublicKey)
	if !ok {
		return key.Verifier{}, errors.New("a certificate whose key is not Ed25519")
	}
	return key.Verifier(k), nil
}

// memberOf is the number of the member whose TLS key k is.
func memberOf(g *op.Genesis, k key.Verifier) (int, error) {
	for i := range g.Members {
		if g.Members[i].TLS == k {
			return i, nil
		}
	}
	return 0, errors.New("the certificate's key is of no member")
}
