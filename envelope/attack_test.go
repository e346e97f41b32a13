package envelope_test

import (
	"bytes"
	"crypto/sha256"
	"io"
	"strings"
	"testing"

	"vitalog/envelope"
	"vitalog/key"
	"vitalog/threshold"
)

const secretText = "the patient's own affair"

// attack is one row of the threat model: what an adversary who can do it gets. want is a part of the error.
type attack struct {
	name, want string
	do         func(w *world) ([]byte, error)
}

func TestEveryAttackIsRejected(t *testing.T) {
	w := newWorld(t)
	for _, list := range [][]attack{substitutions, transplants, releases, reappends, locks, chunks, contents} {
		for _, a := range list {
			t.Run(a.name, func(t *testing.T) {
				w := *w
				w.TB = t
				got, err := a.do(&w)
				if err == nil {
					t.Fatalf("got %q", got)
				}
				if !strings.Contains(err.Error(), a.want) {
					t.Errorf("got error %q, want %q in it", err, a.want)
				}
				if bytes.Contains(got, []byte(secretText)) {
					t.Errorf("the content came out with error %q", err)
				}
				if strings.Contains(err.Error(), secretText) {
					t.Errorf("the content is in the error %q", err)
				}
			})
		}
	}
}

// Storage gives other bytes than those asked for.
var substitutions = []attack{
	{"swap blob", "chunk 0: ciphertext does not verify", func(w *world) ([]byte, error) {
		r, other := w.seal(secretText, false), w.seal(secretText, false)
		r.blob = other.blob
		return w.byOwner(r)
	}},
	{"other record", "envelope of rec:", func(w *world) ([]byte, error) {
		r, other := w.seal(secretText, false), w.seal(secretText, false)
		return nil, r.check(other.header)
	}},
	{"other record under this one's commitments", "envelope of blob", func(w *world) ([]byte, error) {
		r, other := w.seal(secretText, false), w.seal(secretText, false)
		other.header.Context = r.header.Context
		return nil, r.check(other.header)
	}},
	{"other commitment of the key", "the ledger has", func(w *world) ([]byte, error) {
		r := w.seal(secretText, false)
		r.header.Com = commitment(random())
		return nil, r.check(r.header)
	}},
	{"other time of creation", "the ledger has", func(w *world) ([]byte, error) {
		r := w.seal(secretText, false)
		r.header.Created++
		return nil, r.check(r.header)
	}},
	{"other compression", "the ledger has", func(w *world) ([]byte, error) {
		r := w.seal(secretText, false)
		r.header.Compressed = true
		return nil, r.check(r.header)
	}},
	{"other padded length", "the ledger has", func(w *world) ([]byte, error) {
		r := w.seal(secretText, false)
		r.header.Padded += 2
		return nil, r.check(r.header)
	}},
	{"cross-network", "envelope of net:", func(w *world) ([]byte, error) {
		r := w.seal(secretText, false)
		r.network[0]++
		return nil, r.check(r.header)
	}},
	{"cross-network with a rewritten header", "envelope of rec:", func(w *world) ([]byte, error) {
		r := w.seal(secretText, false)
		r.network[0]++
		r.header.Context.Network = r.network
		return nil, r.check(r.header)
	}},
	{"cross-network with a rewritten header and id", "the ledger has", func(w *world) ([]byte, error) {
		r := w.seal(secretText, false)
		r.network[0]++
		r.header.Context.Network = r.network
		r.rid = r.header.Record()
		return nil, r.check(r.header)
	}},
	{"cross-network by its locks", "does not open with this key", func(w *world) ([]byte, error) {
		r := w.seal(secretText, false)
		r.header.Context.Network[0]++
		return w.byOwner(r)
	}},
}

// Locks of one envelope are put on another of the same log, writer and readers.
var transplants = []attack{
	{"transplant owner lock", "owner lock: does not open", func(w *world) ([]byte, error) {
		r := w.seal(secretText, false)
		r.header.Owner = w.seal(secretText, false).header.Owner
		return w.byOwner(r)
	}},
	{"transplant reader lock", "reader lock of epoch 1: does not open", func(w *world) ([]byte, error) {
		r := w.seal(secretText, false)
		r.header.Readers = w.seal(secretText, false).header.Readers
		return w.byGrant(r, 0, 1, 2)
	}},
	{"transplant network lock", "does not fit its commitment", func(w *world) ([]byte, error) {
		r := w.seal(secretText, false)
		r.header.Network = w.seal(secretText, false).header.Network
		return w.byGrant(r, 0, 1, 2)
	}},
	{"transplant author lock", "author lock: not wrapped", func(w *world) ([]byte, error) {
		r := w.seal(secretText, false)
		r.header.Author = w.seal(secretText, false).header.Author
		return w.byAuthor(r, 0, 1, 2)
	}},
}

// A grantee lacks the grant of the epoch or the members' release.
var releases = []attack{
	{"wrong epoch", "reader lock of epoch 1: does not open", func(w *world) ([]byte, error) {
		r := w.seal(secretText, false)
		_, err := r.header.ByReader(1, w.patient.Reader(2), random())
		return nil, err
	}},
	{"an epoch that the record is not locked for", "no reader lock of epoch 2", func(w *world) ([]byte, error) {
		r := w.seal(secretText, false)
		_, err := r.header.ByReader(2, w.patient.Reader(2), random())
		return nil, err
	}},
	{"no release", "does not fit its commitment", func(w *world) ([]byte, error) {
		r := w.seal(secretText, false)
		_, err := r.header.ByReader(1, w.patient.Reader(1), [32]byte{})
		return nil, err
	}},
	{"no release, the mask itself", "does not fit its commitment", func(w *world) ([]byte, error) {
		r := w.seal(secretText, false)
		_, err := r.header.ByReader(1, w.patient.Reader(1), r.header.Network.B)
		return nil, err
	}},
	{"k-1 members", "does not fit its commitment", func(w *world) ([]byte, error) {
		return w.byGrant(w.seal(secretText, false), 0, 1)
	}},
	{"k members without a grant", "does not open with this key", func(w *world) ([]byte, error) {
		r := w.seal(secretText, false)
		secret, err := w.release(r.committed, r.header.Network.U, 0, 1, 2)
		if err != nil {
			return nil, err
		}
		_, err = r.header.ByReader(1, key.NewDecapsulating(random()), r.header.B(secret))
		return nil, err
	}},
	{"an author without a release", "does not fit its commitment", func(w *world) ([]byte, error) {
		r := w.seal(secretText, false)
		_, err := r.header.ByAuthor(w.author, [32]byte{})
		return nil, err
	}},
	{"an author with k-1 members", "does not fit its commitment", func(w *world) ([]byte, error) {
		return w.byAuthor(w.seal(secretText, false), 0, 1)
	}},
	{"k members with another author's key", "author lock: not wrapped", func(w *world) ([]byte, error) {
		r := w.seal(secretText, false)
		w.author = newAuthor()
		return w.byAuthor(r, 0, 1, 2)
	}},
	{"release for another generation", "does not fit its commitment", func(w *world) ([]byte, error) {
		r := w.seal(secretText, false)
		id := envelope.ReleaseID(w.network, 2, w.log, r.writer, r.rid)
		var parts []threshold.Part
		for x := range uint16(k) {
			p, _ := threshold.Partial(&w.shares[x], id)
			parts = append(parts, threshold.Part{X: x + 1, P: p})
		}
		combined, _ := threshold.Combine(parts)
		secret, err := threshold.Decapsulate(combined, r.header.Network.U, id)
		if err != nil {
			return nil, err
		}
		_, err = r.header.ByReader(1, w.patient.Reader(1), r.header.B(secret))
		return nil, err
	}},
}

// A reader whose release is refused, because the record is not shared with it or erased, appends the record's id, core and blob again
// under a key of its own, so that members see a record which it may read.
var reappends = []attack{
	{"a stolen or erased rid re-appended under an own key", "does not fit its commitment", func(w *world) ([]byte, error) {
		r := w.seal(secretText, false)
		r.committed.writer = key.NewSigning(random()).Public()
		return w.byGrant(r, 0, 1, 2)
	}},
	{"a stolen rid in an own log", "does not fit its commitment", func(w *world) ([]byte, error) {
		r := w.seal(secretText, false)
		r.committed.log = key.NewRoot().Section(5).Log(w.network)
		return w.byGrant(r, 0, 1, 2)
	}},
	{"a stolen header under an own rid", "does not fit its commitment", func(w *world) ([]byte, error) {
		r := w.seal(secretText, false)
		r.committed.writer = key.NewSigning(random()).Public()
		r.committed.rid = key.RecordID(w.network, w.log, r.committed.writer, r.header.Salt)
		return w.byGrant(r, 0, 1, 2)
	}},
	{"a stolen rid, as the header tells", "envelope by vk:", func(w *world) ([]byte, error) {
		r := w.seal(secretText, false)
		r.committed.writer = key.NewSigning(random()).Public()
		return nil, r.check(r.header)
	}},
	{"a stolen rid with the thief's name in the header", "envelope of rec:", func(w *world) ([]byte, error) {
		r := w.seal(secretText, false)
		r.committed.writer = key.NewSigning(random()).Public()
		r.header.Writer = r.committed.writer
		return nil, r.check(r.header)
	}},
}

// A writer, or who stores the header, makes locks that show different readers different things.
var locks = []attack{
	{"split view by the owner lock", "owner lock: the key does not fit its commitment", func(w *world) ([]byte, error) {
		r := w.seal(secretText, false)
		w.lockOwner(r.header, random())
		return w.byOwner(r)
	}},
	{"split view by the author lock", "author lock, network lock of generation 1: the key does not fit its commitment", func(w *world) ([]byte, error) {
		r := w.seal(secretText, false)
		r.header.Author, _ = w.author.Wrap(lockAAD(r.header, 4, 0), random())
		return w.byAuthor(r, 0, 1, 2)
	}},
	{"split view by the reader lock", "does not fit its commitment", func(w *world) ([]byte, error) {
		r := w.seal(secretText, false)
		a := random()
		r.header.Readers[0].Lock, _ = w.patient.Reader(1).Exchange().Seal("vitalog/v1/lock/reader", lockAAD(r.header, 2, 1), a[:])
		return w.byGrant(r, 0, 1, 2)
	}},
	{"split view by the mask", "does not fit its commitment", func(w *world) ([]byte, error) {
		r := w.seal(secretText, false)
		r.header.Network.B[31] ^= 1
		return w.byGrant(r, 0, 1, 2)
	}},
	{"two contents in one ciphertext", "owner lock: the key does not fit its commitment", func(w *world) ([]byte, error) {
		r, other := w.twoKeys("PENICILLIN SEVERE", "none known")
		w.lockOwner(r.header, other)
		return w.byOwner(r)
	}},
	{"two contents in one ciphertext, the commitment too", "the ledger has", func(w *world) ([]byte, error) {
		r, other := w.twoKeys("PENICILLIN SEVERE", "none known")
		r.header.Com = commitment(other)
		w.lockOwner(r.header, other)
		if got, err := w.byOwner(r); err != nil || !bytes.Contains(got, []byte("none known")) {
			w.Errorf("the ciphertext was to open under the other key, got %q, error %v", got, err)
		}
		return nil, r.check(r.header)
	}},
	{"invalid point", "U: not a point of the prime-order group", func(w *world) ([]byte, error) {
		r := w.seal(secretText, false)
		r.header.Network.U[95] ^= 1
		return w.byGrant(r, 0, 1, 2)
	}},
	{"identity point", "U: the identity point", func(w *world) ([]byte, error) {
		r := w.seal(secretText, false)
		r.header.Network.U = threshold.Point2{0xc0}
		return w.byGrant(r, 0, 1, 2)
	}},
	{"lock header swapped", "reader lock of epoch 2: does not open", func(w *world) ([]byte, error) {
		r := w.seal(secretText, false)
		reader := w.patient.Reader(1) // the same key for both epochs: only the lock's header tells them apart
		if err := r.header.Rotate(1, reader, 2, reader.Exchange()); err != nil {
			return nil, err
		}
		l := r.header.Readers
		l[0].Lock, l[1].Lock = l[1].Lock, l[0].Lock
		_, err := r.header.ByReader(2, reader, random())
		return nil, err
	}},
	{"owner lock as a reader lock", "reader lock of epoch 1: does not open", func(w *world) ([]byte, error) {
		r := w.seal(secretText, false)
		r.header.Readers[0].Lock = r.header.Owner
		_, err := r.header.ByReader(1, w.patient.Private, random())
		return nil, err
	}},
	{"another envelope's secret", "does not fit its commitment", func(w *world) ([]byte, error) {
		r := w.seal(secretText, false)
		s, _ := w.seal(secretText, false).header.ByOwner(w.patient.Private)
		return read(r.header, s, r.blob)
	}},
}

// The ciphertext of four chunks is cut and pasted.
var chunks = []attack{
	{"truncated within a chunk", "ciphertext does not verify", spliced(func(c [][]byte) [][]byte { c[3] = c[3][:len(c[3])-1]; return c })},
	{"truncated after a chunk", "ciphertext does not verify", spliced(func(c [][]byte) [][]byte { return c[:3] })},
	{"truncated to nothing", "ciphertext does not verify", spliced(func(c [][]byte) [][]byte { return nil })},
	{"reordered chunks", "ciphertext does not verify", spliced(func(c [][]byte) [][]byte { c[0], c[1] = c[1], c[0]; return c })},
	{"a chunk left out", "ciphertext does not verify", spliced(func(c [][]byte) [][]byte { return append(c[:1], c[2:]...) })},
	{"a chunk repeated", "ciphertext does not verify", spliced(func(c [][]byte) [][]byte { c[2] = c[1]; return c })},
	{"bytes appended", "bytes after the last chunk", spliced(func(c [][]byte) [][]byte { return append(c, []byte{0}) })},
	{"one bit of the last tag", "ciphertext does not verify", spliced(func(c [][]byte) [][]byte { c[3] = bytes.Clone(c[3]); c[3][len(c[3])-1] ^= 1; return c })},
	{"truncated with a shorter padded length", "ciphertext does not verify", func(w *world) ([]byte, error) {
		r := w.seal(string(make([]byte, 200_000)), false)
		r.header.Padded, r.blob = 2*envelope.ChunkSize, r.blob[:2*(envelope.ChunkSize+16)]
		got, err := w.byOwner(r)
		if len(got) > envelope.ChunkSize {
			w.Errorf("%d bytes came out, of which the last chunk was not the last", len(got))
		}
		return got, err
	}},
}

func spliced(cut func(chunks [][]byte) [][]byte) func(w *world) ([]byte, error) {
	return func(w *world) ([]byte, error) {
		r := w.seal(strings.Repeat("x", 200_000)+secretText, false)
		var c [][]byte
		for b := r.blob; len(b) > 0; {
			n := min(len(b), envelope.ChunkSize+16)
			c, b = append(c, b[:n:n]), b[n:]
		}
		if len(c) != 4 {
			w.Fatalf("%d chunks, want 4", len(c))
		}
		r.blob = bytes.Join(cut(c), nil)
		return w.byOwner(r)
	}
}

// A writer, who has the key, seals what Seal would not.
var contents = []attack{
	{"compression bomb", "content of more than 1048576 bytes", func(w *world) ([]byte, error) {
		var blob bytes.Buffer
		h, err := envelope.Seal(&blob, io.LimitReader(zeros{}, 64<<20), w.context(true), w.locks())
		if err != nil || blob.Len() > 1<<20 {
			w.Fatalf("64 MiB of zeros: blob of %d bytes, error %v", blob.Len(), err)
		}
		got, err := w.byOwner(&record{h, blob.Bytes(), commit(h)})
		if len(got) > limit {
			w.Errorf("%d bytes came out, limit %d", len(got), limit)
		}
		return got, err
	}},
	{"content larger than the limit", "content of more than 1048576 bytes", func(w *world) ([]byte, error) {
		return w.byOwner(w.seal(strings.Repeat("x", limit+1), false))
	}},
	{"another blob under the committed key", ", want ", func(w *world) ([]byte, error) {
		r, key := w.context(false), random()
		first, second := w.craft(r, key, []byte("high\x80")), w.craft(r, key, []byte("none\x80"))
		first.blob = second.blob
		return w.byOwner(first)
	}},
	{"no padding mark", "padding: not canonical", crafted(false, "no mark")},
	{"more padding than needed", "padding: not canonical", crafted(false, "x\x80\x00\x00\x00\x00\x00\x00")},
	{"nothing but zeros", "padding: not canonical", crafted(false, "\x00\x00\x00\x00")},
	{"a padded length that Padmé doesn't have", "padded length 9: not canonical", crafted(false, "12345678\x80")},
	{"compressed content that ends early", "unexpected EOF", crafted(true, "\x4b\x80")},
	{"bytes after the compressed content", "trailing bytes", crafted(true, "\x03\x00more\x80\x00")},
}

func crafted(compressed bool, plaintext string) func(w *world) ([]byte, error) {
	return func(w *world) ([]byte, error) {
		return w.byOwner(w.craft(w.context(compressed), random(), []byte(plaintext)))
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// twoKeys makes an envelope whose ciphertext AES-GCM accepts under two keys, with another content under each: it is committed to the
// first, the key returned is the second. The ciphertext's first block balances the two authentication sums.
func (w *world) twoKeys(first, second string) (*record, [32]byte) {
	c := w.context(false)
	ctx, nonce, size := ctxHash(&c), append(make([]byte, 11), 1), 4*16
	one := random()
	stream := func(k [32]byte) []byte { return contentCipher(k).Seal(nil, nonce, make([]byte, size), ctx[:])[:size] }
	s1 := stream(one)
	other, s2 := random(), []byte(nil)
	for s2 = stream(other); s1[size-1] != s2[size-1]; s2 = stream(other) {
		other = random() // until both plaintexts can end with the padding mark
	}
	blob := make([]byte, size)
	for i := range 16 {
		blob[16+i] = s1[16+i] ^ append([]byte(first), make([]byte, 16)...)[i]
		blob[32+i] = s2[32+i] ^ append([]byte(second), make([]byte, 16)...)[i]
	}
	blob[size-1] = s1[size-1] ^ 0x80
	tag := func(k [32]byte) block {
		return block(contentCipher(k).Seal(nil, nonce, xorBytes(blob, stream(k)), ctx[:])[size:])
	}
	factor := power(hashKey(one), size/16+1).add(power(hashKey(other), size/16+1))
	copy(blob, xorBytes(blob, slice(tag(one).add(tag(other)).mul(factor.inverse()))))
	sum := tag(one)
	if sum != tag(other) {
		w.Fatal("the tags differ")
	}
	blob = append(blob, sum[:]...)
	h := &envelope.Header{Context: c, Com: commitment(one), Padded: uint64(size), Blob: sha256.Sum256(blob)}
	w.lockOwner(h, one)
	r := &record{h, blob, commit(h)}
	if got, err := w.byOwner(r); err != nil || !bytes.Contains(got, []byte(first[:16])) {
		w.Fatalf("the ciphertext was to open under the committed key, got %q, error %v", got, err)
	}
	return r, other
}
