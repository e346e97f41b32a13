package chart

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"vitalog/envelope"
	"vitalog/key"
	"vitalog/wire"
)

// Limits of an attachment. See spec/attachment.md.
const (
	MaxAttachment = 4 << 30 // bytes
	SumSize       = 1 << 20 // bytes of which each sum is; the last has what is left

	maxManifest   = 1 << 20
	manifestTail  = 4 + 1 // its length and the envelope's mark
	attachedStart = 1     // where the bytes begin in the plaintext
)

// manifestVersion begins an attachment, and its manifest, where a content has contentVersion.
const manifestVersion = 2

// Attachment is the manifest of bytes that an envelope seals: a content of one Binary without its data, and what the author signed of the
// bytes. Its Content folds as any other does; it is verified by Attachment.Verify.
type Attachment struct {
	Content
	Size uint64      // bytes
	Sums []wire.Hash // SHA-256 of each SumSize bytes
}

// Attaching is the plaintext of an attachment while its bytes come in: io.Reader for envelope.Seal.
type Attaching struct {
	made *Attachment
	src  io.Reader
	by   key.Signer
	rid  key.Record

	sums Summing
	rest io.Reader // what comes next: at first the version, after the bytes fill and manifest
	done bool      // the bytes are over
	err  error
}

// Attach makes an attachment of all that src gives, 1 to MaxAttachment bytes, under what c says: an author and one Binary. The manifest
// follows the bytes and is signed by by for the record rid. It holds 32 bytes of memory for each MiB.
func Attach(src io.Reader, c Content, by key.Signer, rid key.Record) *Attaching {
	return &Attaching{made: &Attachment{Content: c}, src: src, by: by, rid: rid, rest: bytes.NewReader(AttachmentHead())}
}

// Read gives the plaintext; see io.Reader.
func (a *Attaching) Read(p []byte) (int, error) {
	if a.err != nil || len(p) == 0 {
		return 0, a.err
	}
	if a.rest != nil {
		n, err := a.rest.Read(p)
		if err != io.EOF || a.done {
			return n, err
		}
		a.rest = nil
	}
	n, err := a.src.Read(p)
	if _, over := a.sums.Write(p[:n]); over != nil {
		a.err = over
		return 0, over
	}
	if err == io.EOF {
		a.made, a.rest, err = a.sums.Tail(a.made.Content, a.by, a.rid)
		a.done = err == nil
	}
	a.err = err
	return n, err
}

// AttachmentHead is what stands before the bytes.
func AttachmentHead() []byte { return []byte{manifestVersion} }

// Attachment is the manifest, once Read has said io.EOF.
func (a *Attaching) Attachment() *Attachment { return a.made }

// IsAttachment tells by a plaintext's first byte whether it is an attachment's, and not a content's.
func IsAttachment(first byte) bool { return first == manifestVersion }

// ReadAttachment reads the manifest out of the plaintext of an attachment, padding included, of padded bytes. It doesn't verify the
// signature: see Verify.
func ReadAttachment(plain io.ReaderAt, padded int64) (*Attachment, error) {
	var end [manifestTail]byte
	if padded < int64(len(end)) {
		return nil, fmt.Errorf("attachment of %d bytes: %w", padded, wire.ErrTruncated)
	}
	if _, err := plain.ReadAt(end[:], padded-int64(len(end))); err != nil {
		return nil, fmt.Errorf("attachment: %w", err)
	}
	n := int64(binary.BigEndian.Uint32(end[:4]))
	if n > maxManifest || n > padded-int64(len(end))-attachedStart {
		return nil, fmt.Errorf("attachment: manifest of %d bytes: %w", n, wire.ErrOversized)
	}
	manifest := make([]byte, n)
	if _, err := plain.ReadAt(manifest, padded-int64(len(end))-n); err != nil {
		return nil, fmt.Errorf("attachment: %w", err)
	}
	a, err := DecodeManifest(manifest)
	if err != nil {
		return nil, err
	}
	if a.padded(len(manifest)) != uint64(padded) {
		return nil, fmt.Errorf("attachment of %d bytes padded to %d: %w", a.Size, padded, wire.ErrNonCanonical)
	}
	return a, nil
}

// padded is the length of the whole plaintext with a manifest of n bytes.
func (a *Attachment) padded(n int) uint64 {
	return envelope.Padded(attachedStart + a.Size + uint64(n) + 4)
}

// DecodeManifest reads a manifest alone, strictly.
func DecodeManifest(b []byte) (*Attachment, error) {
	if len(b) > maxManifest {
		return nil, fmt.Errorf("manifest of %d bytes, at most %d: %w", len(b), maxManifest, wire.ErrOversized)
	}
	r := wire.NewReader(b)
	a := &Attachment{}
	a.Content.read(r, manifestVersion)
	a.Size = r.U64()
	if r.Err() == nil && (a.Size == 0 || a.Size > MaxAttachment) {
		r.Fail(fmt.Errorf("bytes: %d, want 1 to %d: %w", a.Size, uint64(MaxAttachment), wire.ErrNonCanonical))
	}
	if r.Err() == nil {
		a.Sums = make([]wire.Hash, sums(a.Size))
		for i := range a.Sums {
			r.Fixed(a.Sums[i][:])
		}
	}
	r.Fixed(a.Signature[:])
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	return a, a.check()
}

// Encode is the manifest's only encoding.
func (a *Attachment) Encode() ([]byte, error) {
	if err := a.check(); err != nil {
		return nil, err
	}
	return a.encode(), nil
}

func (a *Attachment) encode() []byte { return append(a.unsigned(), a.Signature[:]...) }

func (a *Attachment) unsigned() []byte {
	b := binary.BigEndian.AppendUint64(a.body(manifestVersion), a.Size)
	for i := range a.Sums {
		b = append(b, a.Sums[i][:]...)
	}
	return b
}

// Verify tells whether the author signed exactly this manifest for the record rid. That the key is a member's is for the caller to check.
func (a *Attachment) Verify(rid key.Record) error {
	m := a.message(rid)
	if !a.Author.Key.Verify(m[:], a.Signature) {
		return fmt.Errorf("%v: %w", rid, ErrSignature)
	}
	return nil
}

func (a *Attachment) message(rid key.Record) wire.Hash { return provenance(rid, a.unsigned()) }

func (a *Attachment) check() error {
	if err := a.Content.check(); err != nil {
		return err
	}
	switch x := &a.Items[0]; {
	case len(a.Items) != 1 || x.Type != "Binary" || x.Status != Active:
		return fmt.Errorf("attachment: %d items, the first %v %s: want one active Binary: %w", len(a.Items), x.Status, x.Type, wire.ErrNonCanonical)
	case len(x.resource.Strings("data")) > 0:
		return fmt.Errorf("attachment: its Binary has data of its own: %w", wire.ErrNonCanonical)
	case a.Size == 0 || a.Size > MaxAttachment || uint64(len(a.Sums)) != sums(a.Size):
		return fmt.Errorf("attachment: %d sums of %d bytes: %w", len(a.Sums), a.Size, wire.ErrNonCanonical)
	}
	return nil
}

func sums(size uint64) uint64 { return (size + SumSize - 1) / SumSize }
