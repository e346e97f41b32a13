// Package mllp carries HL7 v2 messages over TCP: the minimal lower layer protocol, for who listens.
//
// It promises that the messages of a connection are handled and answered in their order, one at a time; that what it holds is bounded, by
// the number of connections and the size of a message; and that it says so and hangs up rather than guess where a message begins. It refuses
// bytes between messages, frames that don't end, and more connections than it was given.
//
//	0x0B MSH|^~\&|…\r 0x1C 0x0D     →     0x0B MSH|^~\&|…\rMSA|AA|00017\r 0x1C 0x0D
//
// See HL7 v2.5.1 appendix C and spec/hl7.md.
package mllp

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"
)

// The marks of a frame.
const (
	begin = 0x0b
	end   = 0x1c
	after = 0x0d
)

// Defaults of a Server's limits.
const (
	DefaultConnections = 64
	DefaultIdle        = 10 * time.Minute
	DefaultFrame       = 30 * time.Second
	DefaultDrain       = 10 * time.Second
)

// Server answers messages. Its fields don't change once it serves.
type Server struct {
	// Answer handles one message and returns the acknowledgement. It is called by many connections at once, and with one message of each at
	// a time, in the order in which they came. ctx ends Drain after the server's. peer is the sender's name in its certificate, "" without one.
	Answer func(ctx context.Context, peer string, message []byte) []byte
	// Refuse is the acknowledgement of a frame that can't be read; the connection ends after it.
	Refuse func(why error) []byte

	MaxMessage  int           // bytes
	Connections int           // at the same time; 0: DefaultConnections
	Idle        time.Duration // between messages; 0: DefaultIdle
	Frame       time.Duration // for a message to come in whole, and for its answer to go; 0: DefaultFrame
	Drain       time.Duration // for messages under way when the server ends; 0: DefaultDrain
	Log         *slog.Logger

	mu     sync.Mutex
	conns  map[net.Conn]bool
	closed bool
	work   sync.WaitGroup
}

// What a frame can be refused for.
var (
	ErrTooLarge = errors.New("the message is larger than what is taken")
	ErrFraming  = errors.New("the frame is broken: want 0x0B, the message, 0x1C 0x0D, and nothing between messages")
)

// Serve takes connections until ctx ends; then it takes no more messages, answers what it has, and returns. A Server serves once.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	work, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	for {
		c, err := l.Accept()
		if err != nil {
			var again interface{ Temporary() bool }
			if errors.As(err, &again) && again.Temporary() && ctx.Err() == nil {
				select { // too many files are open
				case <-time.After(10 * time.Millisecond):
				case <-ctx.Done():
				}
				continue
			}
			s.end(abandon)
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			return fmt.Errorf("mllp: %w", err)
		}
		if !s.enter(c) {
			s.Log.Warn("an HL7 connection too many was refused", "connections", s.connections())
			c.Close()
			continue
		}
		s.work.Go(func() {
			defer s.leave(c)
			if err := s.talk(work, c); err != nil && ctx.Err() == nil {
				s.Log.Info("an HL7 connection ended", "why", err.Error())
			}
		})
	}
}

// end hangs up once what is being worked on is answered.
func (s *Server) end(abandon func()) {
	late := time.AfterFunc(orElse(s.Drain, DefaultDrain), abandon)
	defer late.Stop()
	s.mu.Lock()
	s.closed = true
	for c, busy := range s.conns {
		if !busy {
			c.Close()
		}
	}
	s.mu.Unlock()
	s.work.Wait()
}

func (s *Server) connections() int {
	if s.Connections == 0 {
		return DefaultConnections
	}
	return s.Connections
}

func (s *Server) enter(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.conns) >= s.connections() {
		return false
	}
	if s.conns == nil {
		s.conns = map[net.Conn]bool{}
	}
	s.conns[c] = false
	return true
}

func (s *Server) leave(c net.Conn) {
	c.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// busy notes that a message is being worked on, or tells that no more are taken.
func (s *Server) busy(c net.Conn, is bool) (goOn bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns[c] = is
	return !s.closed
}

// talk handles the messages of one connection.
func (s *Server) talk(ctx context.Context, c net.Conn) error {
	peer := ""
	if secure, ok := c.(*tls.Conn); ok {
		if err := errors.Join(c.SetDeadline(time.Now().Add(orElse(s.Frame, DefaultFrame))), secure.HandshakeContext(ctx)); err != nil {
			return err
		}
		if certs := secure.ConnectionState().PeerCertificates; len(certs) > 0 {
			peer = certs[0].Subject.CommonName
		}
	}
	in := bufio.NewReaderSize(c, 16<<10)
	for {
		message, err := s.next(c, in)
		if errors.Is(err, ErrTooLarge) || errors.Is(err, ErrFraming) {
			return errors.Join(err, s.send(c, s.Refuse(err)), s.part(c))
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if !s.busy(c, true) {
			return nil // not answered: the sender sends it again
		}
		answer := s.Answer(ctx, peer, message)
		err = s.send(c, answer)
		if !s.busy(c, false) || err != nil {
			return err
		}
	}
}

func (s *Server) send(c net.Conn, answer []byte) error {
	if err := c.SetWriteDeadline(time.Now().Add(orElse(s.Frame, DefaultFrame))); err != nil {
		return err
	}
	frame := append([]byte{begin}, answer...)
	_, err := c.Write(append(frame, end, after))
	return err
}

// linger is how long a sender who is refused may go on sending: who is hung up on meanwhile may not get to read why.
const linger = time.Second

// part ends a connection whose sender may still be sending.
func (s *Server) part(c net.Conn) error {
	half, ok := c.(interface{ CloseWrite() error })
	if !ok {
		return nil
	}
	if err := errors.Join(half.CloseWrite(), c.SetReadDeadline(time.Now().Add(linger))); err != nil {
		return err
	}
	_, _ = io.CopyN(io.Discard, c, int64(s.MaxMessage)) // what comes of it is nobody's
	return nil
}

// next reads one frame. io.EOF says that the sender hung up between messages.
func (s *Server) next(c net.Conn, in *bufio.Reader) ([]byte, error) {
	if err := c.SetReadDeadline(time.Now().Add(orElse(s.Idle, DefaultIdle))); err != nil {
		return nil, err
	}
	switch b, err := in.ReadByte(); {
	case err != nil:
		return nil, err
	case b != begin:
		return nil, ErrFraming
	}
	if err := c.SetReadDeadline(time.Now().Add(orElse(s.Frame, DefaultFrame))); err != nil {
		return nil, err
	}
	var message []byte
	for {
		part, err := in.ReadSlice(end)
		if message = append(message, part...); len(bytes.TrimSuffix(message, []byte{end})) > s.MaxMessage {
			return nil, ErrTooLarge
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if errors.Is(err, io.EOF) {
			return nil, io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
		break
	}
	switch b, err := in.ReadByte(); {
	case errors.Is(err, io.EOF):
		return nil, io.ErrUnexpectedEOF
	case err != nil:
		return nil, err
	case b != after:
		return nil, ErrFraming
	}
	message = message[:len(message)-1]
	if bytes.IndexByte(message, begin) >= 0 {
		return nil, ErrFraming
	}
	return message, nil
}

func orElse(d, or time.Duration) time.Duration {
	if d == 0 {
		return or
	}
	return d
}
