package grant

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"

	"vitalog/consent"
	"vitalog/key"
	"vitalog/op"
	"vitalog/section"
	"vitalog/wire"
)

// seal pads, so that the length of a name or a reason doesn't show: length(4) ‖ plaintext ‖ zeros.
func seal(to *key.Exchange, info string, aad, plaintext []byte) ([]byte, error) {
	var w wire.Writer
	w.Bytes(plaintext)
	w.Fixed(make([]byte, padding(len(plaintext))))
	if n := len(w.Done()) + key.SealOverhead; n > op.MaxSealed {
		return nil, fmt.Errorf("sealed message of %d bytes, at most %d: %w", n, op.MaxSealed, wire.ErrOversized)
	}
	return to.Seal(info, aad, w.Done())
}

func open(o key.Opener, info string, aad, sealed []byte) ([]byte, error) {
	if len(sealed) > op.MaxSealed {
		return nil, fmt.Errorf("sealed message of %d bytes, at most %d: %w", len(sealed), op.MaxSealed, wire.ErrOversized)
	}
	padded, err := o.Open(info, aad, sealed)
	if err != nil {
		return nil, err
	}
	r := wire.NewReader(padded)
	out := r.Bytes(op.MaxSealed)
	for _, x := range r.Take(padding(len(out))) {
		if x != 0 {
			r.Fail(fmt.Errorf("padding: %w", wire.ErrNonCanonical))
		}
	}
	return out, r.End()
}

func padding(n int) int { return (padTo - (4+n)%padTo) % padTo }

func blobHash(b []byte) wire.Hash { return sha256.Sum256(b) }

func concat(parts ...[]byte) []byte { return slices.Concat(parts...) }

func readVersion(r *wire.Reader) {
	if v := r.U8(); r.Err() == nil && v != Version {
		r.Fail(fmt.Errorf("format version %d, this program reads %d: use a newer program", v, Version))
	}
}

func readSection(r *wire.Reader) section.Section {
	s := section.Section(r.U8())
	if r.Err() == nil && !slices.Contains(section.All(), s) {
		r.Fail(fmt.Errorf("section %d is not known: %w", uint8(s), wire.ErrNonCanonical))
	}
	return s
}

// ValidPurpose tells whether code has the form of a v3-ActReason code. Which codes a network uses is not decided here.
func ValidPurpose(code string) bool {
	for _, c := range []byte(code) {
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return len(code) > 0 && len(code) <= MaxPurpose
}

func readPurpose(r *wire.Reader) string {
	p := string(r.Bytes(MaxPurpose))
	if r.Err() == nil && !ValidPurpose(p) {
		r.Fail(fmt.Errorf("purpose of use of %d bytes: %w", len(p), wire.ErrNonCanonical))
	}
	return p
}

// readLine reads one line of text.
func readLine(r *wire.Reader, limit int) string { return readText(r, limit, false) }

// readLines reads text that may have several lines.
func readLines(r *wire.Reader, limit int) string { return readText(r, limit, true) }

func readText(r *wire.Reader, limit int, lines bool) string {
	s := string(r.Bytes(limit))
	if r.Err() == nil && !utf8.ValidString(s) {
		r.Fail(fmt.Errorf("text is not UTF-8: %w", wire.ErrNonCanonical))
	}
	for _, c := range s {
		// Bidirectional overrides would let a name or a reason read otherwise than it is written.
		if unicode.IsControl(c) && !(lines && c == '\n') || unicode.Is(unicode.Bidi_Control, c) {
			r.Fail(fmt.Errorf("control character %U in text: %w", c, wire.ErrNonCanonical))
			return ""
		}
	}
	return s
}

func appendTerms(w *wire.Writer, t *consent.Terms) {
	w.Fixed(t.Key[:])
	w.U8(uint8(t.Rights))
	w.U8(uint8(len(t.Ranges)))
	for _, x := range t.Ranges {
		w.U64(x.From)
		w.U64(x.To)
	}
	w.U64(t.From)
	w.U64(t.Until)
	w.U32(t.Uses)
	w.U64(t.Parent)
}

// readTerms holds terms to the rules of the grant operation.
func readTerms(r *wire.Reader, t *consent.Terms) {
	r.Fixed(t.Key[:])
	t.Rights = readRights(r)
	n := int(r.U8())
	if r.Err() == nil && n > op.MaxRanges {
		r.Fail(fmt.Errorf("%d ranges, at most %d: %w", n, op.MaxRanges, wire.ErrOversized))
		return
	}
	for range n {
		t.Ranges = append(t.Ranges, consent.Range{From: r.U64(), To: r.U64()})
	}
	t.From, t.Until = r.U64(), r.U64()
	t.Uses, t.Parent = r.U32(), r.U64()
	if r.Err() != nil {
		return
	}
	if !consent.Ordered(t.Ranges) {
		r.Fail(fmt.Errorf("ranges are empty, out of order or touch: %w", wire.ErrNonCanonical))
	}
	if t.Until != 0 && t.Until <= t.From {
		r.Fail(fmt.Errorf("a period that ends before it begins: %w", wire.ErrNonCanonical))
	}
	if (t.Rights&consent.Read != 0) != (len(t.Ranges) > 0) {
		r.Fail(fmt.Errorf("entry ranges without the right to read, or the reverse: %w", wire.ErrNonCanonical))
	}
}

func readRights(r *wire.Reader) consent.Rights {
	x := consent.Rights(r.U8())
	if r.Err() == nil && (x == 0 || x&^consent.AllRights != 0) {
		r.Fail(fmt.Errorf("rights %#x: %w", uint8(x), wire.ErrNonCanonical))
	}
	return x
}

// memberKey is the long-term key of member number n.
func memberKey(g *op.Genesis, n uint16) (key.Verifier, error) {
	if int(n) >= len(g.Members) {
		return key.Verifier{}, fmt.Errorf("member %d of %d", n, len(g.Members))
	}
	return g.Members[n].Sign, nil
}
