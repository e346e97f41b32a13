package mllp_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"vitalog/mllp"
)

// serve runs a server until the test ends, and returns its address.
func serve(t *testing.T, s *mllp.Server) (address string, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Log = slog.New(slog.DiscardHandler)
	if s.MaxMessage == 0 {
		s.MaxMessage = 1 << 10
	}
	s.Refuse = func(why error) []byte { return []byte("no: " + why.Error()) }
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	stopped := false
	stop = func() {
		if cancel(); stopped {
			return
		}
		stopped = true
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return l.Addr().String(), stop
}

func echo(_ context.Context, _ string, message []byte) []byte {
	return append([]byte("ack "), message...)
}

type client struct {
	t *testing.T
	net.Conn
	in *bufio.Reader
}

func dial(t *testing.T, address string) client {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return client{t, c, bufio.NewReader(c)}
}

func (c client) send(raw string) {
	c.t.Helper()
	if _, err := c.Write([]byte(raw)); err != nil {
		c.t.Fatal(err)
	}
}

// got fails the test unless the next frame is what is wanted.
func (c client) got(want string) {
	c.t.Helper()
	frame, err := c.in.ReadString(0x0d)
	if err != nil || frame != "\x0b"+want+"\x1c\r" {
		c.t.Fatalf("got %q, %v; want %q", frame, err, want)
	}
}

// over fails the test unless the server has hung up.
func (c client) over() {
	c.t.Helper()
	if b, err := c.in.ReadByte(); err == nil {
		c.t.Fatalf("got %q, want the end", b)
	}
}

func TestMessagesOfAConnectionAreAnsweredInTheirOrder(t *testing.T) {
	address, _ := serve(t, &mllp.Server{Answer: echo})
	c := dial(t, address)
	c.send("\x0bone\x1c\r\x0btwo")
	c.got("ack one")
	c.send("\x1c")
	c.send("\r\x0b\x1c\r\x0bthree\x1c\r")
	c.got("ack two")
	c.got("ack ")
	c.got("ack three")
}

func TestABrokenFrameIsRefusedAndTheConnectionEnds(t *testing.T) {
	address, _ := serve(t, &mllp.Server{Answer: echo, MaxMessage: 100_000})
	for name, raw := range map[string]string{
		"bytes before a message":    "MSH|",
		"bytes between messages":    "\x0bone\x1c\r\n\x0btwo\x1c\r",
		"a message in a message":    "\x0bon\x0be\x1c\r",
		"no carriage return at end": "\x0bone\x1c\n",
		"too large":                 "\x0b" + strings.Repeat("x", 200_000),
	} {
		c := dial(t, address)
		c.send(raw)
		if name == "bytes between messages" {
			c.got("ack one")
		}
		why := mllp.ErrFraming
		if name == "too large" {
			why = mllp.ErrTooLarge
		}
		c.got("no: " + why.Error())
		c.over()
	}
	c := dial(t, address)
	c.send("\x0b" + strings.Repeat("x", 100_000) + "\x1c\r")
	c.got("ack " + strings.Repeat("x", 100_000))
}

func TestAConnectionTooManyIsHungUpOn(t *testing.T) {
	address, _ := serve(t, &mllp.Server{Answer: echo, Connections: 1})
	first := dial(t, address)
	first.send("\x0bone\x1c\r")
	first.got("ack one")
	dial(t, address).over()
	first.send("\x0btwo\x1c\r")
	first.got("ack two")
}

func TestAMessageUnderWayIsAnsweredWhenTheServerEnds(t *testing.T) {
	begun, goOn := make(chan bool), make(chan bool)
	address, stop := serve(t, &mllp.Server{Answer: func(ctx context.Context, _ string, message []byte) []byte {
		begun <- true
		<-goOn
		return message
	}})
	c, idle := dial(t, address), dial(t, address)
	c.send("\x0bone\x1c\r\x0btwo\x1c\r")
	<-begun
	ended := make(chan bool)
	go func() { stop(); close(ended) }()
	idle.over() // the server is ending
	goOn <- true
	c.got("one")
	c.over() // two wasn't taken: it is sent again
	<-ended
}

func TestWhoSaysNothingIsHungUpOn(t *testing.T) {
	address, _ := serve(t, &mllp.Server{Answer: echo, Idle: 50 * time.Millisecond, Frame: 50 * time.Millisecond})
	dial(t, address).over()
	c := dial(t, address)
	c.send("\x0bhalf")
	c.over()
}

// FuzzFrames holds the server against a reader that knows the whole input.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("\x0bone\x1c\r\x0btwo\x1c\r"))
	f.Add([]byte("\x0bo\x1cne\x1c\r"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		const most = 64
		var got bytes.Buffer
		s := &mllp.Server{MaxMessage: most, Log: slog.New(slog.DiscardHandler), Refuse: func(error) []byte { return nil },
			Answer: func(_ context.Context, _ string, m []byte) []byte { got.Write(append(m, '\n')); return nil }}
		var want bytes.Buffer
		for rest := raw; len(rest) > 0 && rest[0] == 0x0b; {
			at := bytes.IndexByte(rest, 0x1c)
			if at < 0 || at+1 >= len(rest) || rest[at+1] != 0x0d || at-1 > most || bytes.IndexByte(rest[1:at], 0x0b) >= 0 {
				break
			}
			want.Write(append(bytes.Clone(rest[1:at]), '\n'))
			rest = rest[at+2:]
		}
		here, there := net.Pipe()
		l := &one{conn: make(chan net.Conn, 1), closed: make(chan struct{})}
		l.conn <- there
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- s.Serve(ctx, l) }()
		go io.Copy(io.Discard, here)
		here.Write(raw)
		here.Close()
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		// What came after the end began isn't taken: got is a beginning of want.
		if !bytes.HasPrefix(want.Bytes(), got.Bytes()) {
			t.Errorf("%q: got %q, want %q", raw, got.Bytes(), want.Bytes())
		}
	})
}

// one is a listener with one connection.
type one struct {
	conn   chan net.Conn
	closed chan struct{}
}

func (o *one) Accept() (net.Conn, error) {
	select {
	case c := <-o.conn:
		return c, nil
	case <-o.closed:
		return nil, net.ErrClosed
	}
}
func (o *one) Close() error   { close(o.closed); return nil }
func (o *one) Addr() net.Addr { return &net.TCPAddr{} }
