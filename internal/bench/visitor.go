package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"vitalog/exchange"
	"vitalog/gateway"
	"vitalog/node"
)

// door is the way to the first member's FHIR endpoint: HTTP, with a connection for each who asks at the same time.
type door struct {
	node    *node.Node
	base    string
	lines   *lines
	through http.RoundTripper
}

// lines are the connections of a door.
type lines struct {
	*http.Transport
	made, open atomic.Int64
}

// line is one connection; it is counted until it is closed.
type line struct {
	net.Conn
	closed func()
}

func (l *line) Close() error {
	l.closed()
	return l.Conn.Close()
}

// patience is how long a request may take.
const patience = 2 * time.Minute

func newDoor(n *node.Node, through func(http.RoundTripper) http.RoundTripper) *door {
	l := &lines{}
	l.Transport = &http.Transport{MaxIdleConnsPerHost: 1 << 16, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		l.made.Add(1)
		l.open.Add(1)
		return &line{c, sync.OnceFunc(func() { l.open.Add(-1) })}, nil
	}}
	d := &door{node: n, base: n.Config.URL() + "/fhir", lines: l, through: l}
	if through != nil {
		d.through = through(l)
	}
	return d
}

// visitor is one who asks at the door. It may ask for several things at once.
type visitor struct {
	*door
	who exchange.Asker

	mu    sync.Mutex
	token string
	until time.Time // when a new token is needed
}

func (d *door) visitor(who exchange.Asker) *visitor { return &visitor{door: d, who: who} }

// authorisation is the header, with a token that lives long enough for one request.
func (v *visitor) authorisation() (string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if now := time.Now(); now.After(v.until) {
		token, err := gateway.IssueToken(v.node.Ring.Tokens(), v.node.Member.Name(), v.base, v.who, gateway.MaxTokenLife, now)
		if err != nil {
			return "", err
		}
		v.token, v.until = "Bearer "+token, now.Add(gateway.MaxTokenLife/2)
	}
	return v.token, nil
}

// answer is what came back, read to its end.
type answer struct {
	status   int
	etag     string
	location string
	body     []byte
}

// do asks. The error is that there was no answer; a refusal is an answer.
func (v *visitor) do(ctx context.Context, method, path string, body []byte, headers ...string) (a answer, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, v.base+path, bytes.NewReader(body))
	if err != nil {
		return a, err
	}
	token, err := v.authorisation()
	if err != nil {
		return a, err
	}
	r.Header.Set("Authorization", token)
	if body != nil {
		r.Header.Set("Content-Type", "application/fhir+json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := v.through.RoundTrip(r)
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	a = answer{status: resp.StatusCode, etag: resp.Header.Get("ETag"), location: resp.Header.Get("Location")}
	a.body, err = io.ReadAll(resp.Body)
	return a, err
}

// ask is do for what must succeed.
func (v *visitor) ask(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	a, err := v.do(ctx, method, path, body)
	if err == nil && a.status > 299 {
		err = fmt.Errorf("%s %s: %d: %.500s", method, path, a.status, a.body)
	}
	return a.body, err
}
