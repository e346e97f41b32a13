package cloud_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"vitalog/cloud"
)

func open(t testing.TB, o cloud.Options) *cloud.Bucket {
	t.Helper()
	if o.Disk == nil {
		o.Disk = vfs.NewMem()
	}
	b, err := cloud.Open(t.Context(), "file:///bucket", o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestNamesThatAreNone(t *testing.T) {
	b := open(t, cloud.Options{})
	ctx := t.Context()
	for _, name := range []string{"", ".", "..", "a/..", "a..b", "/a", "a/", "a//b", "./a", "a/./b", "A", "a b", "ä", "a\x00", "a?b", "a+", strings.Repeat("a", 201)} {
		_, get := b.Get(ctx, name, 0, -1)
		for what, err := range map[string]error{"put": b.Put(ctx, name, nil), "get": get, "delete": b.Delete(ctx, name)} {
			if err == nil || errors.Is(err, cloud.ErrNotFound) {
				t.Errorf("%s %q: got %v", what, name, err)
			}
		}
	}
	if u := b.Usage(); u.Puts+u.Gets+u.Deletes > 0 {
		t.Errorf("requests were made: %+v", u)
	}
}

func TestAnObjectCanHaveTheNameOfADirectory(t *testing.T) {
	b := open(t, cloud.Options{})
	ctx := t.Context()
	names := []string{"a", "a-b", "a.b", "a/b", "a/b/c", "a_", "a0", strings.Repeat("a/", 99) + "aa"}
	for _, name := range names {
		if err := b.Put(ctx, name, []byte(name)); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(names)
	for _, prefix := range []string{"", "a", "a/", "a/b", "a-", "b"} {
		var got, want []string
		if err := b.Each(ctx, prefix, func(name string, size int64) error { got = append(got, fmt.Sprint(name, size)); return nil }); err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if strings.HasPrefix(name, prefix) {
				want = append(want, fmt.Sprint(name, len(name)))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", prefix, got, want)
		}
	}
	stop := errors.New("enough")
	if err := b.Each(ctx, "", func(string, int64) error { return stop }); err != stop {
		t.Errorf("got %v, want %v", err, stop)
	}
}

func TestABucketInADirectoryPassesItsCheck(t *testing.T) {
	real, err := cloud.Open(t.Context(), "file://"+t.TempDir()+"?prefix=a/b", cloud.Options{})
	if err != nil {
		t.Fatal(err)
	}
	found := real.Check(t.Context())
	for _, f := range found {
		t.Logf("%s: %v: %s", f.About, f.Verdict, f.Says)
		if f.Verdict == cloud.Bad {
			t.Errorf("%+v", f)
		}
	}
	if len(found) < 4 {
		t.Errorf("%d findings", len(found))
	}
	if err := real.Each(t.Context(), "", func(name string, _ int64) error { return errors.New(name) }); err != nil {
		t.Errorf("the check leaves %v", err)
	}
}

func TestURLsThatAreRefused(t *testing.T) {
	for url, says := range map[string]string{
		"s3://bucket?region=eu-central-1":       "no driver", // of cloud/drivers, which is not in this program
		"ftp://bucket":                          "no driver",
		"bucket":                                "like s3://",
		"file:///bucket?region=x":               "not known",
		"file:///bucket?prefix=a&prefix=b":      "once",
		"file:///bucket?prefix=":                "once",
		"file:///bucket?prefix=../a":            "not a name",
		"file://host/bucket":                    "absolute",
		"file:///":                              "absolute",
		"file://AKIA:hush@/bucket":              "credentials",
		"file:///bucket?secret_access_key=hush": "not known",
		"file:///bucket#hush":                   "like s3://",
		"file:///bucket?a=%zzhush":              "can't be read",
		"%zzhush://":                            "can't be read",
	} {
		_, err := cloud.Open(context.Background(), url, cloud.Options{Disk: vfs.NewMem()})
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: got %v, want something about %q", url, err, says)
		}
	}
}

func TestAClosedBucketSaysSo(t *testing.T) {
	b := open(t, cloud.Options{})
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.Put(t.Context(), "a", nil); !errors.Is(err, cloud.ErrClosed) {
		t.Errorf("put: %v", err)
	}
	if err := b.Close(); !errors.Is(err, cloud.ErrClosed) {
		t.Errorf("close: %v", err)
	}
}

func BenchmarkFile(b *testing.B) {
	bucket, err := cloud.Open(b.Context(), "file://"+b.TempDir(), cloud.Options{})
	if err != nil {
		b.Fatal(err)
	}
	pack := make([]byte, 8<<20)
	b.Run("put 8 MiB", func(b *testing.B) {
		b.SetBytes(int64(len(pack)))
		for n := 0; b.Loop(); n++ {
			if err := bucket.Put(b.Context(), fmt.Sprintf("packs/%d", n%16), pack); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, n := range map[string]int64{"get 8 MiB": -1, "get 4 KiB": 4096} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				got, err := bucket.Get(b.Context(), "packs/0", 1<<20, n)
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(len(got)))
			}
		})
	}
}
