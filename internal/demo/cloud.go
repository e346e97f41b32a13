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
)

// illegible searches every file of every member for everything that must not be there.
func (t *tour) illegible(_ context.Context, s *Step) error {
	secrets := append(t.person.Secrets(), "Dr. Ada Okafor", "Lisinopril 10 MG Oral Tablet", "Progress note", "scan of a letter", "blood pressure follow-up")
	found, files, size, err := Search(filepath.Join(t.w.Dir, "members"), secrets)
	if err != nil {
		return err
	}
	if len(found) > 0 {
		return fmt.Errorf("%d strings are legible, the first in %s", len(found), found[0])
	}
	// The search can find: what is planted is found.
	plant := filepath.Join(t.w.Dir, "members", Lab, "planted")
	if err := os.WriteFile(plant, []byte("\x00\x01"+t.person.Family+"\xff"), 0o600); err != nil {
		return err
	}
	found, _, _, err = Search(filepath.Join(t.w.Dir, "members"), secrets)
	if err = errors.Join(err, os.Remove(plant)); err != nil {
		return err
	}
	if len(found) == 0 {
		return errors.New("the search did not find what was planted: it proves nothing")
	}
	object, err := someObject(t.w.Dir)
	if err != nil {
		return err
	}
	b, err := os.ReadFile(object)
	if err != nil {
		return err
	}
	s.Shows["files"], s.Shows["bytes"], s.Shows["strings"], s.Shows["found"] = files, size, len(secrets), 0
	for line := range strings.Lines(hex.Dump(b[:48])) {
		s.say("%s", strings.TrimRight(line, "\n"))
	}
	s.say("every object, index and block (%d files, %.1f MB) searched for %d names, drugs, codes and notes: 0 found", files, float64(size)/1e6, len(secrets))
	return nil
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

// someObject is a ciphertext that is a file of its own in the pharmacy's store.
func someObject(dir string) (string, error) {
	var out string
	err := filepath.WalkDir(filepath.Join(dir, "members", Pharmacy, "data", "blobs", "objects"), func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && out == "" {
			out = path
		}
		return err
	})
	if err == nil && out == "" {
		err = errors.New("the pharmacy's store holds no object")
	}
	return out, err
}

func (t *tour) flipped(ctx context.Context, s *Step) error {
	path, err := someObject(t.w.Dir)
	if err != nil {
		return err
	}
	d, whole, err := t.flips(ctx, path, scanSize/2, func(*exchange.Damage) {})
	if err != nil {
		return err
	}
	s.Shows["record"], s.Shows["block"], s.Shows["writer"], s.Shows["checked"] = d.Record, d.Block, d.Writer, whole.Blobs
	s.say("vitalog verify: altered: ciphertext of %.16s…, block %d, written by %.11s…   (exit code 5)", d.Record, d.Block, d.Writer)
	s.say("another member's copy heals it: %d ciphertexts and %d headers are whole again", whole.Blobs, whole.Headers)
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
