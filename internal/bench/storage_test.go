package bench_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"vitalog/cloud"
	"vitalog/cloud/drivers"
	"vitalog/internal/bench"
	"vitalog/internal/s3"
)

// realBucket is a bucket at a real S3 server behind a network.
func realBucket(t testing.TB) (url string, network *s3.Proxy) {
	t.Helper()
	drivers.Register()
	for name, value := range map[string]string{"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true", "AWS_PROFILE": "",
		"AWS_REGION": "", "AWS_ENDPOINT_URL": "", "AWS_ACCESS_KEY_ID": "measuring", "AWS_SECRET_ACCESS_KEY": "nothing-real"} {
		t.Setenv(name, value)
	}
	s := s3.Start(t)
	s.Keys("measuring", "nothing-real")
	s.Bucket("records")
	network = s3.Before(t, s.Address)
	return "s3://records?prefix=member&endpoint=http://" + network.Address, network
}

func TestStorageIsMeasuredAtARealServerAndLeavesNothing(t *testing.T) {
	url, _ := realBucket(t)
	scratch := t.TempDir()
	t.Setenv("TMPDIR", scratch)
	b, err := cloud.Open(t.Context(), url, cloud.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.Put(t.Context(), "packs/00/a-member-s", []byte("sealed")); err != nil {
		t.Fatal(err)
	}
	nothingElse := func(when string) {
		t.Helper()
		var names []string
		if err := b.Each(t.Context(), "", func(name string, _ int64) error { names = append(names, name); return nil }); err != nil {
			t.Fatal(err)
		}
		left, err := filepath.Glob(filepath.Join(scratch, "*"))
		if len(names) != 1 || err != nil || len(left) > 0 {
			t.Errorf("%s: %v in the bucket, %v on the disk", when, names, left)
		}
	}
	o := bench.StorageOptions{Bucket: url, Records: bench.ChartRecords, For: 20 * time.Millisecond, Note: func(how string) { t.Log(how) }}
	told := map[string]bool{}
	o.Tell = func(m bench.StorageMeasure) error {
		if t.Log(m.Row()); len(m.Values) != 2 || m.Values[0] <= 0 || m.Values[1] <= 0 || m.Ratio <= 0 {
			t.Errorf("got %+v", m)
		}
		told[m.Unit] = true
		return nil
	}
	if err := bench.Storage(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	for _, unit := range []string{"records/s", "MB/s", "items/s", "ms", "gets", "bytes"} {
		if !told[unit] {
			t.Errorf("nothing was told in %s", unit)
		}
	}
	nothingElse("at the end")
	ctx, stop := context.WithCancel(t.Context())
	figures := 0
	o.Tell = func(bench.StorageMeasure) error {
		if figures++; figures == 4 {
			stop()
		}
		return nil
	}
	if err := bench.Storage(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: got %v", err)
	}
	nothingElse("when it was stopped")
}

// A real S3 server that is 30 ms away, there and back, beside a directory. The figures are told as bench -v logs them.
func BenchmarkStorageInS3(b *testing.B) {
	url, network := realBucket(b)
	network.Late.Store(int64(15 * time.Millisecond))
	for b.Loop() {
		o := bench.StorageOptions{Bucket: url, Records: 20_000, For: 2 * time.Second, Note: func(string) {}, Tell: func(m bench.StorageMeasure) error { b.Log(m.Row()); return nil }}
		if err := bench.Storage(b.Context(), o); err != nil {
			b.Fatal(err)
		}
	}
}
