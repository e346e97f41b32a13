package s3

import (
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// Proxy is a network before a server. Resets and Late can be set at any time.
type Proxy struct {
	Address string // 127.0.0.1:port

	Resets atomic.Int32 // of a hundred requests, so many have their connection reset after some bytes, in either direction
	Late   atomic.Int64 // time.Duration of the way, in each direction
	reset  atomic.Int64

	Refused chan struct{} // has something when a connection came while the network was away, since it was last empty

	target   string
	listener net.Listener

	mu     sync.Mutex
	away   bool
	closed bool
	open   map[net.Conn]bool
	all    sync.WaitGroup
}

// Before starts a network before the server at target.
func Before(t testing.TB, target string) *Proxy {
	t.Helper()
	return At(t, "127.0.0.1:0", target)
}

// At is Before at an address of this machine.
func At(t testing.TB, address, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Address: l.Addr().String(), target: target, listener: l, Refused: make(chan struct{}, 1), open: map[net.Conn]bool{}}
	p.all.Go(p.accept)
	t.Cleanup(func() {
		l.Close()
		p.mu.Lock()
		p.closed = true
		p.mu.Unlock()
		p.Away(true)
		p.all.Wait()
	})
	return p
}

// Reset counts the connections that were reset by chance.
func (p *Proxy) Reset() int { return int(p.reset.Load()) }

// Away resets all connections, those to come too, until it is called with false.
func (p *Proxy) Away(away bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = away
	if away {
		for c := range p.open {
			cut(c)
		}
	}
}

func (p *Proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.all.Go(func() { p.carry(c) })
	}
}

func (p *Proxy) enter(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.away || p.closed {
		cut(c)
		select {
		case p.Refused <- struct{}{}:
		default:
		}
		return false
	}
	p.open[c] = true
	return true
}

func (p *Proxy) leave(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
	c.Close()
}

func (p *Proxy) carry(c net.Conn) {
	if !p.enter(c) {
		return
	}
	defer p.leave(c)
	s, err := net.Dial("tcp", p.target)
	if err != nil {
		cut(c)
		return
	}
	if !p.enter(s) {
		cut(c)
		return
	}
	defer p.leave(s)
	var left atomic.Int64 // bytes until the reset
	left.Store(1 << 62)
	var answered atomic.Bool // what comes next from the client is a new request
	answered.Store(true)
	var both sync.WaitGroup
	copying := func(to, from net.Conn) {
		buf := make([]byte, 32<<10)
		line := newLine(&p.Late)
		both.Go(func() { line.carry(to, from) })
		defer close(line.pieces)
		for {
			n, err := from.Read(buf)
			if from == s {
				answered.Store(true)
			} else if answered.Swap(false) && rand.Int32N(100) < p.Resets.Load() {
				left.Store(rand.Int64N(16 << 10))
			}
			if left.Add(-int64(n)) < 0 {
				p.reset.Add(1)
				cut(c)
				cut(s)
				return
			}
			if n > 0 {
				line.send(slices.Clone(buf[:n]))
			}
			if err == io.EOF {
				line.send(nil)
				return
			}
			if err != nil {
				cut(to)
				return
			}
		}
	}
	both.Go(func() { copying(s, c) })
	both.Go(func() { copying(c, s) })
	both.Wait()
}

// cut resets a connection.
func cut(c net.Conn) {
	c.(*net.TCPConn).SetLinger(0)
	c.Close()
}
