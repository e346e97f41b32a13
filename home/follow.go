package home

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"time"

	"vitalog/exchange"
	"vitalog/key"
	"vitalog/wire"

	"golang.org/x/sync/errgroup"
)

// Limits of following, and its times.
const (
	maxFollowed = 64               // logs in one stream
	maxStreams  = 1024             // at once, over all who come
	eventLen    = 48               // bytes
	heartbeat   = 15 * time.Second // after so long without an event
	patience    = time.Minute      // for an app to take an event
	silence     = 3 * heartbeat    // after which an app takes the home for gone
)

var errCrowded = errors.New("too many follow their logs here at the moment: ask from time to time instead, or go to another member")

func encodeKnown(known map[key.Log]uint64) []byte {
	logs := slices.SortedFunc(maps.Keys(known), compareLogs)
	var w wire.Writer
	w.U32(uint32(len(logs)))
	for _, log := range logs {
		w.Fixed(log[:])
		w.U64(known[log])
	}
	return w.Done()
}

func decodeKnown(b []byte) (map[key.Log]uint64, error) {
	r := wire.NewReader(b)
	n := r.Count(maxFollowed, 40)
	known := make(map[key.Log]uint64, n)
	var last key.Log
	for i := range n {
		var log key.Log
		r.Fixed(log[:])
		known[log] = r.U64()
		if r.Err() == nil && i > 0 && compareLogs(last, log) >= 0 {
			r.Fail(fmt.Errorf("logs that don't ascend: %w", wire.ErrNonCanonical))
		}
		last = log
	}
	if r.Err() == nil && n == 0 {
		r.Fail(fmt.Errorf("no logs: %w", wire.ErrNonCanonical))
	}
	return known, r.End()
}

func compareLogs(a, b key.Log) int { return bytes.Compare(a[:], b[:]) }

func encodeNews(n exchange.News) []byte {
	var w wire.Writer
	w.Fixed(n.Log[:])
	w.U64(n.Size)
	w.U64(n.Block)
	return w.Done()
}

// decodeNews reads an event; a heartbeat is the zero News.
func decodeNews(b []byte) (n exchange.News, err error) {
	r := wire.NewReader(b)
	r.Fixed(n.Log[:])
	n.Size, n.Block = r.U64(), r.U64()
	return n, r.End()
}

// follow answers with a stream: it ends when the client goes, doesn't take what is sent, or the server ends.
func (s *Server) follow(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(metered{http.MaxBytesReader(w, r.Body, 4+40*maxFollowed), &s.bytes})
	if err != nil {
		http.Error(w, "the body is longer than this call allows, or broke off", http.StatusRequestEntityTooLarge)
		return
	}
	known, err := decodeKnown(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		http.Error(w, errCrowded.Error(), http.StatusTooManyRequests)
		return
	}
	ctx, stop := context.WithCancel(r.Context())
	defer stop()

	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // proxies that gather answers would hold the events back
	c := http.NewResponseController(w)
	send := func(n exchange.News) error {
		err := errors.Join(c.SetReadDeadline(time.Time{}), c.SetWriteDeadline(time.Now().Add(patience)))
		if err == nil {
			_, err = w.Write(encodeNews(n))
		}
		return errors.Join(err, c.Flush())
	}
	heard := make(chan exchange.News)
	var hearing errgroup.Group // the other goroutine; this one alone writes
	hearing.Go(func() error {
		defer stop()
		return s.home.Follow(ctx, known, func(n exchange.News) error {
			select {
			case heard <- n:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	})
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for err = send(exchange.News{}); err == nil; {
		select {
		case n := <-heard:
			err = send(n)
			beat.Reset(heartbeat)
		case <-beat.C:
			err = send(exchange.News{})
		case <-s.closed:
			err = http.ErrServerClosed
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	stop()
	if err := hearing.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		s.log.Warn("home service", "call", "follow", "err", err)
	}
}

// Close ends the streams: a server that is shut down waits for its answers, and these have no end of their own.
func (s *Server) Close() { s.close.Do(func() { close(s.closed) }) }

// Follow hears of logs that grow, until ctx ends or nothing comes any more, not even a heartbeat.
func (c *Client) Follow(ctx context.Context, known map[key.Log]uint64, told func(exchange.News) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	silent := time.AfterFunc(silence, func() { stop(fmt.Errorf("%w: it has said nothing for %v", ErrUnreachable, silence)) })
	defer silent.Stop()
	resp, err := c.ask(ctx, "follow", encodeKnown(known))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var event [eventLen]byte
	for {
		silent.Reset(silence)
		if _, err := io.ReadFull(resp.Body, event[:]); err != nil {
			return gone(ctx, err)
		}
		n, err := decodeNews(event[:])
		if err != nil {
			return err
		}
		if n == (exchange.News{}) {
			continue
		}
		if _, mine := known[n.Log]; !mine {
			return errors.New("the home member tells of a log that was not followed")
		}
		if err := told(n); err != nil {
			return err
		}
	}
}

// gone is why a stream is over: what ended ctx, or what failed.
func gone(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, err)
}
