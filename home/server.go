package home

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync"

	"vitalog/envelope"
	"vitalog/exchange"
	"vitalog/key"
	"vitalog/wire"
)

// Server offers a member to patients.
type Server struct {
	home exchange.Home
	log  *slog.Logger
	mux  *http.ServeMux

	tickets, bytes budget
	claims         budget
	room           chan struct{} // calls under way that may ask other members
	streams        chan struct{} // those who follow their logs

	close  sync.Once
	closed chan struct{}
}

// NewServer offers home, and to keep health links, under Prefix.
func NewServer(home exchange.Home, links *Links, log *slog.Logger) *Server {
	s := &Server{home: home, log: log, mux: http.NewServeMux(), tickets: budget{limit: ticketsPerMinute}, bytes: budget{limit: bytesPerMinute}, claims: budget{limit: claimsPerMinute}, room: make(chan struct{}, atOnce),
		streams: make(chan struct{}, maxStreams), closed: make(chan struct{})}
	network := home.Genesis().Network()
	s.mux.HandleFunc("GET "+Prefix+"genesis", func(w http.ResponseWriter, _ *http.Request) { sendGenesis(w, home.Genesis(), home.Issuer()) })
	s.handle("submit", maxSubmit, func(r *http.Request, body []byte) ([]byte, error) {
		ops, err := decodeOperations(network, body)
		if err != nil {
			return nil, invalid{err}
		}
		results, err := home.Submit(r.Context(), ops...)
		return encodeResults(results), err
	})
	s.handle("head", 32, func(r *http.Request, body []byte) ([]byte, error) {
		log, err := oneLog(body)
		if err != nil {
			return nil, err
		}
		h, err := home.Head(r.Context(), log)
		if err != nil {
			return nil, err
		}
		return h.Encode(), nil
	})
	s.handle("entries", 48, func(r *http.Request, body []byte) ([]byte, error) {
		rd := wire.NewReader(body)
		var log key.Log
		rd.Fixed(log[:])
		from, to := rd.U64(), rd.U64()
		if err := rd.End(); err != nil {
			return nil, invalid{err}
		}
		entries, err := home.Entries(r.Context(), log, from, min(to, from+maxPage))
		return encodeEntries(entries), err
	})
	s.handle("receipt", 40, func(r *http.Request, body []byte) ([]byte, error) {
		rd := wire.NewReader(body)
		var log key.Log
		rd.Fixed(log[:])
		n := rd.U64()
		if err := rd.End(); err != nil {
			return nil, invalid{err}
		}
		rc, err := home.Receipt(r.Context(), log, n)
		if err != nil {
			return nil, err
		}
		return rc.Encode(), nil
	})
	s.handle("certificate", 4+40*exchange.MaxOrders, s.outward(func(r *http.Request, body []byte) ([]byte, error) {
		orders, err := decodeOrders(body)
		if err != nil {
			return nil, invalid{err}
		}
		c, err := home.Certificate(r.Context(), orders...)
		if err != nil {
			return nil, err
		}
		return c.Encode(), nil
	}))
	s.handle("network-key", 0, func(r *http.Request, _ []byte) ([]byte, error) {
		k, before, err := home.NetworkKey(r.Context())
		if err != nil {
			return nil, err
		}
		return append(before[:], k.Encode()...), nil
	})
	s.handle("put-blob", maxBody, func(r *http.Request, body []byte) ([]byte, error) {
		h, err := home.PutBlob(r.Context(), body)
		return h[:], err
	})
	s.handle("blob", 32, s.outward(func(r *http.Request, body []byte) ([]byte, error) {
		if len(body) != 32 {
			return nil, invalid{wire.ErrTruncated}
		}
		return home.Blob(r.Context(), wire.Hash(body))
	}))
	s.handle("blobs", 4+32*maxWanted, s.outward(func(r *http.Request, body []byte) ([]byte, error) {
		hashes, err := decodeHashes(body)
		if err != nil {
			return nil, invalid{err}
		}
		return blobs(r.Context(), home, hashes)
	}))
	s.handle("part", 40, s.outward(func(r *http.Request, body []byte) ([]byte, error) {
		rd := wire.NewReader(body)
		var h wire.Hash
		rd.Fixed(h[:])
		at := rd.U64()
		if err := rd.End(); err != nil {
			return nil, invalid{err}
		}
		return home.Part(r.Context(), h, at)
	}))
	s.handle("put-record", maxBody, func(r *http.Request, body []byte) ([]byte, error) {
		rd := wire.NewReader(body)
		raw := rd.Bytes(maxHeader)
		if rd.Err() != nil {
			return nil, invalid{rd.Err()}
		}
		h, err := envelope.DecodeHeader(raw)
		if err != nil {
			return nil, invalid{err}
		}
		return nil, home.PutRecords(r.Context(), []exchange.Sealed{{Header: h, Blob: body[4+len(raw):]}})
	})
	s.handle("header", 64, s.outward(func(r *http.Request, body []byte) ([]byte, error) {
		if len(body) != 64 {
			return nil, invalid{wire.ErrTruncated}
		}
		h, err := home.Header(r.Context(), key.Log(body[:32]), key.Record(body[32:]))
		if err != nil {
			return nil, err
		}
		return h.Encode(), nil
	}))
	s.handle("records", 36+32*maxWanted, s.outward(func(r *http.Request, body []byte) ([]byte, error) {
		w, err := decodeWanted(body)
		if err != nil {
			return nil, invalid{err}
		}
		return records(r.Context(), home, w)
	}))
	s.handle("ticket", 1024, func(r *http.Request, body []byte) ([]byte, error) {
		if !s.tickets.take(1) {
			return nil, errBusy
		}
		sig, err := home.Ticket(r.Context(), body)
		var w wire.Writer
		w.U16(uint16(home.Issuer()))
		w.Bytes(sig)
		return w.Done(), err
	})
	s.handle("introduce", 128, s.outward(func(r *http.Request, body []byte) ([]byte, error) {
		rd := wire.NewReader(body)
		member := int(rd.U16())
		var log key.Log
		rd.Fixed(log[:])
		purpose := string(rd.Bytes(32))
		if err := rd.End(); err != nil {
			return nil, invalid{err}
		}
		i, err := home.Introduce(r.Context(), member, log, purpose)
		if err != nil {
			return nil, err
		}
		return i.Encode(), nil
	}))
	s.handle("claim", maxClaim, s.outward(s.claim(home.Claim)))
	s.handle("owner-locks", maxClaim, s.outward(s.claim(home.OwnerLocks)))
	s.handle("release", maxRelease, s.outward(func(r *http.Request, body []byte) ([]byte, error) {
		rd := wire.NewReader(body)
		member := int(rd.U16())
		if rd.Err() != nil {
			return nil, invalid{rd.Err()}
		}
		return home.Release(r.Context(), member, body[2:])
	}))
	newMailboxes().handle(s)
	s.handle("put-link", maxLink, s.outward(links.putLink))
	s.handle("link-base", 0, func(*http.Request, []byte) ([]byte, error) { return []byte(links.base), nil })
	s.mux.HandleFunc("POST "+Prefix+"follow", s.follow)
	return s
}

// ServeHTTP serves one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

var errBusy = errors.New("too much was asked for in this minute: try again in a minute")

// invalid marks what the caller got wrong.
type invalid struct{ error }

func oneLog(body []byte) (key.Log, error) {
	if len(body) != 32 {
		return key.Log{}, invalid{wire.ErrTruncated}
	}
	return key.Log(body), nil
}

// outward makes calls that may ask other members wait for room.
func (s *Server) outward(call func(r *http.Request, body []byte) ([]byte, error)) func(r *http.Request, body []byte) ([]byte, error) {
	return func(r *http.Request, body []byte) ([]byte, error) {
		select {
		case s.room <- struct{}{}:
			defer func() { <-s.room }()
			return call(r, body)
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
}

func (s *Server) handle(name string, limit int64, call func(r *http.Request, body []byte) ([]byte, error)) {
	s.mux.HandleFunc("POST "+Prefix+name, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(metered{http.MaxBytesReader(w, r.Body, limit), &s.bytes})
		if errors.Is(err, errBusy) {
			w.Header().Set("Connection", "close") // what is still to come is not read
			http.Error(w, err.Error(), http.StatusTooManyRequests)
			return
		}
		if err != nil {
			http.Error(w, "the body is longer than this call allows, or broke off", http.StatusRequestEntityTooLarge)
			return
		}
		answer, err := call(r, body)
		var bad invalid
		switch {
		case err == nil:
			w.Header().Set("Content-Type", "application/octet-stream")
			_, _ = w.Write(answer) // the client is gone otherwise
		case errors.As(err, &bad), errors.Is(err, exchange.ErrInvalid):
			http.Error(w, err.Error(), http.StatusBadRequest)
		case errors.Is(err, exchange.ErrNotShared):
			http.Error(w, exchange.ErrNotShared.Error(), http.StatusNotFound)
		case errors.Is(err, exchange.ErrConflict):
			http.Error(w, exchange.ErrConflict.Error(), http.StatusConflict)
		case errors.Is(err, errBusy):
			http.Error(w, err.Error(), http.StatusTooManyRequests)
		default:
			s.log.Warn("home service", "call", name, "err", err)
			http.Error(w, "the network can't do this at the moment: try again", http.StatusServiceUnavailable)
		}
	})
}
