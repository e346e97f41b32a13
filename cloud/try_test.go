package cloud

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"gocloud.dev/blob"
	"gocloud.dev/blob/driver"
)

// wayward is a bucket in memory that doesn't do as it is asked, where one of these is set.
type wayward struct {
	*disk
	asked   func(ctx context.Context) error // before each read; its error is the cloud's
	given   func(at int64, content []byte) []byte
	stays   bool // what is deleted
	listing func([]*driver.ListObject) []*driver.ListObject
}

func (w *wayward) NewRangeReader(ctx context.Context, key string, at, n int64, o *driver.ReaderOptions) (driver.Reader, error) {
	if w.asked != nil {
		if err := w.asked(ctx); err != nil {
			return nil, err
		}
	}
	r, err := w.disk.NewRangeReader(ctx, key, at, n, o)
	if err != nil || w.given == nil {
		return r, err
	}
	b, err := io.ReadAll(r)
	return &given{driver.Reader(r), w.given(at, b)}, err
}

type given struct {
	driver.Reader
	left []byte
}

func (g *given) Read(p []byte) (int, error) {
	n := copy(p, g.left)
	if g.left = g.left[n:]; n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (w *wayward) Delete(ctx context.Context, key string, o *driver.DeleteOptions) error {
	if w.stays {
		return nil
	}
	return w.disk.Delete(ctx, key, o)
}

func (w *wayward) ListPaged(ctx context.Context, o *driver.ListOptions) (*driver.ListPage, error) {
	page, err := w.disk.ListPaged(ctx, o)
	if err == nil && w.listing != nil {
		page.Objects = w.listing(page.Objects)
	}
	return page, err
}

// open opens it, with pages of two objects.
func (w *wayward) open(t testing.TB, o Options) *Bucket {
	t.Helper()
	d, err := openDisk(vfs.NewMem(), "/b")
	if err != nil {
		t.Fatal(err)
	}
	w.disk = d
	Register("wayward", Driver{Page: 2, Kind: fileDriver.Kind, Open: func(context.Context, *url.URL, Options) (*blob.Bucket, error) { return blob.NewBucket(w), nil }})
	b, err := Open(t.Context(), "wayward://b", o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var errDown = &fs.PathError{Op: "read", Path: "x", Err: errors.New("it is down")}

func TestABucketThatDoesNotDoAsItIsAskedFailsItsCheck(t *testing.T) {
	for name, w := range map[string]*wayward{
		"whole objects come back altered": {given: func(at int64, b []byte) []byte {
			if at == 0 && len(b) > 2000 {
				b[2000] ^= 1
			}
			return b
		}},
		"ranges come back altered": {given: func(at int64, b []byte) []byte {
			if at > 0 && len(b) > 0 {
				b[0] ^= 1
			}
			return b
		}},
		"more comes back than was asked for": {given: func(_ int64, b []byte) []byte { return append(b, 0) }},
		"what is deleted stays":              {stays: true},
		"nothing is listed":                  {listing: func([]*driver.ListObject) []*driver.ListObject { return nil }},
		"everything is listed twice":         {listing: func(all []*driver.ListObject) []*driver.ListObject { return append(all, all...) }},
	} {
		found := w.open(t, Options{}).Check(t.Context())
		if last := found[len(found)-1]; last.About != "writable" || last.Verdict != Bad {
			t.Errorf("%s: %+v", name, found)
		}
	}
	for _, f := range new(wayward).open(t, Options{}).Check(t.Context()) {
		if f.Verdict != Good {
			t.Errorf("as it is asked: %+v", f)
		}
	}
}

func TestAListingHasAllPagesAndWhatIsNotThereMayBeDeleted(t *testing.T) {
	b := new(wayward).open(t, Options{})
	for i := range 5 {
		if err := b.Put(t.Context(), fmt.Sprint("packs/", i), []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	if err := b.Each(t.Context(), "packs/", func(string, int64) error { n++; return nil }); err != nil || n != 5 {
		t.Errorf("%d of 5 are listed, %v", n, err)
	}
	if err := b.Delete(t.Context(), "packs/9"); err != nil {
		t.Error(err)
	}
	if u := b.Usage(); u.Errors != 0 || u.Lists != 3 {
		t.Errorf("usage %+v", u)
	}
}

// Between tries there is a time by chance, up to a bound that doubles until it is the longest.
func TestWhoFailedTogetherDoesNotComeBackTogether(t *testing.T) {
	const tries, rounds = 7, 200
	synctest.Test(t, func(t *testing.T) {
		var least, most [tries - 1]time.Duration
		for range rounds {
			last, n := time.Time{}, 0
			w := &wayward{asked: func(context.Context) error {
				if n++; n > 1 {
					p := time.Since(last)
					if i := n - 2; least[i] == 0 || p < least[i] {
						least[i] = p
					}
					most[n-2] = max(most[n-2], p)
				}
				last = time.Now()
				return errDown
			}}
			b := w.open(t, Options{Tries: tries, Pause: 100 * time.Millisecond, Longest: time.Second})
			if _, err := b.Get(t.Context(), "x", 0, -1); !errors.Is(err, ErrAway) {
				t.Fatal(err)
			}
			if u := b.Usage(); n != tries || u.Gets != tries || u.Retries != tries-1 || u.Errors != 1 {
				t.Fatalf("%d tries, usage %+v", n, u)
			}
		}
		for i := range most {
			bound := min(100*time.Millisecond<<i, time.Second)
			if most[i] > bound || most[i] < bound*8/10 || least[i] > bound*2/10 {
				t.Errorf("before try %d %v to %v were waited, want up to %v", i+2, least[i], most[i], bound)
			}
		}
	})
}

func TestATryThatHangsIsGivenUpAndMadeAgainAndOnlySomeAreMadeAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most, n atomic.Int32
		w := &wayward{asked: func(ctx context.Context) error {
			most.Store(max(most.Load(), now.Add(1)))
			defer now.Add(-1)
			if n.Add(1) <= 3 {
				<-ctx.Done()
				return ctx.Err()
			}
			time.Sleep(time.Second)
			return nil
		}}
		b := w.open(t, Options{AtOnce: 3, Try: time.Minute, Pause: 1, Longest: 1})
		if err := b.Put(t.Context(), "x", []byte("here")); err != nil {
			t.Fatal(err)
		}
		began, got := time.Now(), make(chan error)
		for range 9 {
			go func() {
				_, err := b.Get(t.Context(), "x", 0, -1)
				got <- err
			}()
		}
		for range 9 {
			if err := <-got; err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(began).Round(time.Second); took != time.Minute+3*time.Second || most.Load() != 3 {
			t.Errorf("%d at once, all took %v", most.Load(), took)
		}
	})
}
