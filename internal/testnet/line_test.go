package testnet_test

import (
	"io"
	"net"
	"sync"
	"testing"

	"vitalog/internal/testnet"
	"vitalog/node"
)

// lines are TCP proxies at the published addresses of all members, so that one member can be cut off: those before it take and keep no
// connection, and those before the others drop every connection that was made since it started, which are its own.
type lines struct {
	mu  sync.Mutex
	all []*line
	cut int // member that is cut off; -1: none
}

// line is the proxy before one address of a member.
type line struct {
	*lines
	member int
	to     string
	open   map[net.Conn]bool // value: made since the member that may be cut off started
	marked bool
}

// behindLines starts members whose published addresses are proxies.
func behindLines(t *testing.T, validators int) (*testnet.Net, *lines) {
	t.Helper()
	n := testnet.Start(t, validators, 0)
	ls := &lines{cut: -1}
	t.Cleanup(func() { ls.each(func(l *line, c net.Conn, _ bool) bool { return true }) })
	for i := range n.Nodes {
		n.Stop(t, i)
	}
	for i := range n.Nodes {
		c, err := node.Load(n.MemberDir(i))
		if err != nil {
			t.Fatal(err)
		}
		for _, address := range []*string{&c.Peer, &c.Consensus} {
			public, err := net.Listen("tcp", *address)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { public.Close() })
			free, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			*address = free.Addr().String()
			free.Close()
			l := &line{lines: ls, member: i, to: *address, open: map[net.Conn]bool{}}
			ls.all = append(ls.all, l)
			go l.serve(public)
		}
		if err := c.Save(n.MemberDir(i)); err != nil {
			t.Fatal(err)
		}
	}
	return n, ls
}

func (l *line) serve(public net.Listener) {
	for {
		in, err := public.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", l.to)
		if err != nil {
			in.Close()
			continue
		}
		l.mu.Lock()
		if l.cut >= 0 {
			l.mu.Unlock()
			in.Close()
			out.Close()
			continue
		}
		l.open[in], l.open[out] = l.marked, l.marked
		l.mu.Unlock()
		pipe := func(to, from net.Conn) {
			io.Copy(to, from)
			to.Close()
			from.Close()
			l.mu.Lock()
			defer l.mu.Unlock()
			delete(l.open, from)
		}
		go pipe(in, out)
		go pipe(out, in)
	}
}

// each closes the connections for which f is true.
func (ls *lines) each(f func(*line, net.Conn, bool) bool) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for _, l := range ls.all {
		for c, marked := range l.open {
			if f(l, c, marked) {
				c.Close()
			}
		}
	}
}

// mark takes every connection from now on for one of the member that starts now.
func (ls *lines) mark() {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for _, l := range ls.all {
		l.marked = true
	}
}

func (ls *lines) cutOff(member int) {
	ls.mu.Lock()
	ls.cut = member
	ls.mu.Unlock()
	ls.each(func(l *line, _ net.Conn, marked bool) bool { return marked || l.member == member })
}

func (ls *lines) mend() {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.cut = -1
}
