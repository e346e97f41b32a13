package gateway

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"vitalog/exchange"
)

// logged gives every request an id and one line in the log: id, method, route, status, duration. Paths, query strings, bodies and names
// are never logged: they lead to patients.
func (g *gateway) logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var id [8]byte
		rand.Read(id[:])
		began := g.Now()
		l := &line{ResponseWriter: w, request: hex.EncodeToString(id[:])}
		w.Header().Set("X-Request-Id", l.request)
		defer func() {
			if broken := recover(); broken != nil {
				if broken == http.ErrAbortHandler {
					panic(broken)
				}
				g.Log.Error("panic", "request", l.request, "route", r.Pattern, "stack", string(debug.Stack())) // its value could hold data
				if l.status == 0 {
					asProblem(nil).write(l)
				}
			}
			g.Log.LogAttrs(context.WithoutCancel(r.Context()), slog.LevelInfo, "request",
				slog.String("request", l.request), slog.String("method", r.Method), slog.String("route", r.Pattern),
				slog.Int("status", l.status), slog.Duration("took", g.Now().Sub(began).Round(time.Microsecond)))
		}()
		next.ServeHTTP(l, r)
	})
}

// line is what the log needs to know of an answer.
type line struct {
	http.ResponseWriter
	request string
	status  int
}

func (l *line) WriteHeader(status int) {
	if l.status == 0 {
		l.status = status
	}
	l.ResponseWriter.WriteHeader(status)
}

func (l *line) Write(b []byte) (int, error) {
	if l.status == 0 {
		l.status = http.StatusOK
	}
	return l.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController through.
func (l *line) Unwrap() http.ResponseWriter { return l.ResponseWriter }

// fail answers with the problem. What is left of the body is read, up to drained bytes: a client that is still sending would see a broken
// connection instead of the answer. One that waits to be told to send is not waited for.
func (g *gateway) fail(w http.ResponseWriter, r *http.Request, err error) {
	g.problem(w, err).write(w)
	if r.Header.Get("Expect") == "" {
		_, _ = io.CopyN(io.Discard, r.Body, drained)
	}
}

const drained = 8 << 20

// problem is what the client is told; the cause of one that is the member's own goes to the log.
func (g *gateway) problem(w http.ResponseWriter, err error) *problem {
	p := asProblem(err)
	if p.status >= 500 && p.cause != nil {
		g.Log.Error("failed", "request", w.Header().Get("X-Request-Id"), "error", p.cause)
	}
	return p
}

// report logs the records that did not open. Their errors name logs and entries, which tell nothing of whose they are.
func (g *gateway) report(w http.ResponseWriter, opened *exchange.Opened) {
	for _, err := range opened.Errors {
		g.Log.Error("record did not open", "request", w.Header().Get("X-Request-Id"), "error", err)
	}
}
