package home

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"sync"

	"vitalog/op"
)

// Relay is the service of a home member at another address: the calls go on to the member, and nothing else of what a browser says does.
// The genesis is not asked for: it is the one that the relay was given.
type Relay struct {
	mux   *http.ServeMux
	close sync.Once
	ended chan struct{}
}

// passed are the headers that go on, in either direction.
var passed = []string{"Content-Type", "Content-Length", "Date", "Cache-Control", "X-Accel-Buffering"}

// NewRelay relays to the member whose service stands at base. genesis and the member's number were checked by the caller.
func NewRelay(base *url.URL, genesis *op.Genesis, member int, through http.RoundTripper) *Relay {
	r := &Relay{mux: http.NewServeMux(), ended: make(chan struct{})}
	on := &httputil.ReverseProxy{
		Transport: through,
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(base)
			p.Out.Header = only(p.In.Header)
			p.Out.Header["User-Agent"] = nil // else Go names itself
		},
		ModifyResponse: func(resp *http.Response) error {
			resp.Header = only(resp.Header)
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			http.Error(w, "the home member does not answer: try again", http.StatusBadGateway)
		},
		ErrorLog: log.New(io.Discard, "", 0), // who asked for what is nobody's business
	}
	r.mux.Handle("POST "+Prefix+"{call}", on)
	r.mux.HandleFunc("POST "+Prefix+"follow", func(w http.ResponseWriter, q *http.Request) {
		ctx, stop := context.WithCancel(q.Context())
		defer stop()
		go func() {
			select {
			case <-r.ended:
				stop()
			case <-ctx.Done():
			}
		}()
		on.ServeHTTP(w, q.WithContext(ctx))
	})
	r.mux.HandleFunc("GET "+Prefix+"genesis", func(w http.ResponseWriter, _ *http.Request) { sendGenesis(w, genesis, member) })
	return r
}

// ServeHTTP relays one call.
func (r *Relay) ServeHTTP(w http.ResponseWriter, q *http.Request) { r.mux.ServeHTTP(w, q) }

// Close ends what has no end of its own: those who follow their logs.
func (r *Relay) Close() { r.close.Do(func() { close(r.ended) }) }

func only(h http.Header) http.Header {
	out := http.Header{}
	for _, name := range passed {
		if v := h.Values(name); len(v) > 0 {
			out[name] = v
		}
	}
	return out
}

func sendGenesis(w http.ResponseWriter, g *op.Genesis, member int) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set(memberHeader, strconv.Itoa(member))
	_ = json.NewEncoder(w).Encode(g) // the client is gone otherwise
}
