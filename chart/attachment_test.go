package chart_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"testing"
	"testing/iotest"

	"vitalog/chart"
	"vitalog/envelope"
	"vitalog/wire"
)

// scan is size bytes of which byte i is i mod 251.
func scan(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i % 251)
	}
	return b
}

func imaging() chart.Content {
	return chart.Content{Author: sample().Author, Created: 1772357400000, Items: []chart.Item{{Type: "Binary", ID: "ct1", Status: chart.Active,
		Raw: []byte(`{"resourceType":"Binary","contentType":"application/dicom","securityContext":{"reference":"Patient/p"}}`)}}}
}

// attach is the padded plaintext of an attachment.
func attach(t testing.TB, content io.Reader) []byte {
	t.Helper()
	plain, err := io.ReadAll(chart.Attach(content, imaging(), hospital, rid))
	if err != nil {
		t.Fatal(err)
	}
	return append(plain, 0x80)
}

func readBack(plain []byte) (*chart.Attachment, error) {
	a, err := chart.ReadAttachment(bytes.NewReader(plain), int64(len(plain)))
	if err == nil {
		err = a.Verify(rid)
	}
	return a, err
}

func TestAnAttachmentHasTheBytesOfTheSpecification(t *testing.T) {
	raw, err := os.ReadFile("../spec/testdata/attachment.json")
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Seed, Record, Manifest, Plaintext string
		Size, Fill                        int
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	plain := attach(t, bytes.NewReader(scan(v.Size)))
	a, err := readBack(plain)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := a.Encode()
	if err != nil {
		t.Fatal(err)
	}
	fill := len(plain) - 1 - v.Size - len(manifest) - 5
	if sum := wire.Hash(sha256.Sum256(plain)); hex.EncodeToString(manifest) != v.Manifest || fill != v.Fill || sum.String() != v.Plaintext {
		t.Errorf("got manifest %x\nfill %d, plaintext %v; want %s\n%d, %s", manifest, fill, sum, v.Manifest, v.Fill, v.Plaintext)
	}
	if chart.IsAttachment(encode(t, sample(), hospital)[0]) || !chart.IsAttachment(plain[0]) {
		t.Error("the first byte doesn't tell an attachment from a content")
	}
}

func TestAttachmentsOfAnySizeComeBack(t *testing.T) {
	for _, size := range []int{1, 2, 1000, chart.SumSize - 1, chart.SumSize, chart.SumSize + 1, 3*chart.SumSize + 5} {
		want := scan(size)
		plain := attach(t, iotest.HalfReader(bytes.NewReader(want)))
		if n := uint64(len(plain)); envelope.Padded(n-1) != n {
			t.Errorf("%d bytes: the plaintext has %d, which would be padded to %d", size, n, envelope.Padded(n-1))
		}
		a, err := readBack(plain)
		if err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		b := a.Bytes(bytes.NewReader(plain))
		if err := iotest.TestReader(b, want); err != nil {
			t.Errorf("%d bytes: %v", size, err)
		}
		if b.Size() != int64(size) || a.Items[0].ID != "ct1" || a.Author.Member != "St. Elena" {
			t.Errorf("got %d bytes, %+v", b.Size(), a.Content)
		}
	}
}

func TestSumsThatArePutDownAndTakenUpAreTheSame(t *testing.T) {
	for _, size := range []int{1, chart.SumSize, 2*chart.SumSize + 5} {
		want := attach(t, bytes.NewReader(scan(size)))
		s := new(chart.Summing)
		for rest := scan(size); len(rest) > 0; {
			state, err := s.State()
			if err != nil {
				t.Fatal(err)
			}
			if s, err = chart.ResumeSumming(state); err != nil {
				t.Fatal(err)
			}
			part := rest[:min(len(rest), 300_000)]
			if _, err := s.Write(part); err != nil {
				t.Fatal(err)
			}
			rest = rest[len(part):]
		}
		if s.Size() != int64(size) {
			t.Errorf("got %d bytes, want %d", s.Size(), size)
		}
		_, tail, err := s.Tail(imaging(), hospital, rid)
		if err != nil {
			t.Fatal(err)
		}
		end, err := io.ReadAll(tail)
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.Concat(chart.AttachmentHead(), scan(size), end, []byte{0x80}); !bytes.Equal(got, want) {
			t.Errorf("%d bytes: another plaintext than in one pass", size)
		}
	}
}

func TestARangeHasOnlyBytesThatTheAuthorSigned(t *testing.T) {
	const size = 3*chart.SumSize + 500
	plain := attach(t, bytes.NewReader(scan(size)))
	a, err := readBack(plain)
	if err != nil {
		t.Fatal(err)
	}
	plain[1+chart.SumSize+17] ^= 1 // as whoever has the record's key could make a chunk
	b := a.Bytes(bytes.NewReader(plain))
	for at := int64(0); at < size; at += 1000 {
		one := make([]byte, 1)
		_, err := b.ReadAt(one, at)
		if bad := at/chart.SumSize == 1; bad != errors.Is(err, chart.ErrSum) || !bad && one[0] != byte(at%251) {
			t.Fatalf("byte %d: %v", at, err)
		}
	}
	other := imaging()
	other.Items[0].ID = "ct2"
	swapped, err := io.ReadAll(chart.Attach(bytes.NewReader(scan(size)), other, lab, rid))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := readBack(append(swapped, 0x80)); err != nil {
		t.Error(err)
	}
	a.Sums[1][0] ^= 1
	if err := a.Verify(rid); !errors.Is(err, chart.ErrSignature) {
		t.Errorf("another sum: got %v, want %v", err, chart.ErrSignature)
	}
}

func TestAnAttachmentThatTheSpecificationForbidsIsRefused(t *testing.T) {
	refuse := func(name string, c chart.Content, src io.Reader) {
		if _, err := io.ReadAll(chart.Attach(src, c, hospital, rid)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	refuse("no bytes", imaging(), bytes.NewReader(nil))
	c := imaging()
	c.Items[0].Raw = []byte(`{"resourceType":"Binary","contentType":"image/png","data":"AAAA"}`)
	refuse("data of its own", c, bytes.NewReader(scan(9)))
	c = imaging()
	c.Items = slices.Concat(c.Items, sample().Items)
	refuse("two items", c, bytes.NewReader(scan(9)))
	c = imaging()
	c.Items[0].Type, c.Items[0].Raw = "Media", []byte(`{"resourceType":"Media"}`)
	refuse("no Binary", c, bytes.NewReader(scan(9)))
	broken := errors.New("the line is cut")
	if _, err := io.ReadAll(chart.Attach(iotest.ErrReader(broken), imaging(), hospital, rid)); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
	plain := attach(t, bytes.NewReader(scan(1000)))
	longer := slices.Concat(plain[:1001], make([]byte, len(plain)), plain[1001:])
	for name, p := range map[string][]byte{"cut off": plain[:len(plain)-2], "too much fill": longer, "empty": nil, "short": {2, 0, 0, 0, 0, 0x80}} {
		if _, err := readBack(p); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzDecodeManifest(f *testing.F) {
	plain := attach(f, bytes.NewReader(scan(1000)))
	a, err := readBack(plain)
	if err != nil {
		f.Fatal(err)
	}
	manifest, err := a.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(manifest)
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := chart.DecodeManifest(b)
		if err != nil {
			return
		}
		again, err := a.Encode()
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("%x encodes to %x, %v", b, again, err)
		}
	})
}
