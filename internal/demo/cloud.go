package demo

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"vitalog/exchange"
	"vitalog/wire"
)

// illegible searches all that the members keep for everything that must not be there.
func (t *tour) illegible(ctx context.Context, s *Step) error {
	if err := t.flush(ctx, everybody()...); err != nil {
		return err
	}
	secrets := append(t.person.Secrets(), t.chart, "Dr. Ada Okafor", "Lisinopril 10 MG Oral Tablet", "Progress note", "scan of a letter", "blood pressure follow-up")
	all, err := t.search(ctx, secrets)
	if err != nil {
		return err
	}
	if len(all.found) > 0 {
		return fmt.Errorf("%d strings are legible, the first in %s", len(all.found), all.found[0])
	}
	if err := t.findsWhatIsThere(ctx, secrets); err != nil {
		return err
	}
	s.Shows["files"], s.Shows["bytes"], s.Shows["strings"], s.Shows["found"] = all.files, all.size, len(secrets), 0
	if t.buckets != nil {
		s.Shows["objects"] = all.objects
		return t.lists(ctx, s, all, len(secrets))
	}
	k, err := t.any(ctx)
	if err != nil {
		return err
	}
	b, err := t.load(ctx, k.object)
	if err != nil {
		return err
	}
	s.dump(b[:48])
	s.say("every object, index and block (%d files, %.1f MB) searched for %d names, drugs, codes and notes: 0 found", all.files, float64(all.size)/1e6, len(secrets))
	return nil
}

// lists shows the pharmacy's bucket as its cloud sees it.
func (t *tour) lists(ctx context.Context, s *Step, all *searched, secrets int) error {
	var objects []map[string]any
	err := t.buckets[Number(Pharmacy)].Each(ctx, "", func(name string, size int64) error {
		objects = append(objects, map[string]any{"name": name, "bytes": size})
		return nil
	})
	if err != nil {
		return err
	}
	s.Shows["bucket"] = objects
	s.say("the bucket of the pharmacy, listed and read by S3:")
	for _, o := range objects[:min(len(objects), 3)] {
		b, err := t.load(ctx, o["name"].(string))
		if err != nil {
			return err
		}
		s.say("s3://%s/%s   %d bytes", Pharmacy, o["name"], o["bytes"])
		s.dump(b[:64])
	}
	s.say("six buckets (objects: %d) and every other file (%d, in all %.1f MB) searched for %d names, drugs, codes, notes and ids: 0 found; what was planted was found", all.objects, all.files, float64(all.size)/1e6, secrets)
	return nil
}

func (s *Step) dump(b []byte) {
	for line := range strings.Lines(hex.Dump(b)) {
		s.say("%s", strings.TrimRight(line, "\n"))
	}
}

// findsWhatIsThere plants a name where ciphertext lies, and fails unless a search finds it.
func (t *tour) findsWhatIsThere(ctx context.Context, secrets []string) error {
	words := []byte("\x00\x01" + t.person.Family + "\xff")
	plant := filepath.Join(t.w.Dir, "members", Lab, "planted")
	err := os.WriteFile(plant, words, 0o600)
	want := 1
	if err == nil && t.buckets != nil {
		want, err = 2, t.buckets[Number(Lab)].Put(ctx, "planted", words)
	}
	if err != nil {
		return err
	}
	all, err := t.search(ctx, secrets)
	if err = errors.Join(err, os.Remove(plant)); t.buckets != nil {
		err = errors.Join(err, t.buckets[Number(Lab)].Delete(ctx, "planted"))
	}
	if err == nil && len(all.found) != want {
		err = errors.New("the search did not find what was planted: it proves nothing")
	}
	return err
}

// searched is what a search in all that the members keep came to.
type searched struct {
	found          []string // files below members/, and objects
	files, objects int
	size           int64 // bytes
}

// search looks for secrets in every file of every member, and in every object of their buckets, by S3.
func (d *deeds) search(ctx context.Context, secrets []string) (*searched, error) {
	members := filepath.Join(d.w.Dir, "members")
	found, files, size, err := Search(members, secrets)
	if err != nil {
		return nil, err
	}
	out := &searched{files: files, size: size}
	for _, path := range found {
		name, err := filepath.Rel(members, path)
		if err != nil {
			return nil, err
		}
		out.found = append(out.found, filepath.ToSlash(name))
	}
	n := newNeedles(secrets)
	for i, b := range d.buckets {
		err := b.Each(ctx, "", func(name string, _ int64) error {
			object, err := b.Get(ctx, name, 0, -1)
			if errors.Is(err, fs.ErrNotExist) { // packed anew while we look
				return nil
			}
			if err != nil {
				return err
			}
			out.objects++
			hit, read, err := n.in(bytes.NewReader(object))
			out.size += read
			if hit {
				out.found = append(out.found, "s3://"+founders[i].name+"/"+name)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Search looks for secrets, in any case of letters, in every file under dir. It returns the files that hold one.
func Search(dir string, secrets []string) (found []string, files int, size int64, err error) {
	n := newNeedles(secrets)
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // a store tidies up while we look
			return nil
		}
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		defer f.Close()
		files++
		hit, read, err := n.in(f)
		size += read
		if hit {
			found = append(found, path)
		}
		return err
	})
	return found, files, size, err
}

// needles are what is searched for, by their first four bytes.
type needles struct {
	by      map[[4]byte][][]byte
	longest int
}

func newNeedles(secrets []string) *needles {
	n := &needles{by: map[[4]byte][][]byte{}}
	for _, s := range secrets {
		x := lower([]byte(s))
		if len(x) < 4 {
			continue // would be found by chance in any ciphertext
		}
		n.by[[4]byte(x)] = append(n.by[[4]byte(x)], x)
		n.longest = max(n.longest, len(x))
	}
	return n
}

// in reads r in windows that overlap by the longest needle.
func (n *needles) in(r io.Reader) (hit bool, size int64, err error) {
	buf := make([]byte, 0, 1<<20+n.longest)
	for {
		read, err := io.ReadFull(r, buf[len(buf):cap(buf)])
		size += int64(read)
		buf = buf[:len(buf)+read]
		folded := lower(buf)
		for i := 0; i+4 <= len(folded); i++ {
			for _, x := range n.by[[4]byte(folded[i:])] {
				if bytes.HasPrefix(folded[i:], x) {
					return true, size, nil
				}
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return false, size, nil
		}
		if err != nil {
			return false, size, err
		}
		buf = append(buf[:0], buf[len(buf)-n.longest:]...)
	}
}

// lower folds the case of ASCII letters and leaves all other bytes, which need not be text.
func lower(b []byte) []byte {
	out := bytes.Clone(b)
	for i, c := range out {
		if c >= 'A' && c <= 'Z' {
			out[i] = c + 'a' - 'A'
		}
	}
	return out
}

// any is some ciphertext that is an object of its own in the pharmacy's store, or lies in one.
func (t *tour) any(ctx context.Context) (*kept, error) {
	k, err := t.find(ctx, func(wire.Hash) bool { return true })
	if err == nil && k == nil {
		err = errors.New("the pharmacy's store holds no object")
	}
	return k, err
}

func (t *tour) flipped(ctx context.Context, s *Step) error {
	k, err := t.any(ctx)
	if err != nil {
		return err
	}
	d, whole, err := t.flips(ctx, k, k.size/2, func(*exchange.Damage) {})
	if err != nil {
		return err
	}
	s.Shows["record"], s.Shows["block"], s.Shows["writer"], s.Shows["checked"] = d.Record, d.Block, d.Writer, whole.Blobs
	s.say("vitalog verify: altered: ciphertext of %.16s…, block %d, written by %.11s…   (exit code 5)", d.Record, d.Block, d.Writer)
	s.say("another member's copy heals it: %d ciphertexts and %d headers are whole again", whole.Blobs, whole.Headers)
	if t.buckets != nil {
		s.say("the altered object %.22s… is gone from the bucket: what was whole in it is packed anew", k.object)
	}
	return nil
}

// noise is text that compresses badly, base64 of what a scanner would give, with words at its head.
func noise(words string) string {
	b := make([]byte, scanSize)
	rand.Read(b)
	return base64.StdEncoding.EncodeToString(append([]byte(words[:40]), b...))
}

func uuid() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
