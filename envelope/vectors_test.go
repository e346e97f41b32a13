package envelope_test

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"testing"

	"vitalog/envelope"
	"vitalog/key"
	"vitalog/threshold"
	"vitalog/wire"
)

// unhex is bytes in a vector file.
type unhex []byte

func (u *unhex) UnmarshalText(b []byte) (err error) {
	*u, err = hex.DecodeString(string(b))
	return err
}

type vectors struct {
	Keys              struct{ OwnerSeed, ReaderSeed, AuthorKey, NetworkPublic, NetworkShare1of1 unhex }
	Epoch, Generation uint32
	Envelopes         []struct {
		Network, Log, Writer, Salt           unhex
		Created                              uint64
		Compressed                           bool
		Content                              string
		Header, Blob                         unhex
		RID, CTX, Com, Core, BlobHash        unhex
		Padded                               uint64
		ReleaseID, Combined, Secret, A, B, R unhex
	}
	Padme  [][2]uint64
	Chunks struct {
		R                       unhex
		Length, Modulus, Padded int
		BlobHash                unhex
	}
}

func readVectors(t *testing.T) (v vectors) {
	raw, err := os.ReadFile("../spec/testdata/envelope.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVectorsOpenByEachLock(t *testing.T) {
	v := readVectors(t)
	owner, reader := key.NewDecapsulating([32]byte(v.Keys.OwnerSeed)), key.NewDecapsulating([32]byte(v.Keys.ReaderSeed))
	share := threshold.Scalar(v.Keys.NetworkShare1of1)
	for _, e := range v.Envelopes {
		h, err := envelope.DecodeHeader(e.Header)
		if err != nil {
			t.Fatal(err)
		}
		want := envelope.Context{Network: key.Network(e.Network), Log: key.Log(e.Log), Writer: key.Verifier(e.Writer), Salt: [16]byte(e.Salt), Created: e.Created, Compressed: e.Compressed}
		if h.Context != want || h.Padded != e.Padded || !bytes.Equal(h.Com[:], e.Com) || h.Blob != wire.Hash(e.BlobHash) {
			t.Errorf("got header %+v, want %+v", h.Context, want)
		}
		if ctx := ctxHash(&h.Context); !bytes.Equal(ctx[:], e.CTX) {
			t.Errorf("CTX: got %v, want %x", ctx, e.CTX)
		}
		rid := h.Record()
		if err := h.Check(want.Network, want.Log, key.Record(e.RID), want.Writer, wire.Hash(e.Core), sha256.Sum256(e.Blob)); err != nil {
			t.Error(err)
		}
		id := envelope.ReleaseID(want.Network, v.Generation, want.Log, want.Writer, rid)
		if !bytes.Equal(id[:], e.ReleaseID) {
			t.Errorf("identity: got %v, want %x", id, e.ReleaseID)
		}
		combined, err := threshold.Partial(&share, id)
		if err != nil || !bytes.Equal(combined[:], e.Combined) {
			t.Errorf("combined key: got %x, want %x, error %v", combined, e.Combined, err)
		}
		secret, err := threshold.Decapsulate(combined, h.Network.U, id)
		if err != nil || !bytes.Equal(secret[:], e.Secret) {
			t.Errorf("secret: got %x, want %x, error %v", secret, e.Secret, err)
		}
		b := h.B(secret)
		if !bytes.Equal(b[:], e.B) {
			t.Errorf("b: got %x, want %x", b, e.B)
		}
		if r, err := hkdf.Extract(sha256.New, append(bytes.Clone(e.A), e.B...), e.CTX); err != nil || !bytes.Equal(r, e.R) {
			t.Errorf("R: got %x, want %x, error %v", r, e.R, err)
		}
		byOwner, err1 := h.ByOwner(owner)
		byReader, err2 := h.ByReader(v.Epoch, reader, b)
		byAuthor, err3 := h.ByAuthor(authorFrom([32]byte(v.Keys.AuthorKey)), b)
		for i, err := range []error{err1, err2, err3} {
			if err != nil {
				t.Fatalf("lock %d: %v", i, err)
			}
		}
		for i, s := range []*envelope.Secret{byOwner, byReader, byAuthor} {
			c, err := h.Open(s, bytes.NewReader(e.Blob), limit)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(c); err != nil || string(got) != e.Content {
				t.Errorf("lock %d: got %q, want %q, error %v", i, got, e.Content, err)
			}
		}
	}
}

func TestVectorOfFourChunks(t *testing.T) {
	v := readVectors(t)
	w := newWorld(t)
	e := v.Envelopes[0]
	c := envelope.Context{Network: key.Network(e.Network), Log: key.Log(e.Log), Writer: key.Verifier(e.Writer), Salt: [16]byte(e.Salt), Created: e.Created}
	content := make([]byte, v.Chunks.Length)
	for i := range content {
		content[i] = byte(i % v.Chunks.Modulus)
	}
	blob, padded := chunked(c, [32]byte(v.Chunks.R), content)
	if sum := sha256.Sum256(blob); padded != v.Chunks.Padded || !bytes.Equal(sum[:], v.Chunks.BlobHash) {
		t.Errorf("got %d bytes, blob %x, want %d, %x", padded, sum, v.Chunks.Padded, v.Chunks.BlobHash)
	}
	h := &envelope.Header{Context: c, Com: commitment([32]byte(v.Chunks.R)), Padded: uint64(padded), Blob: wire.Hash(v.Chunks.BlobHash)}
	w.lockOwner(h, [32]byte(v.Chunks.R))
	if got, err := w.byOwner(&record{h, blob, commit(h)}); err != nil || !bytes.Equal(got, content) {
		t.Errorf("got %d bytes, error %v", len(got), err)
	}
}

func TestVectorsOfPadding(t *testing.T) {
	w := newWorld(t)
	for _, p := range readVectors(t).Padme {
		if got := w.padded(int(p[0]) - 1); got != p[1] { // the mark is one byte
			t.Errorf("%d bytes are padded to %d, want %d", p[0], got, p[1])
		}
	}
}
