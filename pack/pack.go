// Package pack has the form in which ciphertext and headers lie in a cloud: immutable objects of about 8 MiB that tell only who has
// the member's storage key what is in them.
//
// It promises that a table which opens is whole and in order, and that a frame which opens is what was packed there. It refuses every other
// form of an object, and items over MaxItem.
//
//	"vitalog pack 1\n" 8f03… | frames … | sealed table | 00001f40
//
// The caller names an object by its SHA-256. See spec/packs.md.
package pack

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"

	"vitalog/key"
	"vitalog/wire"
)

// Sizes in bytes.
const (
	Target  = 8 << 20 // of an object; the last item may go beyond it
	MaxItem = 8 << 20 // of an item's plaintext
	Frame   = 64 << 10

	// Overhead of a frame.
	Overhead = 16
	// Head is what comes before the first frame: magic and salt.
	Head = len(magic) + saltSize
	// Tail is what the object ends with: the length of the sealed table.
	Tail = 4

	// MaxItems of one pack.
	MaxItems = 1 << 16

	magic    = "vitalog pack 1\n"
	saltSize = 32
	maxTable = MaxItems*(1+64+16) + 12 + Overhead
)

// Kind says what an item is. Numbers are permanent.
type Kind uint8

const (
	Blob   Kind = 1 // named by its SHA-256
	Header Kind = 2 // named by log and record
)

// Name says which item. It compares.
type Name struct {
	Kind   Kind
	Hash   wire.Hash  // of a blob
	Log    key.Log    // of a header
	Record key.Record // of a header
}

// Place is where an item lies in an object.
type Place struct {
	At   uint64 // of its first frame, from the end of the head on
	Size uint32 // of its plaintext
}

// Item is what a table says of an item.
type Item struct {
	Name
	Piece, Of uint16 // which piece of how many, from 0; 0 of 1 is a whole item
	Place
}

// Whole tells whether the item isn't a piece of something larger.
func (x *Item) Whole() bool { return x.Of == 1 }

// ErrForeign says that an object is no pack of this storage key.
var ErrForeign = errors.New("no pack of this member")

// ErrFrame says that bytes of a pack are not those that were written there.
var ErrFrame = errors.New("damaged in the pack")

// Key seals and opens a member's packs.
type Key struct {
	_    [0]func() // not comparable
	seed [32]byte
}

// NewKey makes the storage key of 32 secret bytes.
func NewKey(seed [32]byte) *Key { return &Key{seed: seed} }

// LogValue keeps the key out of logs.
func (Key) LogValue() slog.Value { return slog.StringValue("(secret)") }

// Format keeps the key out of text, whatever the verb.
func (Key) Format(f fmt.State, _ rune) { f.Write([]byte("(storage key)")) }

// cipher is that of the pack with this salt.
func (k *Key) cipher(salt [saltSize]byte) cipher.AEAD {
	derived, err := hkdf.Key(sha256.New, k.seed[:], salt[:], "vitalog/v1/pack", 32)
	if err != nil {
		panic(err) // 32 bytes are always to be had
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		panic(err) // 32 bytes are a key
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // AES has the block size of GCM
	}
	return aead
}

// nonce is that of the frame at a place, of which a pack has no second.
func nonce(at uint64) []byte { return binary.BigEndian.AppendUint64(make([]byte, 4, 12), at) }

// tableNonce is that of no frame.
var tableNonce = []byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}

// sealed is how many bytes an item takes in an object.
func sealed(size uint32) uint64 {
	frames := (uint64(size) + Frame - 1) / Frame
	return uint64(size) + frames*Overhead
}

// Sealed is how many bytes of an object an item of this size takes.
func (p Place) Sealed() uint64 { return sealed(p.Size) }

// Builder makes a pack.
type Builder struct {
	aead  cipher.AEAD
	b     []byte
	table Table
	names map[Item]bool // without their places
}

// Build begins the pack of a number. The salt is random and used once.
func (k *Key) Build(number uint64, salt [saltSize]byte) *Builder {
	b := &Builder{aead: k.cipher(salt), table: Table{Number: number, Salt: salt}, names: map[Item]bool{}}
	b.b = append(append(make([]byte, 0, Target+Target/8), magic...), salt[:]...)
	return b
}

// Add appends a whole item. One that is there already, or is too large, is an error.
func (b *Builder) Add(n Name, content []byte) error { return b.AddPiece(n, 0, 1, content) }

// AddPiece appends a piece of a blob that is cut into so many.
func (b *Builder) AddPiece(n Name, piece, of uint16, content []byte) error {
	item := Item{Name: n, Piece: piece, Of: of}
	switch {
	case !item.sound():
		return fmt.Errorf("piece %d of %d", piece, of)
	case len(content) > MaxItem:
		return fmt.Errorf("an item of %d bytes, at most %d: %w", len(content), MaxItem, wire.ErrOversized)
	case len(b.table.Items) == MaxItems:
		return fmt.Errorf("a pack of more than %d items: %w", MaxItems, wire.ErrOversized)
	case b.names[item]:
		return errors.New("an item is in the pack already")
	}
	b.names[item] = true
	item.Place = Place{At: uint64(len(b.b) - Head), Size: uint32(len(content))}
	for at := 0; at < len(content); at += Frame {
		b.b = b.aead.Seal(b.b, nonce(uint64(len(b.b))), content[at:min(at+Frame, len(content))], nil)
	}
	b.table.Items = append(b.table.Items, item)
	return nil
}

// Has tells whether the whole item is in the pack.
func (b *Builder) Has(n Name) bool { return b.names[Item{Name: n, Of: 1}] }

// Size is how many bytes the object has so far.
func (b *Builder) Size() int { return len(b.b) }

// Items is how many items the pack has so far.
func (b *Builder) Items() int { return len(b.table.Items) }

// Done ends the pack: the object, which is named by its SHA-256, and its table.
func (b *Builder) Done() (object []byte, t *Table) {
	before := len(b.b)
	head := append([]byte{}, b.b[:Head]...)
	b.b = b.aead.Seal(b.b, tableNonce, b.table.encode(), head)
	b.b = binary.BigEndian.AppendUint32(b.b, uint32(len(b.b)-before))
	return b.b, &b.table
}
