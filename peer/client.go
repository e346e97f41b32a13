package peer

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"unicode"

	"vitalog/key"
	"vitalog/op"
)

// Client calls other members. Connections are kept and shared; it is safe for concurrent use.
type Client struct {
	g        *op.Genesis
	links    []*link // by member number
	stranger error   // why nobody will talk to us
}

type link struct {
	transport *http.Transport
	room      chan struct{} // calls under way
}

var errOtherKey = errors.New("it shows another key than the genesis says")

// NewClient calls as the member whose certificate it is. It connects when it is first asked to call. With a certificate of nobody every
// call is Denied.
func NewClient(g *op.Genesis, cert tls.Certificate) *Client {
	c := &Client{g: g, stranger: checkOwner(g, cert)}
	for i := range g.Members {
		pinned := g.Members[i].TLS
		c.links = append(c.links, &link{
			room: make(chan struct{}, maxCallsOut),
			transport: &http.Transport{
				DialContext: (&net.Dialer{Timeout: dialTimeout}).DialContext,
				TLSClientConfig: config(cert, func(k key.Verifier) error {
					if k != pinned {
						return errOtherKey
					}
					return nil
				}),
				TLSHandshakeTimeout:    dialTimeout,
				Protocols:              onlyHTTP2(),
				DisableCompression:     true,
				IdleConnTimeout:        idleTimeout,
				MaxResponseHeaderBytes: 8 << 10,
				HTTP2:                  &http.HTTP2Config{MaxReceiveBufferPerStream: 2 << 20, SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
			},
		})
	}
	return c
}

// Call sends body to a route of member and returns the answer. It tries once. The error is an *Error, with the kind that the other gave
// or Unavailable; it wraps the context's error if that ended the call.
func (c *Client) Call(ctx context.Context, member int, route string, body []byte) ([]byte, error) {
	if member < 0 || member >= len(c.links) {
		return nil, Errorf(Invalid, "calling member %d of %d", member, len(c.links))
	}
	if c.stranger != nil {
		return nil, Errorf(Denied, "calling %s of member %d: %w", route, member, c.stranger)
	}
	if len(body) > MaxBody {
		return nil, Errorf(Invalid, "calling %s of member %d: a message of %d bytes, at most %d", route, member, len(body), MaxBody)
	}
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	l := c.links[member]
	select {
	case l.room <- struct{}{}:
		defer func() { <-l.room }()
	case <-ctx.Done():
		return nil, failed(member, route, ctx.Err())
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+c.g.Members[member].Endpoint+"/v1/"+route, bytes.NewReader(body))
	if err != nil {
		return nil, Errorf(Invalid, "calling %s of member %d: %w", route, member, err)
	}
	r, err := l.transport.RoundTrip(q)
	if err != nil {
		return nil, failed(member, route, err)
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(r.Body, MaxText)) // a broken text is no worse than none
		return nil, &Error{Kind: kindOfStatus(r.StatusCode), Text: fmt.Sprintf("%s of member %d: %s", route, member, clean(string(text)))}
	}
	if r.ContentLength > MaxReply {
		return nil, failed(member, route, fmt.Errorf("an answer of %d bytes, at most %d", r.ContentLength, MaxReply))
	}
	out, err := io.ReadAll(io.LimitReader(r.Body, MaxReply+1))
	if err != nil {
		return nil, failed(member, route, err)
	}
	if len(out) > MaxReply {
		return nil, failed(member, route, fmt.Errorf("an answer of more than %d bytes", MaxReply))
	}
	return out, nil
}

// Close closes the connections that no call uses.
func (c *Client) Close() {
	for _, l := range c.links {
		l.transport.CloseIdleConnections()
	}
}

// failed is a call that got no answer.
func failed(member int, route string, err error) error {
	return Errorf(Unavailable, "calling %s of member %d: %w", route, member, err)
}

func kindOfStatus(status int) Kind {
	for k, x := range kinds {
		if x.status == status {
			return k
		}
	}
	return Unavailable
}

// clean makes one line of at most MaxText bytes of text that comes from another member.
func clean(text string) string {
	text = strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, text)
	return strings.ToValidUTF8(text[:min(len(text), MaxText)], "")
}
