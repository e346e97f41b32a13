package envelope_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"testing"

	"vitalog/envelope"
	"vitalog/key"
	"vitalog/threshold"
	"vitalog/wire"
)

const allergy = `{"resourceType":"AllergyIntolerance","code":{"text":"Penicillin"},"criticality":"high"}`

func TestEveryLockOpensToTheSameContent(t *testing.T) {
	w := newWorld(t)
	for _, compressed := range []bool{false, true} {
		r := w.seal(allergy, compressed)
		if err := r.check(r.header); err != nil {
			t.Fatal(err)
		}
		for name, open := range map[string]func() ([]byte, error){
			"owner":              func() ([]byte, error) { return w.byOwner(r) },
			"author, 1, 2 and 3": func() ([]byte, error) { return w.byAuthor(r, 0, 1, 2) },
			"members 1, 2 and 3": func() ([]byte, error) { return w.byGrant(r, 0, 1, 2) },
			"members 4, 2 and 1": func() ([]byte, error) { return w.byGrant(r, 3, 1, 0) },
		} {
			if got, err := open(); err != nil || string(got) != allergy {
				t.Errorf("compressed %v, %s: got %d bytes, error %v", compressed, name, len(got), err)
			}
		}
	}
}

func TestContentOfAnySizeComesBack(t *testing.T) {
	w := newWorld(t)
	const c = envelope.ChunkSize
	noise := make([]byte, 3*c+100)
	rand.Read(noise)
	zeros := make([]byte, 3*c)
	marks := bytes.Repeat([]byte{0x80, 0, 0, 0, 0}, c)
	for _, content := range [][]byte{{}, {0}, {0x80}, {0x80, 0}, zeros[:5000], zeros[:c], zeros, marks[:c], marks, append([]byte{0x80}, zeros...), noise[:1], noise[:c-1], noise[:c],
		noise[:c+1], noise[:2*c-1], noise[:2*c], noise[:3*c], noise, append(append([]byte{0x80}, zeros[:2*c]...), 1)} {
		for _, compressed := range []bool{false, true} {
			r := w.seal(string(content), compressed)
			got, err := w.byOwner(r)
			if err != nil || !bytes.Equal(got, content) {
				t.Errorf("%d bytes, compressed %v: got %d bytes, error %v", len(content), compressed, len(got), err)
			}
			if want := int(r.header.Padded + (r.header.Padded+c-1)/c*16); len(r.blob) != want {
				t.Errorf("%d bytes, compressed %v: blob of %d bytes, want %d", len(content), compressed, len(r.blob), want)
			}
			if p := int(r.header.Padded); !compressed && (p <= len(content) || p > len(content)+len(content)/8+2) {
				t.Errorf("%d bytes were padded to %d", len(content), p)
			}
		}
	}
}

func TestSizesAreToldOnlyByClass(t *testing.T) {
	w := newWorld(t)
	classes := map[uint64]bool{}
	for n := 1000; n < 2000; n++ {
		classes[w.padded(n)] = true
	}
	if len(classes) > 17 {
		t.Errorf("1000 sizes have %d padded lengths", len(classes))
	}
}

func (w *world) padded(n int) uint64 {
	h, err := envelope.Seal(io.Discard, strings.NewReader(strings.Repeat("x", n)), w.context(false), envelope.Locks{Owner: w.patient.Private.Exchange()})
	if err != nil {
		w.Fatal(err)
	}
	return h.Padded
}

func TestALogInCustodyHasNothingForItsOwner(t *testing.T) {
	w := newWorld(t)
	to := w.locks()
	to.Owner, to.Author = nil, nil
	var blob bytes.Buffer
	h, err := envelope.Seal(&blob, strings.NewReader(allergy), w.context(true), to)
	if err != nil {
		t.Fatal(err)
	}
	r := &record{h, blob.Bytes(), commit(h)}
	if _, err := w.byOwner(r); err == nil || !strings.Contains(err.Error(), "custody") {
		t.Errorf("opened by the owner's key: error %v", err)
	}
	if _, err := w.byAuthor(r, 0, 1, 2); err == nil {
		t.Error("opened by the author, who kept no key")
	}
	if got, err := w.byGrant(r, 0, 1, 2); err != nil || string(got) != allergy {
		t.Errorf("by grant and release: error %v", err)
	}
}

func TestWhatItsAuthorKeepsOpensForNobodyElse(t *testing.T) {
	w := newWorld(t)
	r := w.seal(allergy, true)
	kept, err := r.header.Kept()
	if err != nil {
		t.Fatal(err)
	}
	if kept, err = envelope.DecodeHeader(kept.Encode()); err != nil || r.check(kept) != nil {
		t.Fatalf("as it is kept: error %v", err)
	}
	all := *r
	r.header = kept
	if got, err := w.byAuthor(r, 1, 2, 3); err != nil || string(got) != allergy {
		t.Errorf("by its author and the members' release: error %v", err)
	}
	if _, err := w.byOwner(r); err == nil {
		t.Error("opened by the owner")
	}
	if _, err := w.byGrant(r, 0, 1, 2); err == nil {
		t.Error("opened by a grantee")
	}
	if _, err := w.byOwner(&all); err != nil {
		t.Errorf("the record's own header was changed: %v", err)
	}
	to := w.locks()
	to.Author = nil
	h, err := envelope.Seal(io.Discard, strings.NewReader(allergy), w.context(true), to)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Kept(); err == nil {
		t.Error("kept without an author's lock")
	}
}

func TestLocksAreReplacedWithoutTouchingTheCommitment(t *testing.T) {
	w := newWorld(t)
	r := w.seal(allergy, true)
	core := r.header.Core()

	// A new epoch: the owner moves a to it without a release. Readers of both epochs read on.
	if err := r.header.Rotate(1, w.patient.Reader(1), 2, w.patient.Reader(2).Exchange()); err != nil {
		t.Fatal(err)
	}
	secret, err := w.release(r.committed, r.header.Network.U, 0, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	var s *envelope.Secret
	for epoch := range uint32(2) {
		if s, err = r.header.ByReader(epoch+1, w.patient.Reader(epoch+1), r.header.B(secret)); err != nil {
			t.Fatalf("epoch %d: %v", epoch+1, err)
		}
	}
	if err := r.header.Drop(1); err != nil {
		t.Fatal(err)
	}
	if _, err := r.header.ByReader(1, w.patient.Reader(1), r.header.B(secret)); err == nil {
		t.Error("the lock of a dropped epoch opens")
	}
	if err := r.header.Drop(2); err == nil {
		t.Error("the last reader lock was dropped")
	}

	// A claim: the patient's own root takes over, with an epoch of its own, by a traced release.
	claimed := key.NewRoot().Section(5)
	if err := r.header.Relock(s, envelope.Locks{Owner: claimed.Private.Exchange(), Reader: claimed.Reader(3).Exchange(), Epoch: 3}); err != nil {
		t.Fatal(err)
	}
	own, err := r.header.ByOwner(claimed.Private)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.header.ByOwner(w.patient.Private); !errors.Is(err, key.ErrSealed) {
		t.Errorf("the old owner's key: error %v", err)
	}

	// A new generation of the network key.
	next := threshold.NewPolynomial(1)
	if err := r.header.Relock(s, envelope.Locks{Network: next.Commitments()[0], NetGen: 2}); err != nil {
		t.Fatal(err)
	}
	share := next.Share(1)
	id := envelope.ReleaseID(w.network, 2, w.log, w.writer.Public(), r.rid)
	p, _ := threshold.Partial(&share, id)
	if secret, err = threshold.Decapsulate(p, r.header.Network.U, id); err != nil {
		t.Fatal(err)
	}
	again, err := r.header.ByReader(3, claimed.Reader(3), r.header.B(secret))
	if err != nil {
		t.Fatal(err)
	}

	if r.header.Core() != core || r.check(r.header) != nil {
		t.Error("new locks changed the commitment")
	}
	for _, s := range []*envelope.Secret{own, again} {
		if got, err := read(r.header, s, r.blob); err != nil || string(got) != allergy {
			t.Errorf("after new locks: error %v", err)
		}
	}
}

func TestLocksThatCannotBeMadeLeaveTheHeaderAsItWas(t *testing.T) {
	w := newWorld(t)
	r, other := w.seal(allergy, false), w.seal("other", false)
	before := r.header.Encode()
	own, _ := r.header.ByOwner(w.patient.Private)
	released, _ := w.release(r.committed, r.header.Network.U, 0, 1, 2)
	halves, _ := r.header.ByReader(1, w.patient.Reader(1), r.header.B(released))
	foreign, _ := other.header.ByOwner(w.patient.Private)
	reader := w.patient.Reader(2).Exchange()
	for name, err := range map[string]error{
		"another envelope's secret":           r.header.Relock(foreign, envelope.Locks{Owner: reader}),
		"a reader lock from the owner's lock": r.header.Relock(own, envelope.Locks{Owner: reader, Reader: reader, Epoch: 2}),
		"a network lock from the owner's":     r.header.Relock(own, envelope.Locks{Owner: reader, Network: w.poly[0], NetGen: 2}),
		"epoch 0":                             r.header.Rotate(1, w.patient.Reader(1), 0, reader),
		"from an epoch that has no lock":      r.header.Rotate(7, w.patient.Reader(7), 8, reader),
		"with the wrong reader key":           r.header.Rotate(1, w.patient.Reader(2), 2, reader),
		"an author lock from the owner's":     r.header.Relock(own, envelope.Locks{Owner: reader, Author: w.author}),
		"an author lock that is too long":     r.header.Relock(halves, envelope.Locks{Owner: reader, Author: longAuthor{}}),
		"no such epoch to drop":               r.header.Drop(9),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if !bytes.Equal(before, r.header.Encode()) {
		t.Error("a lock that failed changed the header")
	}
	for epoch := uint32(2); epoch <= envelope.MaxReaders; epoch++ {
		if err := r.header.Rotate(1, w.patient.Reader(1), epoch, reader); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.header.Rotate(1, w.patient.Reader(1), envelope.MaxReaders+1, reader); err == nil {
		t.Error("more reader locks than allowed")
	}
	if err := r.header.Rotate(1, w.patient.Reader(1), 5, reader); err != nil {
		t.Errorf("replacing a lock in a full list: %v", err)
	}
}

type longAuthor struct{}

func (longAuthor) Wrap([]byte, [32]byte) ([]byte, error) {
	return make([]byte, envelope.MaxAuthor+1), nil
}
func (longAuthor) Unwrap([]byte, []byte) ([32]byte, error) { return [32]byte{}, io.EOF }

func TestSealRefusesAnEnvelopeThatNobodyCouldOpen(t *testing.T) {
	w := newWorld(t)
	all := w.locks()
	for name, to := range map[string]envelope.Locks{
		"no lock":                    {},
		"a reader without a network": {Owner: all.Owner, Reader: all.Reader, Epoch: 1},
		"a network without a reader": {Owner: all.Owner, Network: all.Network, NetGen: 1},
		"an author alone":            {Author: all.Author},
		"an author, no key yet":      {Author: all.Author, NetGen: 1},
		"an author and the owner":    {Owner: all.Owner, Author: all.Author},
		"no network key yet":         {Reader: all.Reader, Epoch: 1, NetGen: 1},
		"epoch 0":                    {Reader: all.Reader, Network: all.Network, NetGen: 1},
	} {
		var blob bytes.Buffer
		if _, err := envelope.Seal(&blob, strings.NewReader(allergy), w.context(true), to); err == nil || blob.Len() > 0 {
			t.Errorf("%s: error %v, %d bytes written", name, err, blob.Len())
		}
	}
}

func TestErrorsOfReaderAndWriterComeThrough(t *testing.T) {
	w := newWorld(t)
	broken := errors.New("broken pipe")
	for _, compressed := range []bool{false, true} {
		src := io.MultiReader(strings.NewReader("x"), failing{broken})
		if _, err := envelope.Seal(io.Discard, src, w.context(compressed), w.locks()); !errors.Is(err, broken) {
			t.Errorf("source: error %v", err)
		}
		if _, err := envelope.Seal(failing{broken}, strings.NewReader("x"), w.context(compressed), w.locks()); !errors.Is(err, broken) {
			t.Errorf("destination: error %v", err)
		}
		r := w.seal(allergy, compressed)
		s, _ := r.header.ByOwner(w.patient.Private)
		for _, n := range []int{10, len(r.blob)} {
			c, err := r.header.Open(s, io.MultiReader(bytes.NewReader(r.blob[:n]), failing{broken}), limit)
			if err == nil {
				_, err = io.ReadAll(c)
			}
			if !errors.Is(err, broken) {
				t.Errorf("blob after %d bytes: error %v", n, err)
			}
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error)  { return 0, f.err }
func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestSealingAndOpeningUseBoundedMemory(t *testing.T) {
	w := newWorld(t)
	const size, bound = 64 << 20, 4 << 20
	for _, compressed := range []bool{false, true} {
		var h *envelope.Header
		var s *envelope.Secret
		blob := bytes.NewBuffer(make([]byte, 0, size+size/8))
		if n := allocated(func() {
			var err error
			if h, err = envelope.Seal(blob, io.LimitReader(pattern{}, size), w.context(compressed), w.locks()); err != nil {
				t.Fatal(err)
			}
		}); n > bound {
			t.Errorf("compressed %v: sealing %d bytes allocated %d", compressed, size, n)
		}
		s, _ = h.ByOwner(w.patient.Private)
		if n := allocated(func() {
			c, err := h.Open(s, bytes.NewReader(blob.Bytes()), size)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, c); n != size || err != nil {
				t.Errorf("compressed %v: read %d bytes, error %v", compressed, n, err)
			}
		}); n > bound {
			t.Errorf("compressed %v: opening %d bytes allocated %d", compressed, size, n)
		}
	}
}

func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

type pattern struct{}

func (pattern) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(i * i)
	}
	return len(p), nil
}

func TestASecretDoesNotPrint(t *testing.T) {
	w := newWorld(t)
	r := random()
	h := w.craft(w.context(false), r, []byte{0x80}).header
	s, err := h.ByOwner(w.patient.Private)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", s)
	out := log.String() + fmt.Sprintf("%v %+v %#v %s %x %d %d", s, s, s, s, s, s, *s)
	for _, form := range []string{fmt.Sprintf("%x", r[:4]), fmt.Sprint(r[:4])[1:8], string(r[:4])} {
		if strings.Contains(out, form) {
			t.Errorf("printed the secret: %q", out)
		}
	}
}

func TestHeadersAreDecodedStrictly(t *testing.T) {
	w := newWorld(t)
	r := w.seal(allergy, true)
	r.header.Rotate(1, w.patient.Reader(1), 2, w.patient.Reader(2).Exchange())
	good := r.header.Encode()
	if h, err := envelope.DecodeHeader(good); err != nil || !bytes.Equal(h.Encode(), good) || r.check(h) != nil {
		t.Fatalf("a good header: error %v", err)
	}
	const padded, owner, readers = 1 + 32 + 32 + 32 + 16 + 8 + 1 + 32, 1 + 32 + 32 + 32 + 16 + 8 + 1 + 32 + 8 + 32, 1 + 32 + 32 + 32 + 16 + 8 + 1 + 32 + 8 + 32 + 1 + key.SealOverhead + 32
	const network = readers + 1 + 2*(4+key.SealOverhead+32)
	change := func(at int, b ...byte) []byte {
		out := bytes.Clone(good)
		copy(out[at:], b)
		return out
	}
	for name, b := range map[string][]byte{
		"nothing":                nil,
		"another version":        change(0, 2),
		"compression flag 2":     change(padded-33, 2),
		"padded length 0":        change(padded, 0, 0, 0, 0, 0, 0, 0, 0),
		"padded length not ours": change(padded, 0, 0, 0, 0, 0, 1, 0, 1),
		"padded length too long": change(padded, 0xff, 0, 0, 0, 0, 0, 0, 0),
		"owner flag 3":           change(owner, 3),
		"no owner, shifted":      change(owner, 0),
		"nine readers":           change(readers, 9),
		"epoch 0":                change(readers+1, 0, 0, 0, 0),
		"epochs out of order":    change(readers+1, 0, 0, 0, 2),
		"no network lock":        append(change(network, 0, 0, 0, 0)[:network+4], good[len(good)-64:]...),
		"author, no network":     slices.Concat(good[:readers], make([]byte, 1+4), good[len(good)-64:]),
		"trailing byte":          append(bytes.Clone(good), 0),
		"too long":               append(bytes.Clone(good), make([]byte, envelope.MaxHeader)...),
	} {
		if _, err := envelope.DecodeHeader(b); err == nil {
			t.Errorf("%s: decoded", name)
		}
	}
	for n := range good {
		if _, err := envelope.DecodeHeader(good[:n]); err == nil {
			t.Fatalf("decoded %d of %d bytes", n, len(good))
		}
	}
}

func FuzzDecodeHeader(f *testing.F) {
	w := newWorld(f)
	f.Add(w.seal(allergy, true).header.Encode())
	h, _ := envelope.Seal(io.Discard, strings.NewReader("x"), w.context(false), envelope.Locks{Owner: w.patient.Private.Exchange()})
	f.Add(h.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := envelope.DecodeHeader(b)
		if err == nil && !bytes.Equal(h.Encode(), b) {
			t.Errorf("%x encodes again to %x", b, h.Encode())
		}
	})
}

// FuzzOpen feeds any plaintext, padding included, that a writer may have sealed: it never panics, and what opens has one form.
func FuzzOpen(f *testing.F) {
	w := newWorld(f)
	f.Add([]byte{0x80}, false)
	f.Add([]byte("a\x80\x00"), false)
	f.Add([]byte("\x4b\x04\x00\x80"), true)
	f.Fuzz(func(t *testing.T, plaintext []byte, compressed bool) {
		if len(plaintext) == 0 || len(plaintext) > envelope.ChunkSize {
			return
		}
		w.TB = t
		r := w.craft(w.context(compressed), wire.Hash{1}, plaintext)
		got, err := w.byOwner(r)
		if err == nil && !compressed && !bytes.Equal(append(bytes.Clone(got), 0x80), bytes.TrimRight(plaintext, "\x00")) {
			t.Errorf("%x opened to %x", plaintext, got)
		}
	})
}
