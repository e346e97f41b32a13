package peer

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"runtime/debug"
	"sync"

	"vitalog/key"
	"vitalog/op"
)

// Server answers other members.
type Server struct {
	g      *op.Genesis
	routes map[string]Handler
	room   []chan struct{} // by member number: calls under way
	http   *http.Server
	cancel context.CancelFunc

	mu     sync.Mutex // of closed
	closed bool
	calls  sync.WaitGroup
}

var routeName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,63}$`)

// Listen serves routes on l, as the member whose certificate it is, until Close. Route names are lower-case words with hyphens.
func Listen(g *op.Genesis, cert tls.Certificate, l net.Listener, routes map[string]Handler) (*Server, error) {
	if err := checkOwner(g, cert); err != nil {
		return nil, fmt.Errorf("peer: listening on %v: %w", l.Addr(), err)
	}
	s := &Server{g: g, routes: map[string]Handler{}, room: make([]chan struct{}, len(g.Members))}
	for name, h := range routes {
		if !routeName.MatchString(name) {
			return nil, fmt.Errorf("peer: %q is no name for a route", name)
		}
		s.routes["/v1/"+name] = h
	}
	for i := range s.room {
		s.room[i] = make(chan struct{}, maxCallsIn)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.http = &http.Server{
		Handler: s,
		TLSConfig: config(cert, func(k key.Verifier) error {
			_, err := memberOf(g, k)
			return err
		}),
		Protocols:         onlyHTTP2(),
		ReadHeaderTimeout: dialTimeout,
		ReadTimeout:       2 * Timeout,
		WriteTimeout:      2 * Timeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    8 << 10,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxCallsIn, MaxReceiveBufferPerStream: 1 << 20, SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          log.New(io.Discard, "", 0), // strangers who knock; what handlers do is logged by them
	}
	go func() {
		if err := s.http.ServeTLS(l, "", ""); !errors.Is(err, http.ErrServerClosed) {
			slog.Error("peer: server stopped", "address", l.Addr().String(), "error", err)
		}
	}()
	return s, nil
}

// Close stops listening, ends the contexts of the calls under way, waits for their handlers and closes the connections.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.calls.Wait()
	return s.http.Close()
}

// ServeHTTP is for net/http.
func (s *Server) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	out, err := s.answer(w, q)
	if err != nil {
		var e *Error
		if !errors.As(err, &e) {
			e = &Error{Kind: Unavailable, Text: err.Error()}
		}
		k, known := kinds[e.Kind]
		if !known {
			k = kinds[Unavailable]
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(k.status)
		io.WriteString(w, clean(e.Text))
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Write(out) // an error here is the caller's loss: it sees a short answer
}

func (s *Server) answer(w http.ResponseWriter, q *http.Request) (out []byte, err error) {
	k, err := peerKey(q.TLS)
	if err != nil {
		return nil, Errorf(Denied, "%w", err)
	}
	from, err := memberOf(s.g, k)
	if err != nil {
		return nil, Errorf(Denied, "%w", err)
	}
	h := s.routes[q.URL.Path]
	if h == nil || q.Method != http.MethodPost {
		return nil, Errorf(Invalid, "no such route")
	}
	select {
	case s.room[from] <- struct{}{}:
		defer func() { <-s.room[from] }()
	default:
		return nil, Errorf(Later, "%d calls of member %d are under way", maxCallsIn, from)
	}
	if !s.begin() {
		return nil, Errorf(Unavailable, "closing")
	}
	defer s.calls.Done()
	if q.ContentLength > MaxBody {
		return nil, Errorf(Invalid, "a message of %d bytes, at most %d", q.ContentLength, MaxBody)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, q.Body, MaxBody))
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return nil, Errorf(Invalid, "a message of more than %d bytes", MaxBody)
	}
	if err != nil {
		return nil, Errorf(Invalid, "reading the message: %w", err)
	}
	ctx, cancel := context.WithTimeout(q.Context(), Timeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			slog.Error("peer: handler panicked", "route", q.URL.Path, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			out, err = nil, Errorf(Unavailable, "internal error")
		}
	}()
	out, err = h(ctx, from, body)
	if err == nil && len(out) > MaxReply {
		return nil, Errorf(Unavailable, "an answer of %d bytes, at most %d", len(out), MaxReply)
	}
	return out, err
}

func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.calls.Add(1)
	}
	return !s.closed
}

func checkOwner(g *op.Genesis, cert tls.Certificate) error {
	s, ok := cert.PrivateKey.(crypto.Signer)
	if !ok {
		return errors.New("a certificate without a key")
	}
	k, ok := s.Public().(ed25519.PublicKey)
	if !ok {
		return errors.New("a certificate whose key is not Ed25519")
	}
	_, err := memberOf(g, key.Verifier(k))
	return err
}

func onlyHTTP2() *http.Protocols {
	var p http.Protocols
	p.SetHTTP2(true)
	return &p
}
