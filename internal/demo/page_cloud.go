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
	"slices"
	"strconv"
	"strings"
	"time"

	"vitalog/key"
	"vitalog/op"
	"vitalog/section"
	"vitalog/wire"
)

// object is a ciphertext of Maria's in the pharmacy's store.
type object struct {
	kept
	log    key.Log
	record key.Record
	block  uint64
}

// headSize is how many bytes of an object the page shows.
const headSize = 192

// keeps finds such an object. A demo that has none gets a note with a scan.
func (p *Page) keeps(ctx context.Context) (*object, error) {
	found, err := p.hers(ctx)
	if found != nil || err != nil {
		return found, err
	}
	if _, err := p.do.okafor.writes(ctx, note("Patient/"+p.do.chart, time.Now())); err != nil {
		return nil, err
	}
	err = await(ctx, "the note did not reach the pharmacy's store", func(ctx context.Context) (bool, error) {
		found, err = p.hers(ctx)
		return found != nil, err
	})
	return found, err
}

// hers is an object of Maria's, if there is one.
func (p *Page) hers(ctx context.Context) (*object, error) {
	if err := p.do.flush(ctx, Pharmacy); err != nil {
		return nil, err
	}
	entries := map[wire.Hash]*op.Entry{}
	l := p.d.Node(Pharmacy).Chain.Ledger()
	for _, s := range section.Clinical() {
		head, err := l.Head(p.do.keys.Log(s))
		if err != nil {
			return nil, err
		}
		if head == nil {
			continue
		}
		err = l.Entries(head.Log, 0, head.Size, func(e *op.Entry) error {
			if r, ok := e.Says.(*op.Recorded); ok {
				entries[r.Blob] = e
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	k, err := p.do.find(ctx, func(h wire.Hash) bool { return entries[h] != nil })
	if k == nil || err != nil {
		return nil, err
	}
	e := entries[k.blob]
	out := &object{kept: *k, log: e.Log, record: e.Says.(*op.Recorded).ID}
	out.block, err = l.BlockOf(e.Log, e.Number)
	return out, err
}

// shown is the beginning of an object, as the page shows it.
type shown struct {
	N    int    `json:"n"`
	Of   int    `json:"of"`
	Name string `json:"name"`
	Size int64  `json:"size"`
	At   int    `json:"at"`   // where what is shown begins
	Head string `json:"head"` // hex
	Hers string `json:"hers"` // what only Maria's keys can tell; empty: it is another one
	S3   bool   `json:"s3"`   // it lies in the bucket
}

// serveObject shows object n of the pharmacy's store: 0 is the one that is tampered with.
func (p *Page) serveObject(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.URL.Query().Get("n"))
	if err != nil || n < 0 {
		http.Error(w, "n is the number of an object.", http.StatusBadRequest)
		return
	}
	o, err := p.object(r.Context(), n)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(o) // the client is gone otherwise
}

func (p *Page) object(ctx context.Context, n int) (*shown, error) {
	scan, own, err := p.target(ctx)
	if err != nil {
		return nil, err
	}
	if p.do.buckets != nil {
		return p.inBucket(ctx, scan, n)
	}
	store := p.d.Node(Pharmacy).Store
	var all []wire.Hash
	err = store.Each(func(h wire.Hash, _ int64) error {
		if h != scan.blob {
			all = append(all, h)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := &shown{N: n % (len(all) + 1), Of: len(all) + 1, Name: scan.blob.String(), Hers: shorten(scan.record), Size: int64(len(own)), Head: hex.EncodeToString(own[:headSize])}
	if out.N > 0 {
		slices.SortFunc(all, func(a, b wire.Hash) int { return bytes.Compare(a[:], b[:]) })
		h := all[out.N-1]
		b, err := store.Get(h, maxShown)
		if err != nil {
			return nil, err
		}
		out.Name, out.Hers, out.Size, out.Head = h.String(), "", int64(len(b)), hex.EncodeToString(b[:min(len(b), headSize)])
	}
	return out, nil
}

// inBucket shows object n of the pharmacy's bucket, read by S3: of the first what is Maria's, of the others how they begin.
func (p *Page) inBucket(ctx context.Context, scan *object, n int) (*shown, error) {
	all := []string{scan.object}
	err := p.do.buckets[Number(Pharmacy)].Each(ctx, "", func(name string, _ int64) error {
		if name != scan.object {
			all = append(all, name)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := &shown{N: n % len(all), Of: len(all), S3: true}
	out.Name = all[out.N]
	if out.N == 0 {
		out.At, out.Hers = scan.at, shorten(scan.record)
	}
	b, err := p.do.load(ctx, out.Name)
	if err != nil {
		return nil, err
	}
	out.Size, out.Head = int64(len(b)), hex.EncodeToString(b[out.At:min(len(b), out.At+headSize)])
	return out, nil
}

// target is what is tampered with, and the bytes of the object that it lies in.
func (p *Page) target(ctx context.Context) (*object, []byte, error) {
	p.mu.Lock()
	scan := p.scan
	p.mu.Unlock()
	b, err := p.do.load(ctx, scan.object)
	if p.do.buckets == nil || !errors.Is(err, fs.ErrNotExist) {
		return scan, b, err
	}
	if scan, err = p.keeps(ctx); err != nil { // it was packed anew
		return nil, nil, err
	}
	b, err = p.do.load(ctx, scan.object)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.scan = scan
	return scan, b, err
}

const (
	maxShown = 64 << 20 // of an object
	maxWord  = 200      // bytes
	minWord  = 5        // shorter words stand in any ciphertext by chance
	hits     = 5        // files that are named
)

// foundIn is what a search says.
type foundIn struct {
	Hex     bool     `json:"hex"` // bytes were looked for, not a word
	Files   int      `json:"files"`
	Objects int      `json:"objects"` // of buckets
	Bytes   int64    `json:"bytes"`
	Found   int      `json:"found"` // files and objects
	Where   []string `json:"where"` // the first of them
}

// serveSearch looks for a word, or for bytes, in all that the members keep: ciphertext, indexes, blocks and all.
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
	p.looking.Lock() // each search reads everything
	all, err := p.do.search(r.Context(), []string{needle})
	p.looking.Unlock()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	out.Files, out.Objects, out.Bytes, out.Found = all.files, all.objects, all.size, len(all.found)
	out.Where = append(out.Where, all.found[:min(len(all.found), hits)]...)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out) // the client is gone otherwise
}
