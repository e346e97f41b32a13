package blobstore_test

import (
	"bytes"
	"context"
	"path/filepath"
	"testing"

	"vitalog/blobstore"
	"vitalog/cloud"
)

// weighed is a bucket that counts the bytes that it gives.
type weighed struct {
	blobstore.Bucket
	given int64
}

func (w *weighed) Get(ctx context.Context, name string, at, n int64) ([]byte, error) {
	b, err := w.Bucket.Get(ctx, name, at, n)
	w.given += int64(len(b))
	return b, err
}

func TestARangeOfALargeBlobTakesOutOfTheBucketWhatItTouches(t *testing.T) {
	dir := t.TempDir()
	_, s := open(t, dir)
	b, err := cloud.Open(t.Context(), "file://"+filepath.Join(dir, "bucket"), cloud.Options{})
	if err != nil {
		t.Fatal(err)
	}
	bucket := &weighed{Bucket: b}
	if err := s.Attach(bucket, storageKey, nil); err != nil {
		t.Fatal(err)
	}
	const piece = 8 << 20
	content := blob(2*piece + 12_345)
	h, err := s.Put(content)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, r := range [][2]int64{{0, 1}, {piece - 5, piece + 5}, {piece - 100_000, piece + 100_000}, {2*piece - 1, 2*piece + 12_345}, {2*piece + 12_344, 2*piece + 12_345}} {
		at, err := s.ReaderAt(h)
		if err != nil {
			t.Fatal(err)
		}
		bucket.given = 0
		got := make([]byte, r[1]-r[0])
		if _, err := at.ReadAt(got, r[0]); err != nil || !bytes.Equal(got, content[r[0]:r[1]]) {
			t.Errorf("bytes %d to %d: other bytes, %v", r[0], r[1], err)
		}
		if most := int64(1<<20 + 3*(64<<10)); bucket.given > most { // what is read ahead, in whole frames
			t.Errorf("bytes %d to %d: %d bytes came out of the bucket, want at most %d", r[0], r[1], bucket.given, most)
		}
		if err := at.Close(); err != nil {
			t.Error(err)
		}
	}
}
