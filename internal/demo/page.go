package demo

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"vitalog/key"
	"vitalog/node"
	"vitalog/op"
	"vitalog/web"
)

//go:embed page
var pageFiles embed.FS

// Page is the story in a browser: the doctor left, the patient right, the ledger and the cloud below. It is served by the demo alone, never by a member.
//
// It promises that what it shows took place: each button does one of the tour's deeds on the running network, with Maria's own keys, which no other program
// than a demo has. It refuses to be reached by another name than localhost, what other pages send, and two deeds at once.
//
//	GET  /                       the page; its files, and the style of the patients' app
//	GET  /events                 the story and the ledger's blocks as they come, as server-sent events
//	GET  /object?n=3             the beginning of what the pharmacy's store keeps
//	POST /search                 a word, or bytes in hex, looked for in every file of every member
//	POST /ask /share /ask-again /stop /tamper /reset     one deed, answered with the story after it
type Page struct {
	URL string

	d      *Demo
	do     *deeds
	at     string // host and port
	server *http.Server
	app    *web.App
	ctx    context.Context // of deeds and streams; ends with the page
	end    context.CancelFunc
	tasks  sync.WaitGroup
	busy   sync.Mutex // held by the deed under way

	looking  sync.Mutex       // one search at a time
	receipts map[key.Log]bool // the members' logs of storage receipts

	names struct { // who is behind Maria's grantee keys
		sync.Mutex
		of map[key.Verifier]string
	}

	mu      sync.Mutex
	story   Story
	blocks  []block // newest last
	scan    *object // what is tampered with
	changed chan struct{}
}

// Bounds of the page.
const (
	deedTime   = 5 * time.Minute
	shownFrom  = 14 // blocks that a page begins with
	shownMost  = 60 // blocks that are kept for a page that comes
	maxStreams = 32
)

// Serve serves the page at its port on this machine, which is the same each time.
func (d *Demo) Serve(ctx context.Context) (*Page, error) {
	w, err := Open(d.Dir)
	if err != nil {
		return nil, err
	}
	p := &Page{d: d, changed: make(chan struct{})}
	p.names.of = map[key.Verifier]string{}
	p.receipts = map[key.Log]bool{}
	for _, m := range w.Genesis.Members {
		p.receipts[op.StoredLog(w.Genesis.Network(), m.Sign)] = true
	}
	if p.do, err = w.deeds(ctx); err != nil {
		return nil, err
	}
	if p.app, err = web.New(); err != nil {
		return nil, err
	}
	if p.scan, err = p.keeps(ctx); err != nil {
		return nil, fmt.Errorf("the page: %w", err)
	}
	if _, err := p.begin(ctx); err != nil {
		return nil, fmt.Errorf("the page: %w", err)
	}
	if d.State.Page == 0 {
		if d.State.Page, err = node.FreePort(); err != nil {
			return nil, err
		}
		if err := d.State.save(d.Dir); err != nil {
			return nil, err
		}
	}
	p.at = net.JoinHostPort("localhost", strconv.Itoa(d.State.Page))
	p.URL = "http://" + p.at
	l, err := net.Listen("tcp", p.at)
	if err != nil {
		return nil, fmt.Errorf("the page: %w", err)
	}
	p.ctx, p.end = context.WithCancel(context.Background())
	p.server = &http.Server{Handler: p.handler(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, ErrorLog: log.New(io.Discard, "", 0)}
	p.tasks.Go(p.follow)
	p.tasks.Go(func() { _ = p.server.Serve(l) }) // until Close
	d.page = p
	return p, nil
}

// close ends the streams and the deed under way.
func (p *Page) close() error {
	p.end()
	err := p.server.Close()
	p.tasks.Wait()
	return errors.Join(err, p.do.close())
}

func (p *Page) handler() http.Handler {
	mux := http.NewServeMux()
	files, err := fs.Sub(pageFiles, "page")
	if err != nil {
		panic(err) // the name is no path
	}
	mux.Handle("GET /{$}", http.FileServerFS(files))
	mux.Handle("GET /page.js", http.FileServerFS(files))
	mux.Handle("GET /page.css", http.FileServerFS(files))
	mux.Handle("GET /assets/index.css", p.app)
	mux.Handle("GET /icon.svg", p.app)
	mux.HandleFunc("GET /events", p.events())
	mux.HandleFunc("GET /object", p.serveObject)
	mux.HandleFunc("POST /search", p.serveSearch)
	for name, f := range p.buttons() {
		mux.HandleFunc("POST /"+name, func(w http.ResponseWriter, r *http.Request) { p.press(w, name, f) })
	}
	guarded := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		web.Confine(w.Header(), "'none'")
		w.Header().Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		w.Header().Set("Cache-Control", "no-store")
		if r.Host != p.at { // a name that somebody else points here
			http.Error(w, "The demo's page is at "+p.URL, http.StatusMisdirectedRequest)
			return
		}
		guarded.ServeHTTP(w, r)
	})
}

// press does one deed, unless another is under way or it isn't its turn.
func (p *Page) press(w http.ResponseWriter, name string, f deed) {
	if !p.busy.TryLock() {
		http.Error(w, "Something else is under way: wait for it.", http.StatusConflict)
		return
	}
	defer p.busy.Unlock()
	if !p.begins(name) {
		http.Error(w, "It isn't the turn of this: the story is elsewhere.", http.StatusConflict)
		return
	}
	ctx, cancel := context.WithTimeout(p.ctx, deedTime)
	defer cancel()
	to, err := f(ctx)
	p.ends(to, err)
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
	}
	_ = json.NewEncoder(w).Encode(p.now()) // the client is gone otherwise
}

// events streams blocks and story: first as they are, then as they change.
func (p *Page) events() http.HandlerFunc {
	open := make(chan struct{}, maxStreams)
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case open <- struct{}{}:
			defer func() { <-open }()
		default:
			http.Error(w, "Too many pages are open.", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		var sent uint64
		for {
			p.mu.Lock()
			story, blocks, changed := p.story, p.blocks, p.changed
			p.mu.Unlock()
			for _, b := range blocks {
				if b.Height > sent {
					if event(w, "block", b) != nil {
						return
					}
					sent = b.Height
				}
			}
			if event(w, "story", story) != nil || http.NewResponseController(w).Flush() != nil {
				return
			}
			select {
			case <-changed:
			case <-r.Context().Done():
				return
			case <-p.ctx.Done():
				return
			}
		}
	}
}

func event(w io.Writer, name string, what any) error {
	raw, err := json.Marshal(what)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "event: %s\ndata: %s\n\n", name, raw)
	return err
}

// change changes what is shown, and tells all who look.
func (p *Page) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *Page) now() Story {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.story
}

// shorten shows the beginning of an id, which is how people compare them.
func shorten(id fmt.Stringer) string {
	kind, hex, _ := strings.Cut(id.String(), ":")
	return kind + ":" + hex[:12] + "…"
}
