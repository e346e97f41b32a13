package peer_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"vitalog/key"
	"vitalog/op"
	"vitalog/peer"
)

// network is members with real listeners on this machine; member i's certificate is certs[i].
type network struct {
	genesis   *op.Genesis
	certs     []tls.Certificate
	listeners []net.Listener
}

func newNetwork(t *testing.T, n int) *network {
	t.Helper()
	w := &network{genesis: &op.Genesis{}}
	for i := range n {
		cert, v := certificate(t)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		w.certs, w.listeners = append(w.certs, cert), append(w.listeners, l)
		w.genesis.Members = append(w.genesis.Members, op.Member{Name: fmt.Sprint("member ", i), TLS: v, Endpoint: l.Addr().String()})
	}
	return w
}

func (w *network) listen(t *testing.T, member int, routes map[string]peer.Handler) *peer.Server {
	t.Helper()
	s, err := peer.Listen(w.genesis, w.certs[member], w.listeners[member], routes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func (w *network) client(t *testing.T, member int) *peer.Client {
	t.Helper()
	c := peer.NewClient(w.genesis, w.certs[member])
	t.Cleanup(c.Close)
	return c
}

func TestACallArrivesWithItsCallersNumberAndItsAnswerComesBack(t *testing.T) {
	w := newNetwork(t, 3)
	w.listen(t, 1, map[string]peer.Handler{"echo": func(_ context.Context, from int, body []byte) ([]byte, error) {
		return fmt.Appendf(nil, "%d says %s", from, body), nil
	}})
	for _, from := range []int{0, 2, 1} {
		got, err := w.client(t, from).Call(t.Context(), 1, "echo", []byte("hello"))
		if want := fmt.Sprintf("%d says hello", from); err != nil || string(got) != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
}

func TestMembersSpeakHTTP2AndNothingOlder(t *testing.T) {
	w := newNetwork(t, 2)
	w.listen(t, 1, map[string]peer.Handler{"echo": func(context.Context, int, []byte) ([]byte, error) { return nil, nil }})
	r, err := w.raw(t, 0).Post("https://"+w.genesis.Members[1].Endpoint+"/v1/echo", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.ProtoMajor != 2 || r.TLS == nil || r.TLS.Version != tls.VersionTLS13 || r.TLS.NegotiatedProtocol != "h2" {
		t.Errorf("got %s over %v", r.Proto, r.TLS)
	}
	old, err := tls.Dial("tcp", w.genesis.Members[1].Endpoint, &tls.Config{InsecureSkipVerify: true, Certificates: w.certs[:1], NextProtos: []string{"http/1.1"}})
	if err != nil {
		return // refused at once
	}
	defer old.Close()
	fmt.Fprint(old, "POST /v1/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	if answer, _ := io.ReadAll(old); strings.Contains(string(answer), " 200 ") {
		t.Errorf("HTTP/1.1 is spoken too: %q", answer)
	}
}

func TestTheLargestMessageAndAnswerPassAndNothingLarger(t *testing.T) {
	w := newNetwork(t, 2)
	reply := peer.MaxReply
	w.listen(t, 1, map[string]peer.Handler{"big": func(_ context.Context, _ int, body []byte) ([]byte, error) {
		return make([]byte, reply), nil
	}})
	c := w.client(t, 0)
	if got, err := c.Call(t.Context(), 1, "big", make([]byte, peer.MaxBody)); err != nil || len(got) != peer.MaxReply {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	if _, err := c.Call(t.Context(), 1, "big", make([]byte, peer.MaxBody+1)); peer.KindOf(err) != peer.Invalid {
		t.Errorf("message over the limit: got %v, want %v", err, peer.Invalid)
	}
	reply++
	if _, err := c.Call(t.Context(), 1, "big", nil); peer.KindOf(err) != peer.Unavailable {
		t.Errorf("answer over the limit: got %v, want %v", err, peer.Unavailable)
	}
}

func TestAServerRefusesALargeBodyThatAClientSendsAnyway(t *testing.T) {
	w := newNetwork(t, 2)
	called := false
	w.listen(t, 1, map[string]peer.Handler{"big": func(context.Context, int, []byte) ([]byte, error) {
		called = true
		return nil, nil
	}})
	for name, body := range map[string]io.Reader{
		"of a stated length":  bytes.NewReader(make([]byte, peer.MaxBody+1)),
		"of no stated length": io.LimitReader(zeros{}, peer.MaxBody+1),
	} {
		r, err := w.raw(t, 0).Post("https://"+w.genesis.Members[1].Endpoint+"/v1/big", "", body)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != http.StatusBadRequest || called {
			t.Errorf("%s: got status %d, handler called: %v", name, r.StatusCode, called)
		}
	}
}

func TestErrorsTravelWithTheirKind(t *testing.T) {
	w := newNetwork(t, 2)
	var next error
	w.listen(t, 1, map[string]peer.Handler{"fail": func(context.Context, int, []byte) ([]byte, error) { return nil, next }})
	c := w.client(t, 0)
	for _, k := range []peer.Kind{peer.Denied, peer.NotFound, peer.Invalid, peer.Unavailable, peer.Later} {
		next = fmt.Errorf("wrapped: %w", peer.Errorf(k, "grant %d ended", 7))
		_, err := c.Call(t.Context(), 1, "fail", nil)
		var e *peer.Error
		if !errors.As(err, &e) || e.Kind != k || e.Text != "fail of member 1: grant 7 ended" {
			t.Errorf("got %v, want %v", err, k)
		}
	}
	next = io.ErrUnexpectedEOF
	if _, err := c.Call(t.Context(), 1, "fail", nil); peer.KindOf(err) != peer.Unavailable || !strings.Contains(err.Error(), "unexpected EOF") {
		t.Errorf("an error without a kind: got %v", err)
	}
	next = peer.Errorf(peer.Denied, "two\nlines and \x1b[31mcolour%s", strings.Repeat("x", 2*peer.MaxText))
	if _, err := c.Call(t.Context(), 1, "fail", nil); strings.ContainsAny(err.Error(), "\n\x1b") || len(err.Error()) > peer.MaxText+100 {
		t.Errorf("the other's text reaches the log as it is: %q", err)
	}
	if _, err := c.Call(t.Context(), 1, "nothing", nil); peer.KindOf(err) != peer.Invalid {
		t.Errorf("an unknown route: got %v, want %v", err, peer.Invalid)
	}
	if _, err := c.Call(t.Context(), 7, "fail", nil); peer.KindOf(err) != peer.Invalid {
		t.Errorf("an unknown member: got %v, want %v", err, peer.Invalid)
	}
	if peer.KindOf(nil) != 0 || peer.KindOf(io.EOF) != peer.Unavailable {
		t.Error("KindOf of nil or of another error")
	}
}

func TestAHandlerThatPanicsIsOneFailedCall(t *testing.T) {
	w := newNetwork(t, 2)
	w.listen(t, 1, map[string]peer.Handler{
		"panic": func(context.Context, int, []byte) ([]byte, error) { panic("broken") },
		"fine":  func(context.Context, int, []byte) ([]byte, error) { return []byte("ok"), nil },
	})
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	c := w.client(t, 0)
	if _, err := c.Call(t.Context(), 1, "panic", nil); peer.KindOf(err) != peer.Unavailable || strings.Contains(err.Error(), "broken") {
		t.Errorf("got %v, want %v", err, peer.Unavailable)
	}
	if got, err := c.Call(t.Context(), 1, "fine", nil); err != nil || string(got) != "ok" {
		t.Errorf("the next call: got %q, %v", got, err)
	}
	if !strings.Contains(log.String(), "route=/v1/panic panic=broken") {
		t.Errorf("the log says %q", log.String())
	}
}

func TestAKeyThatIsNotInTheGenesisIsRefused(t *testing.T) {
	w := newNetwork(t, 2)
	called := false
	w.listen(t, 1, map[string]peer.Handler{"x": func(context.Context, int, []byte) ([]byte, error) {
		called = true
		return nil, nil
	}})
	honest := *w.genesis
	var k key.Verifier
	w.certs[0], k = certificate(t)
	if _, err := w.client(t, 0).Call(t.Context(), 1, "x", nil); peer.KindOf(err) != peer.Denied || called {
		t.Errorf("got %v, want %v; handler called: %v", err, peer.Denied, called)
	}
	forged := honest // in which the stranger is member 0
	forged.Members = append([]op.Member{}, honest.Members...)
	forged.Members[0].TLS = k
	c := peer.NewClient(&forged, w.certs[0])
	defer c.Close()
	if _, err := c.Call(t.Context(), 1, "x", nil); peer.KindOf(err) != peer.Unavailable || called {
		t.Errorf("with a genesis of its own: got %v, want %v; handler called: %v", err, peer.Unavailable, called)
	}
	if _, err := peer.Listen(w.genesis, w.certs[0], w.listeners[0], nil); err == nil {
		t.Error("a stranger listens as a member")
	}
}

func TestAClientWithoutACertificateOrWithAnotherKindOfKeyIsRefused(t *testing.T) {
	w := newNetwork(t, 2)
	called := false
	w.listen(t, 1, map[string]peer.Handler{"x": func(context.Context, int, []byte) ([]byte, error) {
		called = true
		return nil, nil
	}})
	sk, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, sk.Public(), sk)
	if err != nil {
		t.Fatal(err)
	}
	w.certs[0] = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: sk}
	for name, c := range map[string]*http.Client{"no certificate": w.rawWith(nil), "RSA": w.raw(t, 0)} {
		if r, err := c.Post("https://"+w.genesis.Members[1].Endpoint+"/v1/x", "", nil); err == nil || called {
			t.Errorf("%s: got status %v, handler called: %v", name, r.StatusCode, called)
		}
	}
}

func TestAnotherMemberInTheCalledMembersPlaceIsRefused(t *testing.T) {
	w := newNetwork(t, 3)
	called := false
	w.certs[1], w.certs[2] = w.certs[2], w.certs[1] // both are members, at each other's address
	w.listen(t, 1, map[string]peer.Handler{"x": func(context.Context, int, []byte) ([]byte, error) {
		called = true
		return nil, nil
	}})
	_, err := w.client(t, 0).Call(t.Context(), 1, "x", []byte("for member 1 only"))
	if peer.KindOf(err) != peer.Unavailable || !strings.Contains(err.Error(), "it shows another key than the genesis says") || called {
		t.Errorf("got %v; handler called: %v", err, called)
	}
}

func TestAnAbsentMemberIsUnavailableAndIsFoundWhenItIsBack(t *testing.T) {
	w := newNetwork(t, 2)
	routes := map[string]peer.Handler{"x": func(context.Context, int, []byte) ([]byte, error) { return []byte("here"), nil }}
	c := w.client(t, 0)
	s := w.listen(t, 1, routes)
	if _, err := c.Call(t.Context(), 1, "x", nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Call(t.Context(), 1, "x", nil); peer.KindOf(err) != peer.Unavailable {
		t.Errorf("got %v, want %v", err, peer.Unavailable)
	}
	l, err := net.Listen("tcp", w.genesis.Members[1].Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	w.listeners[1] = l
	w.listen(t, 1, routes)
	if got, err := c.Call(t.Context(), 1, "x", nil); err != nil || string(got) != "here" {
		t.Errorf("back again: got %q, %v", got, err)
	}
}

func TestACallEndsWithItsContextAndSoDoesItsHandler(t *testing.T) {
	w := newNetwork(t, 2)
	begun, ended := make(chan struct{}), make(chan error, 1)
	w.listen(t, 1, map[string]peer.Handler{"wait": func(ctx context.Context, _ int, _ []byte) ([]byte, error) {
		close(begun)
		<-ctx.Done()
		ended <- ctx.Err()
		return nil, ctx.Err()
	}})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-begun
		cancel()
	}()
	_, err := w.client(t, 0).Call(ctx, 1, "wait", nil)
	if peer.KindOf(err) != peer.Unavailable || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	if err := <-ended; err == nil {
		t.Error("the handler's context is still open")
	}
}

func TestCloseEndsTheCallsUnderWay(t *testing.T) {
	w := newNetwork(t, 2)
	begun := make(chan struct{})
	s := w.listen(t, 1, map[string]peer.Handler{"wait": func(ctx context.Context, _ int, _ []byte) ([]byte, error) {
		close(begun)
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	got := make(chan error)
	c := w.client(t, 0)
	go func() {
		_, err := c.Call(context.Background(), 1, "wait", nil)
		got <- err
	}()
	<-begun
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-got; peer.KindOf(err) != peer.Unavailable {
		t.Errorf("got %v, want %v", err, peer.Unavailable)
	}
}

func TestManyCallsShareOneConnection(t *testing.T) {
	w := newNetwork(t, 2)
	counted := &counter{Listener: w.listeners[1]}
	w.listeners[1] = counted
	w.listen(t, 1, map[string]peer.Handler{"x": func(_ context.Context, _ int, body []byte) ([]byte, error) { return body, nil }})
	c := w.client(t, 0)
	if _, err := c.Call(t.Context(), 1, "x", nil); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 300 {
		wg.Go(func() {
			want := fmt.Append(nil, i)
			if got, err := c.Call(t.Context(), 1, "x", want); err != nil || !bytes.Equal(got, want) {
				t.Errorf("call %d: got %q, %v", i, got, err)
			}
		})
	}
	wg.Wait()
	if n := counted.count(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

func TestAMemberThatCallsTooMuchIsToldToComeLater(t *testing.T) {
	w := newNetwork(t, 3)
	hold, held := make(chan struct{}), make(chan struct{}, 1000)
	w.listen(t, 1, map[string]peer.Handler{
		"hold": func(ctx context.Context, _ int, _ []byte) ([]byte, error) {
			held <- struct{}{}
			select {
			case <-hold:
			case <-ctx.Done():
			}
			return nil, nil
		},
		"x": func(context.Context, int, []byte) ([]byte, error) { return []byte("ok"), nil },
	})
	var wg sync.WaitGroup
	for range 2 { // two clients of member 0 fill its room
		c := w.client(t, 0)
		for range 128 {
			wg.Go(func() { c.Call(t.Context(), 1, "hold", nil) })
		}
	}
	for range 256 {
		<-held
	}
	if _, err := w.client(t, 0).Call(t.Context(), 1, "x", nil); peer.KindOf(err) != peer.Later {
		t.Errorf("got %v, want %v", err, peer.Later)
	}
	if got, err := w.client(t, 2).Call(t.Context(), 1, "x", nil); err != nil || string(got) != "ok" {
		t.Errorf("another member: got %q, %v", got, err)
	}
	close(hold)
	wg.Wait()
}

func TestARouteNeedsAProperName(t *testing.T) {
	w := newNetwork(t, 1)
	for _, name := range []string{"", "a/b", "A", "../x", "a b"} {
		if _, err := peer.Listen(w.genesis, w.certs[0], w.listeners[0], map[string]peer.Handler{name: nil}); err == nil {
			t.Errorf("%q is taken for a route", name)
		}
	}
}

func BenchmarkCall(b *testing.B) {
	t := &testing.T{}
	w := newNetwork(t, 2)
	s, err := peer.Listen(w.genesis, w.certs[1], w.listeners[1], map[string]peer.Handler{"x": func(_ context.Context, _ int, body []byte) ([]byte, error) { return body, nil }})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	c := peer.NewClient(w.genesis, w.certs[0])
	defer c.Close()
	body := make([]byte, 3000)
	b.SetBytes(3000)
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := c.Call(b.Context(), 1, "x", body); err != nil {
				b.Error(err)
			}
		}
	})
}

// certificate is a fresh one and its key.
func certificate(t *testing.T) (tls.Certificate, key.Verifier) {
	t.Helper()
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)} // no date is looked at
	der, err := x509.CreateCertificate(rand.Reader, template, template, pub, priv)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: priv}, key.Verifier(pub)
}

// raw is a client of net/http with a member's certificate and no scruples.
func (w *network) raw(t *testing.T, member int) *http.Client {
	t.Helper()
	return w.rawWith([]tls.Certificate{w.certs[member]})
}

func (w *network) rawWith(certs []tls.Certificate) *http.Client {
	return &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true, Certificates: certs}}}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// counter counts the connections that it accepts.
type counter struct {
	net.Listener
	mu sync.Mutex
	n  int
}

func (c *counter) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.mu.Lock()
		c.n++
		c.mu.Unlock()
	}
	return conn, err
}

func (c *counter) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}
