package home_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"vitalog/exchange"
	"vitalog/home"
	"vitalog/internal/testnet"
	"vitalog/key"
	"vitalog/wire"
)

// One member alone is enough for what the service itself promises.
func TestTheServiceStoresServesAndBoundsWhatStrangersPut(t *testing.T) {
	net := testnet.Start(t, 1, 0)
	n := net.Nodes[0]
	ctx := context.Background()
	c := home.Dial(n.Config.URL(), n.Genesis, 0, http.DefaultClient)
	h, err := c.PutBlob(ctx, []byte("sealed"))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := c.Blob(ctx, h); err != nil || string(b) != "sealed" {
		t.Errorf("got %q, %v", b, err)
	}
	if _, err := c.Blob(ctx, wire.Hash{1}); !errors.Is(err, exchange.ErrNotShared) {
		t.Errorf("a blob that nobody has: %v", err)
	}
	if _, err := c.Head(ctx, key.Log{1}); !errors.Is(err, exchange.ErrNotShared) {
		t.Errorf("a log that nobody has: %v", err)
	}
	if _, err := c.Receipt(ctx, key.Log{1}, 0); !errors.Is(err, exchange.ErrNotShared) {
		t.Errorf("a receipt of a log that nobody has: %v", err)
	}
	for _, bad := range [][]exchange.Ordered{nil, {{Log: key.Log{2}}, {Log: key.Log{1}}}, make([]exchange.Ordered, exchange.MaxOrders+1)} {
		if _, err := c.Certificate(ctx, bad...); err == nil || errors.Is(err, exchange.ErrNotShared) {
			t.Errorf("a certificate of %d orders, none or out of order: %v", len(bad), err)
		}
	}
	if _, err := c.Certificate(ctx, exchange.Ordered{Log: key.Log{1}}); !errors.Is(err, exchange.ErrNotShared) {
		t.Errorf("a certificate of a log that nobody has: %v", err)
	}

	// What nobody has is empty, in its place; a call names at least one and at most 256.
	many := func(call string, before, count int, also ...byte) (int, string) {
		body := append(binary.BigEndian.AppendUint32(make([]byte, before), uint32(count)), also...)
		resp, err := http.Post(n.Config.URL()+"/app/v1/"+call, "application/octet-stream", bytes.NewReader(append(body, make([]byte, count*32-len(also))...)))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		got, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(got)
	}
	if code, got := many("records", 32, 2); code != http.StatusOK || got != "\x00\x00\x00\x02"+strings.Repeat("\x00", 16) {
		t.Errorf("records that nobody has: %d, %x", code, got)
	}
	if code, got := many("blobs", 0, 2, h[:]...); code != http.StatusOK || got != "\x00\x00\x00\x02\x00\x00\x00\x06sealed\x00\x00\x00\x00" {
		t.Errorf("a blob that is there, and one that isn't: %d, %q", code, got)
	}
	for call, before := range map[string]int{"records": 32, "blobs": 0} {
		for _, count := range []int{0, 257} {
			if code, got := many(call, before, count); code < 400 || code >= 500 {
				t.Errorf("%d of %s: %d, %x", count, call, code, got)
			}
		}
	}

	// Introductions are for anybody, for any log, and leave nothing behind.
	for i := range 50 {
		if _, err := c.Introduce(ctx, 0, key.Log{2, byte(i)}, "TREAT"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Introduce(ctx, 0, key.Log{2}, "CURIOSITY"); !errors.Is(err, exchange.ErrInvalid) {
		t.Errorf("an unknown purpose: %v", err)
	}

	// What is asked of a member that isn't there, or doesn't read, is refused before anybody is asked.
	for name, ask := range map[string]func(context.Context, int, []byte) ([]byte, error){"claim": c.Claim, "owner locks": c.OwnerLocks} {
		if _, err := ask(ctx, 7, []byte("sealed")); !errors.Is(err, exchange.ErrNotShared) {
			t.Errorf("%s of a member that isn't there: %v", name, err)
		}
		if _, err := ask(ctx, 0, []byte("noise")); !errors.Is(err, exchange.ErrInvalid) {
			t.Errorf("%s that doesn't read: %v", name, err)
		}
	}

	t.Run("health links", func(t *testing.T) { keepsLinks(t, n) })

	// More than a minute's bytes, even if a minute begins meanwhile.
	large := make([]byte, 60<<20)
	for i := range 10 {
		h, err = c.PutBlob(ctx, large)
		if err != nil {
			if i == 0 {
				t.Errorf("nothing large is taken: %v", err)
			}
			break
		}
		if h != wire.Hash(sha256.Sum256(large)) {
			t.Fatal("stored under another name")
		}
	}
	if !errors.Is(err, home.ErrBusy) {
		t.Errorf("600 MB within seconds: got %v, want %v", err, home.ErrBusy)
	}
}
