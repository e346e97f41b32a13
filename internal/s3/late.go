package s3

import (
	"net"
	"sync/atomic"
	"time"
)

// line carries pieces to a connection, each as much later as late says when it is sent. They don't wait for each other, as on a long way: it takes its
// time, and as many bytes a second as ever.
type line struct {
	late   *atomic.Int64
	pieces chan piece
}

type piece struct {
	due time.Time
	b   []byte // nil: the end
}

func newLine(late *atomic.Int64) *line {
	return &line{late: late, pieces: make(chan piece, 1<<10)}
}

// send keeps b. It is for one goroutine, which closes pieces when it has sent the last.
func (l *line) send(b []byte) { l.pieces <- piece{time.Now().Add(time.Duration(l.late.Load())), b} }

// carry takes all pieces to a connection; if that doesn't take them, the one that they come from is cut.
func (l *line) carry(to, from net.Conn) {
	for x := range l.pieces {
		time.Sleep(time.Until(x.due))
		if x.b == nil {
			to.(*net.TCPConn).CloseWrite()
		} else if _, err := to.Write(x.b); err != nil {
			cut(from)
		}
	}
}
