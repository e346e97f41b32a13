package receipt_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"slices"
	"testing"

	"vitalog/op"
	"vitalog/receipt"
	"vitalog/wire"
)

// erasure is spec/testdata/certificate.json, written by a real network of four validators: go test ./exchange -run InNoFile -args -update. Of its two
// orders to destroy all members have said that they deleted what the first names, and some of what the second does.
type erasure struct {
	Genesis     *op.Genesis
	Certificate []byte
	Shown       []receipt.Erased
	Block       []byte // receipt of an order to block
	Record      []byte // of a record
	Stored      []byte // of what a member says that it holds
}

func loadErasure(t testing.TB) (v erasure, c *receipt.Certificate) {
	t.Helper()
	b, err := os.ReadFile("../spec/testdata/certificate.json")
	if err != nil {
		t.Fatal(err)
	}
	if err = json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	if c, err = receipt.DecodeCertificate(v.Certificate); err != nil {
		t.Fatal(err)
	}
	return v, c
}

func decoded(t testing.TB, b []byte) *receipt.Receipt {
	t.Helper()
	r, err := receipt.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTheCertificateOfTheSpecShowsWhatIsGoneAndWhoHasSaidSo(t *testing.T) {
	v, c := loadErasure(t)
	if !bytes.Equal(c.Encode(), v.Certificate) {
		t.Error("it encodes differently")
	}
	got, err := c.Verify(v.Genesis)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, v.Shown) {
		t.Errorf("got %+v, want %+v", got, v.Shown)
	}
	if !got[0].Complete() || got[1].Complete() || len(got[0].Records) != 2 || len(got[1].Records) != 1 {
		t.Errorf("shown is %+v", got)
	}
	// Without the word of one member it isn't complete, and holds.
	c.Deletions = c.Deletions[1:]
	if got, err = c.Verify(v.Genesis); err != nil || got[0].Complete() || got[0].Deleted[0] != nil || got[0].Deleted[1] == nil {
		t.Errorf("without member 0: %+v, %v", got, err)
	}
}

func TestNoByteOfACertificateCanBeChanged(t *testing.T) {
	v, c := loadErasure(t)
	for i := 0; i < len(v.Certificate); i += 5 { // each field has more bytes, but for counts, which move all that follows
		bad := slices.Clone(v.Certificate)
		bad[i] ^= 1 << (i % 8)
		if c, err := receipt.DecodeCertificate(bad); err == nil {
			if _, err := c.Verify(v.Genesis); err == nil {
				t.Errorf("verifies with byte %d of %d changed", i, len(bad))
			}
		}
		if _, err := receipt.DecodeCertificate(v.Certificate[:i]); err == nil {
			t.Errorf("decodes when cut at %d", i)
		}
	}
	if _, err := receipt.DecodeCertificate(append(slices.Clone(v.Certificate), 0)); err == nil {
		t.Error("decodes with a byte more")
	}
	first, second := c.Orders[0], c.Orders[1]
	for _, orders := range [][]receipt.Order{nil, {second, first}, {first, first, second}} {
		c.Orders = orders
		if _, err := receipt.DecodeCertificate(c.Encode()); !errors.Is(err, wire.ErrNonCanonical) {
			t.Errorf("%d orders, which are none or not ascending: %v", len(orders), err)
		}
	}
}

func TestACertificateRefusesWhatShowsNothing(t *testing.T) {
	for _, x := range []struct {
		name  string
		spoil func(v *erasure, c *receipt.Certificate)
		want  error
	}{
		{"another network", func(v *erasure, c *receipt.Certificate) { v.Genesis.Name += "!" }, receipt.ErrVote},
		{"a word older than the order", func(v *erasure, c *receipt.Certificate) { c.Orders = c.Orders[1:] }, receipt.ErrOlder},
		{"a word of who is no member", func(v *erasure, c *receipt.Certificate) { c.Deletions[0] = decoded(t, v.Record) }, receipt.ErrDeletion},
		{"what a member holds, for what it deleted", func(v *erasure, c *receipt.Certificate) { c.Deletions[0] = decoded(t, v.Stored) }, receipt.ErrDeletion},
		{"a member's word twice", func(v *erasure, c *receipt.Certificate) { c.Deletions[1] = c.Deletions[0] }, receipt.ErrDeletion},
		{"a block, for a destruction", func(v *erasure, c *receipt.Certificate) { c.Orders[0].Destroy = decoded(t, v.Block) }, receipt.ErrOrder},
		{"a block, for a destruction of nothing", func(v *erasure, c *receipt.Certificate) { c.Orders[0] = receipt.Order{Destroy: decoded(t, v.Block)} }, receipt.ErrOrder},
		{"a record, for an order", func(v *erasure, c *receipt.Certificate) { c.Orders[0].Destroy = decoded(t, v.Record) }, receipt.ErrOrder},
		{"a record left out", func(v *erasure, c *receipt.Certificate) { c.Orders[0].Records = c.Orders[0].Records[1:] }, receipt.ErrOrder},
		{"a record more", func(v *erasure, c *receipt.Certificate) {
			c.Orders[0].Records = append(c.Orders[0].Records, c.Orders[1].Records...)
		}, receipt.ErrOrder},
		{"another record", func(v *erasure, c *receipt.Certificate) {
			c.Orders[0].Records[0].Entry = c.Orders[1].Records[0].Entry
		}, receipt.ErrProof},
		{"another log", func(v *erasure, c *receipt.Certificate) { c.Orders[0].Destroy.Log[0]++ }, receipt.ErrProof},
	} {
		v, c := loadErasure(t)
		x.spoil(&v, c)
		if got, err := c.Verify(v.Genesis); !errors.Is(err, x.want) {
			t.Errorf("%s: got %+v, %v, want %v", x.name, got, err, x.want)
		}
	}
}

func FuzzDecodeCertificate(f *testing.F) {
	v, c := loadErasure(f)
	f.Add(v.Certificate)
	c.Deletions = nil
	f.Add(c.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := receipt.DecodeCertificate(b)
		if err != nil {
			return
		}
		if !bytes.Equal(c.Encode(), b) {
			t.Errorf("%x encodes as %x", b, c.Encode())
		}
		_, _ = c.Verify(v.Genesis) // may fail, may not panic
	})
}
