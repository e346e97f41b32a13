package envelope_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"vitalog/envelope"
	"vitalog/key"
	"vitalog/threshold"
	"vitalog/wire"
)

// world is a patient, a writer, a reader with a grant of epoch 1, and four members of whom three release.
type world struct {
	testing.TB
	network key.Network
	patient *key.SectionKeys
	log     key.Log
	writer  *key.Signing
	author  *author
	poly    []threshold.Point2
	shares  []threshold.Scalar
}

const k = 3

func newWorld(t testing.TB) *world {
	w := &world{TB: t, network: key.Network(wire.Sum("test", []byte("network"))), patient: key.NewRoot().Section(5), author: newAuthor()}
	w.log = w.patient.Log(w.network)
	w.writer = key.NewSigning(random())
	p := threshold.NewPolynomial(k)
	w.poly = p.Commitments()
	for x := range uint16(4) {
		w.shares = append(w.shares, p.Share(x+1))
	}
	return w
}

func random() (b [32]byte) { rand.Read(b[:]); return b }

func (w *world) context(compressed bool) envelope.Context {
	return envelope.NewContext(w.network, w.log, w.writer.Public(), 1_790_000_000_000, compressed)
}

func (w *world) locks() envelope.Locks {
	return envelope.Locks{Owner: w.patient.Private.Exchange(), Reader: w.patient.Reader(1).Exchange(), Epoch: 1, Network: w.poly[0], NetGen: 1, Author: w.author}
}

// record is an envelope and what the ledger committed of it.
type record struct {
	header *envelope.Header
	blob   []byte
	committed
}

type committed struct {
	network    key.Network
	log        key.Log
	rid        key.Record
	writer     key.Verifier
	core, blob wire.Hash
}

func (w *world) seal(content string, compressed bool) *record {
	w.Helper()
	var blob bytes.Buffer
	h, err := envelope.Seal(&blob, strings.NewReader(content), w.context(compressed), w.locks())
	if err != nil {
		w.Fatal(err)
	}
	return &record{h, blob.Bytes(), commit(h)}
}

func commit(h *envelope.Header) committed {
	return committed{h.Context.Network, h.Log, h.Record(), h.Writer, h.Core(), h.Blob}
}

func (c *committed) check(h *envelope.Header) error {
	return h.Check(c.network, c.log, c.rid, c.writer, c.core, c.blob)
}

// release is what members do for what their ledger committed, whatever the reader's header says.
func (w *world) release(c committed, u threshold.Point2, members ...int) (secret [32]byte, err error) {
	id := envelope.ReleaseID(c.network, 1, c.log, c.writer, c.rid)
	var parts []threshold.Part
	for _, m := range members {
		p, err := threshold.Partial(&w.shares[m], id)
		if err != nil {
			return secret, err
		}
		parts = append(parts, threshold.Part{X: uint16(m + 1), P: p})
	}
	combined, err := threshold.Combine(parts)
	if err != nil {
		return secret, err
	}
	return threshold.Decapsulate(combined, u, id)
}

// byGrant opens r as a grantee with the reader key of epoch 1 does, with the members' release.
func (w *world) byGrant(r *record, members ...int) ([]byte, error) {
	secret, err := w.release(r.committed, r.header.Network.U, members...)
	if err != nil {
		return nil, err
	}
	s, err := r.header.ByReader(1, w.patient.Reader(1), r.header.B(secret))
	if err != nil {
		return nil, err
	}
	return read(r.header, s, r.blob)
}

func (w *world) byOwner(r *record) ([]byte, error) {
	s, err := r.header.ByOwner(w.patient.Private)
	if err != nil {
		return nil, err
	}
	return read(r.header, s, r.blob)
}

// byAuthor opens r as its author does, with the members' release.
func (w *world) byAuthor(r *record, members ...int) ([]byte, error) {
	secret, err := w.release(r.committed, r.header.Network.U, members...)
	if err != nil {
		return nil, err
	}
	s, err := r.header.ByAuthor(w.author, r.header.B(secret))
	if err != nil {
		return nil, err
	}
	return read(r.header, s, r.blob)
}

const limit = 1 << 20

func read(h *envelope.Header, s *envelope.Secret, blob []byte) ([]byte, error) {
	c, err := h.Open(s, bytes.NewReader(blob), limit)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(c)
}

// author is a member's own key, as its keyring uses it.
type author struct{ aead cipher.AEAD }

func newAuthor() *author { return authorFrom(random()) }

func authorFrom(k [32]byte) *author {
	block, _ := aes.NewCipher(k[:])
	aead, _ := cipher.NewGCMWithRandomNonce(block)
	return &author{aead}
}

func (a *author) Wrap(context []byte, secret [32]byte) ([]byte, error) {
	return a.aead.Seal(nil, nil, secret[:], context), nil
}

func (a *author) Unwrap(context, sealed []byte) ([32]byte, error) {
	b, err := a.aead.Open(nil, nil, sealed, context)
	if err != nil || len(b) != 32 {
		return [32]byte{}, errors.New("not wrapped by this author in this context")
	}
	return [32]byte(b), nil
}

// What follows is written after spec/envelope.md, for envelopes that Seal would not make.

func ctxHash(c *envelope.Context) wire.Hash {
	rid, deflate := c.Record(), []byte{0}
	if c.Compressed {
		deflate[0] = 1
	}
	return wire.Sum("vitalog/v1/ctx", c.Network[:], c.Log[:], rid[:], c.Writer[:], c.Salt[:], wire.U64(c.Created), deflate)
}

func expand(r [32]byte, label string) [32]byte {
	b, err := hkdf.Expand(sha256.New, r[:], label, 32)
	if err != nil {
		panic(err)
	}
	return [32]byte(b)
}

func commitment(r [32]byte) wire.Hash { return expand(r, "vitalog/v1/envelope/commit") }

func contentCipher(r [32]byte) cipher.AEAD {
	k := expand(r, "vitalog/v1/envelope/content")
	block, _ := aes.NewCipher(k[:])
	aead, _ := cipher.NewGCM(block)
	return aead
}

func lockAAD(h *envelope.Header, kind byte, epoch uint32) []byte {
	ctx := ctxHash(&h.Context)
	return binary.BigEndian.AppendUint32(append(append(ctx[:], h.Com[:]...), kind), epoch)
}

// craft makes the header and blob of one chunk with plaintext, padding included, under r, locked for the owner.
func (w *world) craft(c envelope.Context, r [32]byte, plaintext []byte) *record {
	w.Helper()
	ctx := ctxHash(&c)
	blob := contentCipher(r).Seal(nil, append(make([]byte, 11), 1), plaintext, ctx[:])
	h := &envelope.Header{Context: c, Com: commitment(r), Padded: uint64(len(plaintext)), Blob: sha256.Sum256(blob)}
	w.lockOwner(h, r)
	return &record{h, blob, commit(h)}
}

// chunked is the blob of uncompressed content under r, and its padded length.
func chunked(c envelope.Context, r [32]byte, content []byte) (blob []byte, padded int) {
	ctx, aead := ctxHash(&c), contentCipher(r)
	plain := append(content, 0x80)
	plain = append(plain, make([]byte, padTo(uint64(len(plain)))-uint64(len(plain)))...)
	for i := uint64(0); int(i*envelope.ChunkSize) < len(plain); i++ {
		rest := plain[i*envelope.ChunkSize:]
		last := byte(0)
		if len(rest) <= envelope.ChunkSize {
			last = 1
		}
		nonce := append(binary.BigEndian.AppendUint64([]byte{0, 0, 0}, i), last)
		blob = aead.Seal(blob, nonce, rest[:min(len(rest), envelope.ChunkSize)], ctx[:])
	}
	return blob, len(plain)
}

// padTo is the Padmé length, by logarithms.
func padTo(n uint64) uint64 {
	if n < 2 {
		return n
	}
	e := uint64(math.Log2(float64(n)))
	s := uint64(math.Log2(float64(e))) + 1
	if e == 0 {
		s = 0
	}
	step := uint64(1) << (e - s)
	return (n + step - 1) / step * step
}

func (w *world) lockOwner(h *envelope.Header, r [32]byte) {
	w.Helper()
	var err error
	if h.Owner, err = w.patient.Private.Exchange().Seal("vitalog/v1/lock/owner", lockAAD(h, 1, 0), r[:]); err != nil {
		w.Fatal(err)
	}
}
