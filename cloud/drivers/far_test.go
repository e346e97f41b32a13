package drivers_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"vitalog/cloud"
	"vitalog/internal/s3"
)

// far is a cloud behind a network, of which the tests here hold whatever it speaks.
type far struct {
	network *s3.Proxy
	records string        // URL of a bucket
	absent  string        // URL of one that isn't there
	try     time.Duration // the time of one try, for software that would repeat by itself for longer
}

func (p *far) open(t testing.TB, more string, o cloud.Options) *cloud.Bucket {
	t.Helper()
	if o.Try = p.try; o.Pause == 0 {
		o.Pause, o.Longest = time.Millisecond, 20*time.Millisecond
	}
	b, err := cloud.Open(t.Context(), p.records+more, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func (p *far) objects(t *testing.T) {
	b := p.open(t, "&prefix=member/a", cloud.Options{})
	ctx := t.Context()
	big := bytes.Repeat([]byte("sealed "), 3<<20) // more than one request takes
	objects := map[string][]byte{"packs/aa/1": []byte("one"), "packs/aa-2": {}, "packs/b": big, "other": []byte("x")}
	for name, content := range objects {
		for range 2 { // again is harmless
			if err := b.Put(ctx, name, content); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, content := range objects {
		for _, r := range [][2]int64{{0, -1}, {0, 1}, {1, 2}, {2, -1}, {int64(len(content)), -1}, {int64(len(content)), 5}, {int64(len(content)) + 7, 5}, {0, 1 << 40}} {
			at := min(r[0], int64(len(content)))
			want := content[at:]
			if r[1] >= 0 {
				want = want[:min(r[1], int64(len(want)))]
			}
			if got, err := b.Get(ctx, name, r[0], r[1]); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s, %d bytes from %d on: got %d bytes, %v, want %d", name, r[1], r[0], len(got), err, len(want))
			}
		}
	}
	for prefix, want := range map[string][]string{"packs/": {"packs/aa-2 0", "packs/aa/1 3", "packs/b 22020096"}, "packs/aa": {"packs/aa-2 0", "packs/aa/1 3"}, "z": nil} {
		if got := list(t, b, prefix); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", prefix, got, want)
		}
	}
	if got, err := p.open(t, "", cloud.Options{}).Get(ctx, "member/a/packs/aa/1", 0, -1); err != nil || string(got) != "one" {
		t.Error("the prefix is not in the object's name: ", err)
	}
	for range 2 {
		if err := b.Delete(ctx, "packs/aa/1"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Get(ctx, "packs/aa/1", 0, -1); !errors.Is(err, cloud.ErrNotFound) {
		t.Errorf("a deleted object: got %v", err)
	}
	u := b.Usage()
	if u.Puts != 8 || u.Deletes != 2 || u.Retries != 0 || u.Errors != 0 || u.Up != 2*(3+1+22020096) {
		t.Errorf("usage: %+v", u)
	}
}

// pages lists more objects than one request gives.
func (p *far) pages(t *testing.T) {
	b := p.open(t, "&prefix=pages", cloud.Options{})
	var all sync.WaitGroup
	const n = 1100
	for i := range n {
		all.Go(func() {
			if err := b.Put(t.Context(), fmt.Sprintf("packs/%04d", i), []byte{1}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	got := list(t, b, "packs/")
	if len(got) != n || !slices.IsSorted(got) || got[n-1] != fmt.Sprintf("packs/%04d 1", n-1) {
		t.Errorf("listed %d objects of %d, in order: %v", len(got), n, slices.IsSorted(got))
	}
}

func (p *far) badNetwork(t *testing.T) {
	p.network.Resets.Store(30)
	p.network.Late.Store(int64(30 * time.Millisecond))
	defer p.network.Resets.Store(0)
	defer p.network.Late.Store(0)
	b := p.open(t, "&prefix=bad", cloud.Options{Tries: 12})
	acknowledged := p.putMany(t, b, 200)
	if len(acknowledged) != 200 {
		t.Errorf("%d of 200 puts were acknowledged", len(acknowledged))
	}
	if u := b.Usage(); p.network.Reset() == 0 || u.Retries == 0 && p.try == 0 || u.Puts != 200+u.Retries {
		t.Errorf("%d connections were reset; usage %+v", p.network.Reset(), u)
	} else {
		t.Logf("%d connections were reset, %d requests made again", p.network.Reset(), u.Retries)
	}
	p.network.Resets.Store(0)
	p.network.Late.Store(0)
	allThere(t, p.open(t, "&prefix=bad", cloud.Options{}), acknowledged)
}

func (p *far) awayNetwork(t *testing.T) {
	b := p.open(t, "&prefix=away", cloud.Options{Tries: 3})
	ctx := t.Context()
	if err := b.Put(ctx, "before", []byte("1")); err != nil {
		t.Fatal(err)
	}
	p.network.Away(true)
	_, got := b.Get(ctx, "before", 0, -1)
	for what, err := range map[string]error{"get": got, "put": b.Put(ctx, "meanwhile", []byte("2")), "delete": b.Delete(ctx, "before"),
		"each": b.Each(ctx, "", func(string, int64) error { return nil })} {
		if !errors.Is(err, cloud.ErrAway) || errors.Is(err, cloud.ErrNotFound) || !strings.Contains(err.Error(), "tried 3 times") {
			t.Errorf("%s: got %v", what, err)
		}
	}
	if found := b.Check(ctx); len(found) != 1 || found[0].About != "reachable" || found[0].Verdict != cloud.Bad {
		t.Errorf("check: %v", found)
	}
	patient := p.open(t, "&prefix=away", cloud.Options{Tries: 1 << 30})
	stopped, stop := context.WithTimeout(ctx, 50*time.Millisecond)
	defer stop()
	if err := patient.Put(stopped, "late", nil); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, cloud.ErrAway) {
		t.Errorf("a deadline: got %v", err)
	}
	answered := make(chan error, 1)
	go func() { answered <- patient.Put(ctx, "patient", []byte("3")) }()
	for range 3 {
		select {
		case <-p.network.Refused:
		case err := <-answered:
			t.Fatalf("a put that has time ended while the network was away: %v", err)
		}
	}
	p.network.Away(false)
	if err := <-answered; err != nil {
		t.Errorf("a put that began while the network was away: %v", err)
	}
	allThere(t, b, map[string][]byte{"before": []byte("1"), "patient": []byte("3")})
}

func (p *far) noBucket(t *testing.T) {
	b, err := cloud.Open(t.Context(), p.absent, cloud.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	_, got := b.Get(t.Context(), "x", 0, -1)
	for what, err := range map[string]error{"get": got, "put": b.Put(t.Context(), "x", nil), "delete": b.Delete(t.Context(), "x"), "each": b.Each(t.Context(), "", nil)} {
		if !errors.Is(err, cloud.ErrRefused) {
			t.Errorf("%s: got %v", what, err)
		}
	}
}

// putMany puts n small objects, many at once, and says which were acknowledged.
func (p *far) putMany(t *testing.T, b *cloud.Bucket, n int) map[string][]byte {
	t.Helper()
	var mu sync.Mutex
	acknowledged := map[string][]byte{}
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			content := bytes.Repeat(fmt.Appendf(nil, "object %d ", i), 400)
			name := fmt.Sprintf("packs/%x", sha256.Sum256(content))
			if err := b.Put(t.Context(), name, content); err != nil {
				if !errors.Is(err, cloud.ErrAway) {
					t.Error(err)
				}
				return
			}
			mu.Lock()
			defer mu.Unlock()
			acknowledged[name] = content
		})
	}
	all.Wait()
	return acknowledged
}

func allThere(t *testing.T, b *cloud.Bucket, want map[string][]byte) {
	t.Helper()
	for name, content := range want {
		if got, err := b.Get(t.Context(), name, 0, -1); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s was acknowledged: got %d bytes, %v", name, len(got), err)
		}
	}
}

func list(t *testing.T, b *cloud.Bucket, prefix string) (out []string) {
	t.Helper()
	if err := b.Each(t.Context(), prefix, func(name string, size int64) error {
		out = append(out, fmt.Sprint(name, " ", size))
		return nil
	}); err != nil {
		t.Error(err)
	}
	return out
}
