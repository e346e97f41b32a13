package demo_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"vitalog/blobstore"
	"vitalog/cloud"
	"vitalog/internal/demo"
	"vitalog/op"
	"vitalog/synthetic"
)

// attacker has every byte of the buckets, and looks for what it knows from elsewhere: the patients' resources and all that the members keep beside.
type attacker struct {
	by      map[[4]byte][]mark // by their first bytes
	example map[string][]byte  // one of each kind of what it knows

	header, sealed []byte // one of each, as the members' own stores have them
}

// mark is a form in which something known may lie there.
type mark struct {
	what   string
	form   []byte
	varied bool // it has so many different bytes that what random bytes inflate to, which repeats itself, doesn't have it by chance
}

// Lengths in bytes. A shorter form stands in so many random bytes by chance: with 200,000 forms of 8 in 10 MB that is one run in 10 million.
const (
	shortest = 8
	longest  = 24 // of a form: its beginning is enough
	block    = 16 // of a cipher
	sample   = 4096
)

func (a *attacker) add(what string, form []byte) {
	if len(form) < shortest {
		return
	}
	form = form[:min(len(form), longest)]
	different := map[byte]bool{}
	for _, c := range form {
		different[c] = true
	}
	k := [4]byte(form)
	a.by[k] = append(a.by[k], mark{what, form, len(different) >= shortest})
}

// knows looks for bytes: as they are, in hex, and in base64 with anything before them.
func (a *attacker) knows(what string, b []byte) {
	a.example[what] = b
	a.add(what+", raw", b)
	a.add(what+", hex", []byte(hex.EncodeToString(b)))
	a.add(what+", hex", []byte(strings.ToUpper(hex.EncodeToString(b))))
	for shift, first := range []int{0, 2, 3} {
		for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			all := e.EncodeToString(append(make([]byte, shift), b...))
			a.add(fmt.Sprint(what, ", base64 ", shift), []byte(all[min(first, len(all)):(shift+len(b))*8/6]))
		}
	}
}

// reads looks for text, in UTF-16 too. What is short is looked for as it stands in JSON.
func (a *attacker) reads(what, text string) {
	if len(text) < shortest {
		a.knows(what, []byte(`"`+text+`"`))
	} else {
		a.knows(what, []byte(text))
	}
	var little, big []byte
	for _, u := range utf16.Encode([]rune(text)) {
		little, big = append(little, byte(u), byte(u>>8)), append(big, byte(u>>8), byte(u))
	}
	a.add(what+", utf-16", little)
	a.add(what+", utf-16", big)
}

// in names the first thing known that is in b, of those that are varied if b was inflated: the longest, for one text may be a part of another.
func (a *attacker) in(b []byte, inflated bool) string {
	for i := 0; i+shortest <= len(b); i++ {
		var found mark
		for _, m := range a.by[[4]byte(b[i:])] {
			if (m.varied || !inflated) && len(m.form) > len(found.form) && bytes.HasPrefix(b[i:], m.form) {
				found = m
			}
		}
		if found.form != nil {
			return found.what
		}
	}
	return ""
}

// look tells of each object what is wrong with it.
func (a *attacker) look(objects map[string][]byte) map[string][]string {
	found := map[string][]string{}
	tell := func(name, what string) {
		if what != "" && !slices.Contains(found[name], what) {
			found[name] = append(found[name], what)
		}
	}
	for name, b := range objects {
		h := sha256.Sum256(b)
		if _, place, _ := strings.Cut(strings.TrimPrefix(name, "s3://"), "/"); place != fmt.Sprintf("packs/%02x/%x", h[:1], h) {
			tell(name, "a name that tells more than the bytes do")
		}
		tell(name, a.in(b, false))
		tell(name, a.inflated(b))
		tell(name, noise(b))
	}
	for _, name := range repeats(objects) {
		tell(name, "the same bytes as elsewhere")
	}
	return found
}

// inflated looks at what decompresses from any byte on, by DEFLATE and so by gzip and zlib, for something known.
func (a *attacker) inflated(b []byte) string {
	z := flate.NewReader(bytes.NewReader(nil))
	out := make([]byte, sample)
	for i := range b {
		if !deflates(b[i:]) {
			continue
		}
		if err := z.(flate.Resetter).Reset(bytes.NewReader(b[i:]), nil); err != nil {
			return err.Error()
		}
		n, _ := io.ReadFull(z, out) // most end soon, in an error
		if what := a.in(out[:n], true); what != "" {
			return "deflate of " + what
		}
	}
	return ""
}

// deflates tells whether a block of DEFLATE (RFC 1951) can begin with b: one with fixed codes, or with codes of which those that give their lengths are complete.
func deflates(b []byte) bool {
	if len(b) < 12 || b[0]>>1&3 != 2 {
		return len(b) > 0 && b[0]>>1&3 == 1
	}
	if b[0]>>3 > 29 || b[1]&31 > 29 { // literals and lengths, distances
		return false
	}
	count, sum := int(b[1]>>5)|int(b[2]&1)<<3, 0
	for i := range count + 4 {
		at := 17 + 3*i
		if n := (int(b[at/8]) | int(b[at/8+1])<<8) >> (at % 8) & 7; n > 0 {
			sum += 128 >> n
		}
	}
	return sum == 128
}

// noise says how an object differs from random bytes, after its magic and before its length. Random bytes go beyond these bounds once in 10^17 times.
func noise(b []byte) string {
	if len(b) < sample {
		return ""
	}
	b = b[block : len(b)-4]
	var small bytes.Buffer
	z, err := flate.NewWriter(&small, flate.BestCompression)
	if err != nil {
		return err.Error()
	}
	if _, err := z.Write(b); err != nil {
		return err.Error()
	}
	if err := z.Close(); err != nil || small.Len() < len(b)-len(b)/1000 {
		return fmt.Sprintf("compresses: %d bytes to %d", len(b), small.Len())
	}
	var count [256]float64
	for _, c := range b {
		count[c]++
	}
	chi, want := 0.0, float64(len(b))/256
	for _, n := range count {
		chi += (n - want) * (n - want) / want
	}
	if chi > 500 {
		return fmt.Sprintf("uneven: chi-squared %.0f of 255 degrees", chi)
	}
	return ""
}

// repeats names the objects in which 31 bytes stand that stand elsewhere too, there or in another: any such run has a whole block of 16. Magics don't count.
func repeats(objects map[string][]byte) (out []string) {
	type place struct {
		name string
		at   int
	}
	blocks := map[[block]byte]place{}
	for name, b := range objects {
		for i := block; i+block <= len(b); i += block {
			if k := [block]byte(b[i:]); blocks[k] != (place{}) {
				out = append(out, name, blocks[k].name)
			} else {
				blocks[k] = place{name, i}
			}
		}
	}
	for name, b := range objects {
		for i := 1; i+block <= len(b); i++ {
			if p, ok := blocks[[block]byte(b[i:])]; ok && p != (place{name, i}) {
				out = append(out, name, p.name)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// informed is an attacker who knows all that is in the patients' resources, and all that the ledger and the members' own stores name things by.
func informed(t *testing.T, d *demo.Demo) *attacker {
	a := &attacker{by: map[[4]byte][]mark{}, example: map[string][]byte{}}
	texts := map[string]bool{}
	for _, p := range synthetic.Patients(demo.Seed, demo.Patients, demo.Day) {
		for _, s := range p.Secrets() {
			texts[s] = true
		}
		for _, b := range p.Batches {
			var v any
			if err := json.Unmarshal(b.Bundle, &v); err != nil {
				t.Fatal(err)
			}
			strung(texts, v)
		}
	}
	for _, p := range d.State.Patients {
		texts[p.Name], texts[p.Chart], texts[p.MRN] = true, true, true
	}
	for s := range texts {
		a.reads("text", s)
	}
	a.example["text"] = []byte(d.State.Patients[0].Name)
	n := d.Node(demo.StElena)
	for i := range n.Genesis.Members {
		m := &n.Genesis.Members[i]
		a.reads("member", m.Name)
		for _, k := range [][]byte{m.Exchange, m.Sign[:], m.TLS[:], m.Consensus[:], m.Node[:]} {
			a.knows("key", k)
		}
	}
	l := n.Chain.Ledger()
	records := 0
	for i := range l.Logs() {
		head, err := l.HeadByNumber(i)
		if err != nil {
			t.Fatal(err)
		}
		a.knows("log", head.Log[:])
		for _, k := range head.Owners {
			a.knows("key", k[:])
		}
		err = l.Entries(head.Log, 0, head.Size, func(e *op.Entry) error {
			a.knows("key", e.Signer[:])
			r, ok := e.Says.(*op.Recorded)
			if !ok {
				return nil
			}
			records++
			a.knows("record", r.ID[:])
			a.knows("hash", r.Blob[:])
			header, err := n.Store.Header(head.Log, r.ID)
			sealed, sealedErr := n.Store.Get(r.Blob, 64<<20)
			if err = errors.Join(err, sealedErr); errors.Is(err, blobstore.ErrNotFound) {
				return nil // the wearable wrote it just now: it is on its way here
			}
			if err != nil {
				return err
			}
			for at := 0; at+longest <= len(header); at += 64 {
				a.add("sealed, raw", header[at:])
			}
			for at := 0; at+longest <= len(sealed); at += sample {
				a.add("sealed, raw", sealed[at:])
			}
			a.header, a.sealed = header[:longest], sealed[:longest]
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range head.Grants {
			a.knows("key", g.Key[:])
		}
	}
	if len(texts) < 1000 || records < 100 || a.sealed == nil {
		t.Errorf("an attacker who knows %d texts and %d records is none", len(texts), records)
	}
	return a
}

// strung collects every string of a resource, names of elements too.
func strung(to map[string]bool, v any) {
	switch x := v.(type) {
	case string:
		to[x] = true
	case []any:
		for _, e := range x {
			strung(to, e)
		}
	case map[string]any:
		for k, e := range x {
			to[k] = true
			strung(to, e)
		}
	}
}

// bucketsTellNothing takes every bucket, and looks for everything, once with things in it that are to be found.
func bucketsTellNothing(t *testing.T, ctx context.Context, d *demo.Demo) {
	a := informed(t, d)
	var buckets []*cloud.Bucket
	for _, n := range d.Nodes {
		if _, err := n.Store.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		b, err := cloud.Open(ctx, n.Config.Bucket, cloud.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		buckets = append(buckets, b)
	}
	taken := func(prefix string) map[string][]byte {
		out := map[string][]byte{}
		for i, b := range buckets {
			err := b.Each(ctx, prefix, func(name string, size int64) error {
				object, err := b.Get(ctx, name, 0, -1)
				if int64(len(object)) != size {
					err = errors.Join(err, fmt.Errorf("%s is listed with %d bytes and has %d", name, size, len(object)))
				}
				out["s3://"+d.State.Members[i].Name+"/"+name] = object
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		return out
	}
	objects := taken("")
	for name, what := range a.look(objects) {
		t.Errorf("%s, %d bytes: %q", name, len(objects[name]), what)
	}
	if len(objects) < 4 {
		t.Errorf("%d objects are not those of four validators", len(objects))
	}
	some := slices.Min(slices.Collect(maps.Keys(objects)))
	lab, planted := buckets[demo.Number(demo.Lab)], a.plants(t, objects[some])
	name := func(i int) string { return fmt.Sprint("planted/", i) }
	for i, p := range planted {
		if err := lab.Put(ctx, name(i), p.object); err != nil {
			t.Fatal(err)
		}
	}
	seen := taken("planted/")
	seen[some] = objects[some]
	found := a.look(seen)
	for i, p := range planted {
		got := found["s3://"+demo.Lab+"/"+name(i)]
		if !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, p.found) }) {
			t.Errorf("%q was planted and is found as %q", p.found, got)
		}
		if err := lab.Delete(ctx, name(i)); err != nil {
			t.Error(err)
		}
	}
}

// plant is an object that gives something away, and what is to be said of it.
type plant struct {
	found  string
	object []byte
}

// plants are all forms of all that is known, each once, and what no object may be.
func (a *attacker) plants(t *testing.T, packed []byte) (out []plant) {
	random := func(n int) []byte {
		b := make([]byte, n)
		rand.Read(b)
		return b
	}
	hide := func(found string, b []byte) {
		out = append(out, plant{found, slices.Concat(random(1001), b, random(3001))})
	}
	for what, b := range a.example {
		hide(what+", raw", b)
		hide(what+", hex", []byte(hex.EncodeToString(b)))
		hide(what+", hex", []byte(strings.ToUpper(hex.EncodeToString(b))))
		// Before it stands what no other text that is known begins with, and then goes on as this one does.
		for shift := range 3 {
			hide(fmt.Sprint(what, ", base64 ", shift), []byte(base64.StdEncoding.EncodeToString(append(bytes.Repeat([]byte{0xff}, 3+shift), b...))))
			hide(fmt.Sprint(what, ", base64 ", shift), []byte(base64.URLEncoding.EncodeToString(append(bytes.Repeat([]byte{0xff}, shift), b...))))
		}
	}
	var wide []byte
	for _, u := range utf16.Encode([]rune(string(a.example["text"]))) {
		wide = binary.LittleEndian.AppendUint16(wide, u)
	}
	hide("text, utf-16", wide)
	hide("text, utf-16", append(wide[1:], 0))
	hide("text, raw", []byte(`{"code":"8480-6"}`))
	for _, b := range [][]byte{a.header, a.sealed} {
		hide("sealed, raw", b)
	}
	said := []byte(strings.Repeat(`{"resourceType":"Patient","name":[{"text":"`+string(a.example["text"])+`"}]}`, 3))
	for _, level := range []int{flate.HuffmanOnly, flate.BestCompression} {
		for _, to := range []func(io.Writer) (io.WriteCloser, error){
			func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, level) },
			func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriterLevel(w, level) },
			func(w io.Writer) (io.WriteCloser, error) { return zlib.NewWriterLevel(w, level) },
		} {
			var b bytes.Buffer
			z, err := to(&b)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := z.Write(said); err != nil {
				t.Fatal(err)
			}
			if err := z.Close(); err != nil {
				t.Fatal(err)
			}
			hide("deflate of text, raw", b.Bytes())
		}
	}
	hide("compresses", make([]byte, 100))
	uneven := random(1 << 16)
	for i := 0; i < len(uneven); i += 128 {
		uneven[i] = 0
	}
	hide("uneven", uneven)
	hide("a name that tells", nil)
	hide("the same bytes", packed[100:131])
	return out
}
