package demo

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"vitalog/key"
	"vitalog/op"
	"vitalog/section"
	"vitalog/wire"
)

// object is a ciphertext of Maria's that is a file of its own in the pharmacy's store.
type object struct {
	path   string
	log    key.Log
	record key.Record
	block  uint64
}

// headSize is how many bytes of an object the page shows.
const headSize = 192

// keeps finds such an object. A demo that has none gets a note with a scan.
func (p *Page) keeps(ctx context.Context) (*object, error) {
	found, err := p.hers()
	if found != nil || err != nil {
		return found, err
	}
	if _, err := p.do.okafor.writes(ctx, note("Patient/"+p.do.chart, time.Now())); err != nil {
		return nil, err
	}
	err = await(ctx, "the note did not reach the pharmacy's store", func(context.Context) (bool, error) {
		found, err = p.hers()
		return found != nil, err
	})
	return found, err
}

// hers is the first object of Maria's that there is.
func (p *Page) hers() (found *object, err error) {
	l := p.d.Node(Pharmacy).Chain.Ledger()
	for _, s := range section.Clinical() {
		log := p.do.keys.Log(s)
		head, err := l.Head(log)
		if err != nil {
			return nil, err
		}
		if head == nil {
			continue
		}
		err = l.Entries(log, 0, head.Size, func(e *op.Entry) error {
			r, ok := e.Says.(*op.Recorded)
			if !ok || found != nil {
				return nil
			}
			name := hex.EncodeToString(r.Blob[:])
			path := filepath.Join(p.d.MemberDir(Pharmacy), "data", "blobs", "objects", name[:2], name)
			if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
				return nil // small ones lie together
			} else if err != nil {
				return err
			}
			found = &object{path: path, log: log, record: r.ID}
			found.block, err = l.BlockOf(log, e.Number)
			return err
		})
		if found != nil || err != nil {
			return found, err
		}
	}
	return nil, nil
}

// shown is the beginning of an object, as the page shows it.
type shown struct {
	N    int    `json:"n"`
	Of   int    `json:"of"`
	Name string `json:"name"`
	Size int64  `json:"size"`
	Head string `json:"head"` // hex
	Hers string `json:"hers"` // what only Maria's keys can tell; empty: it is another one
}

// serveObject shows object n of the pharmacy's store: 0 is the one that is tampered with.
func (p *Page) serveObject(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.URL.Query().Get("n"))
	if err != nil || n < 0 {
		http.Error(w, "n is the number of an object.", http.StatusBadRequest)
		return
	}
	o, err := p.object(n)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(o) // the client is gone otherwise
}

func (p *Page) object(n int) (*shown, error) {
	own, err := os.ReadFile(p.scan.path)
	if err != nil {
		return nil, err
	}
	store := p.d.Node(Pharmacy).Store
	var all []wire.Hash
	err = store.Each(func(h wire.Hash, _ int64) error {
		if hex.EncodeToString(h[:]) != filepath.Base(p.scan.path) {
			all = append(all, h)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := &shown{N: n % (len(all) + 1), Of: len(all) + 1, Name: filepath.Base(p.scan.path), Hers: shorten(p.scan.record), Size: int64(len(own)), Head: hex.EncodeToString(own[:headSize])}
	if out.N > 0 {
		slices.SortFunc(all, func(a, b wire.Hash) int { return bytes.Compare(a[:], b[:]) })
		h := all[out.N-1]
		b, err := store.Get(h, maxShown)
		if err != nil {
			return nil, err
		}
		out.Name, out.Hers, out.Size, out.Head = hex.EncodeToString(h[:]), "", int64(len(b)), hex.EncodeToString(b[:min(len(b), headSize)])
	}
	return out, nil
}

const (
	maxShown = 64 << 20 // of an object
	maxWord  = 200      // bytes
	minWord  = 5        // shorter words stand in any ciphertext by chance
	hits     = 5        // files that are named
)

// foundIn is what a search says.
type foundIn struct {
	Hex   bool     `json:"hex"` // bytes were looked for, not a word
	Files int      `json:"files"`
	Bytes int64    `json:"bytes"`
	Found int      `json:"found"` // files
	Where []string `json:"where"` // the first of them
}

// serveSearch looks for a word, or for bytes, in every file of every member: ciphertext, indexes, blocks and all.
func (p *Page) serveSearch(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxWord))
	if err != nil {
		http.Error(w, "That is too long to look for.", http.StatusRequestEntityTooLarge)
		return
	}
	needle := strings.TrimSpace(string(raw))
	out := foundIn{Where: []string{}}
	if b, err := hex.DecodeString(strings.Join(strings.Fields(needle), "")); err == nil && len(b) > minWord {
		needle, out.Hex = string(b), true
	}
	if len(needle) < minWord {
		http.Error(w, "Give at least five letters: shorter words stand in any ciphertext by chance.", http.StatusBadRequest)
		return
	}
	members := filepath.Join(p.d.Dir, "members")
	p.looking.Lock() // each search reads everything
	found, files, size, err := Search(members, []string{needle})
	p.looking.Unlock()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	out.Files, out.Bytes, out.Found = files, size, len(found)
	for _, path := range found[:min(len(found), hits)] {
		name, err := filepath.Rel(members, path)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		out.Where = append(out.Where, filepath.ToSlash(name))
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out) // the client is gone otherwise
}
