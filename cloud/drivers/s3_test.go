package drivers_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	aws3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"vitalog/cloud"
	"vitalog/cloud/drivers"
	"vitalog/internal/s3"
)

const secret = "TheSecretThatNoErrorMayTell"

// place is a server, a network before it, and the file where this machine has its keys.
type place struct {
	*s3.Server
	network *s3.Proxy
	keys    string
}

func start(t testing.TB) *place {
	t.Helper()
	drivers.Register()
	p := &place{Server: s3.Start(t), keys: filepath.Join(t.TempDir(), "credentials")}
	p.network = s3.Before(t, p.Address)
	for name, value := range map[string]string{"AWS_SHARED_CREDENTIALS_FILE": p.keys, "AWS_CONFIG_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_PROFILE": "", "AWS_REGION": "", "AWS_ENDPOINT_URL": ""} {
		t.Setenv(name, value)
	}
	p.have(t, "first", secret)
	p.Keys("first", secret)
	p.Bucket("records")
	return p
}

// have has this machine find these keys.
func (p *place) have(t testing.TB, id, secret string) {
	t.Helper()
	if err := os.WriteFile(p.keys, fmt.Appendf(nil, "[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", id, secret), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (p *place) open(t testing.TB, more string, o cloud.Options) *cloud.Bucket {
	t.Helper()
	if o.Pause == 0 {
		o.Pause, o.Longest = time.Millisecond, 20*time.Millisecond
	}
	b, err := cloud.Open(t.Context(), "s3://records?endpoint=http://"+p.network.Address+more, o)
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

// client is another program's way to the server.
func (p *place) client(t testing.TB) *aws3.Client {
	t.Helper()
	c, err := config.LoadDefaultConfig(t.Context(), config.WithRegion("us-east-1"), config.WithBaseEndpoint("http://"+p.Address))
	if err != nil {
		t.Fatal(err)
	}
	return aws3.NewFromConfig(c, func(o *aws3.Options) { o.UsePathStyle = true })
}

func TestS3(t *testing.T) {
	p := start(t)
	t.Run("objects go in and come out", p.objects)
	t.Run("a bad network loses nothing", p.badNetwork)
	t.Run("a network that is away", p.awayNetwork)
	t.Run("keys are revoked and others given", p.revoked)
	t.Run("a bucket that isn't there", p.noBucket)
	t.Run("no error tells a secret", p.noSecret)
	t.Run("checks", p.checks)
}

func (p *place) objects(t *testing.T) {
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
	if _, err := p.client(t).HeadObject(ctx, &aws3.HeadObjectInput{Bucket: aws.String("records"), Key: aws.String("member/a/packs/aa/1")}); err != nil {
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

func (p *place) badNetwork(t *testing.T) {
	p.network.Resets.Store(30)
	p.network.Slow.Store(int64(30 * time.Millisecond))
	defer p.network.Resets.Store(0)
	defer p.network.Slow.Store(0)
	b := p.open(t, "&prefix=bad", cloud.Options{Tries: 12})
	acknowledged := p.putMany(t, b, 200)
	if len(acknowledged) != 200 {
		t.Errorf("%d of 200 puts were acknowledged", len(acknowledged))
	}
	if u := b.Usage(); p.network.Reset() == 0 || u.Retries == 0 || u.Puts != 200+u.Retries {
		t.Errorf("%d connections were reset; usage %+v", p.network.Reset(), u)
	} else {
		t.Logf("%d connections were reset, %d requests made again", p.network.Reset(), u.Retries)
	}
	p.network.Resets.Store(0)
	p.network.Slow.Store(0)
	allThere(t, p.open(t, "&prefix=bad", cloud.Options{}), acknowledged)
}

func (p *place) awayNetwork(t *testing.T) {
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

func (p *place) revoked(t *testing.T) {
	b := p.open(t, "&prefix=keys", cloud.Options{})
	ctx := t.Context()
	if err := b.Put(ctx, "before", []byte("1")); err != nil {
		t.Fatal(err)
	}
	p.NoKeys()
	_, got := b.Get(ctx, "before", 0, -1)
	for what, err := range map[string]error{"get": got, "put": b.Put(ctx, "meanwhile", []byte("2")), "delete": b.Delete(ctx, "before"),
		"each": b.Each(ctx, "", func(string, int64) error { return nil })} {
		if !errors.Is(err, cloud.ErrRefused) || errors.Is(err, cloud.ErrAway) || errors.Is(err, cloud.ErrNotFound) {
			t.Errorf("%s: got %v", what, err)
		}
	}
	p.Keys("second", secret+"2")
	p.have(t, "second", secret+"2")
	if err := b.Put(ctx, "after", []byte("3")); err != nil {
		t.Errorf("with other keys: %v", err)
	}
	allThere(t, b, map[string][]byte{"before": []byte("1"), "after": []byte("3")})
}

func (p *place) noBucket(t *testing.T) {
	b, err := cloud.Open(t.Context(), "s3://nothing?endpoint=http://"+p.network.Address, cloud.Options{})
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

func (p *place) noSecret(t *testing.T) {
	p.have(t, "AKIAIOSFODNN7EXAMPLE", secret)
	defer p.have(t, "second", secret+"2")
	b := p.open(t, "", cloud.Options{Tries: 2})
	refused := b.Put(t.Context(), "x", nil)
	p.network.Away(true)
	away := b.Put(t.Context(), "x", nil)
	p.network.Away(false)
	for _, err := range []error{refused, away} {
		if err == nil {
			t.Fatal("no error")
		}
		for _, never := range []string{secret, "AKIAIOSFODNN7EXAMPLE", "?", "ignature="} {
			if strings.Contains(err.Error(), never) {
				t.Errorf("an error tells %q: %v", never, err)
			}
		}
		if !strings.Contains(err.Error(), "put x at s3://records") || !strings.Contains(err.Error(), "\ncheck ") {
			t.Errorf("an error doesn't say what failed and what to do: %v", err)
		}
	}
}

func (p *place) checks(t *testing.T) {
	ctx := t.Context()
	b := p.open(t, "&prefix=member/a", cloud.Options{Erase: 30 * 24 * time.Hour})
	verdict := func(about string) (cloud.Verdict, string) {
		t.Helper()
		for _, f := range b.Check(ctx) {
			if f.About == about {
				return f.Verdict, f.Says
			}
		}
		t.Errorf("nothing about %q", about)
		return -1, ""
	}
	found := b.Check(ctx)
	for _, f := range found {
		t.Logf("%s: %v: %s", f.About, f.Verdict, f.Says)
		if f.Verdict == cloud.Bad {
			t.Errorf("a new bucket: %v", f)
		}
	}
	if v, says := verdict("versioning"); v != cloud.Good {
		t.Errorf("no versioning: %v, %s", v, says)
	}
	if names := list(t, b, "check/"); len(names) > 0 {
		t.Errorf("the check leaves %q", names)
	}
	c, bucket := p.client(t), aws.String("records")
	if _, err := c.PutBucketVersioning(ctx, &aws3.PutBucketVersioningInput{Bucket: bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}}); err != nil {
		t.Fatal(err)
	}
	if v, says := verdict("versioning"); v != cloud.Bad {
		t.Errorf("versioning without expiry: %v, %s", v, says)
	}
	if _, err := c.PutObjectLockConfiguration(ctx, &aws3.PutObjectLockConfigurationInput{Bucket: bucket, ObjectLockConfiguration: &types.ObjectLockConfiguration{
		ObjectLockEnabled: types.ObjectLockEnabledEnabled, Rule: &types.ObjectLockRule{DefaultRetention: &types.DefaultRetention{Mode: types.ObjectLockRetentionModeGovernance, Days: aws.Int32(31)}},
	}}); err != nil {
		t.Fatal(err)
	}
	if v, says := verdict("object lock"); v != cloud.Bad {
		t.Errorf("a retention of 31 days: %v, %s", v, says)
	}
}

// putMany puts n small objects, many at once, and says which were acknowledged.
func (p *place) putMany(t *testing.T, b *cloud.Bucket, n int) map[string][]byte {
	t.Helper()
	var mu sync.Mutex
	acknowledged := map[string][]byte{}
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			content := bytes.Repeat(fmt.Appendf(nil, "object %d ", i), 100)
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

func BenchmarkS3(b *testing.B) {
	p := start(b)
	bucket := p.open(b, "", cloud.Options{})
	pack := make([]byte, 8<<20)
	b.Run("put 8 MiB", func(b *testing.B) {
		b.SetBytes(int64(len(pack)))
		for n := 0; b.Loop(); n++ {
			if err := bucket.Put(b.Context(), fmt.Sprintf("packs/%d", n%16), pack); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, n := range map[string]int64{"get 8 MiB": int64(len(pack)), "get 4 KiB": 4096} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(n)
			for b.Loop() {
				if _, err := bucket.Get(b.Context(), "packs/0", int64(len(pack))-n, n); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestPlainHTTPAndCredentialsInURLsAreRefused(t *testing.T) {
	drivers.Register()
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	open := func(url string) error {
		b, err := cloud.Open(t.Context(), url, cloud.Options{})
		if err == nil {
			b.Close()
		}
		return err
	}
	for url, says := range map[string]string{
		"s3://records?endpoint=http://s3.example.org":               "plain HTTP",
		"s3://records?endpoint=https://id:hush@s3.example.org":      "endpoint is like",
		"s3://records?endpoint=https://s3.example.org/?secret=hush": "endpoint is like",
		"s3://records?access_key=hush&region=eu-central-1":          "not known",
		"s3://records?region=eu-central-1&path_style=perhaps":       "path_style",
		"s3://id:hush@records?region=eu-central-1":                  "credentials",
		"s3://records/hush?region=eu-central-1":                     "prefix=",
		"azblob://records?sig=hush":                                 "not known",
		"gs://records?access_id=hush":                               "not known",
	} {
		if err := open(url); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: got %v, want something about %q", url, err, says)
		}
	}
	if err := open("s3://records?region=eu-central-1"); err != nil {
		t.Error(err)
	}
	t.Setenv("AWS_ENDPOINT_URL_S3", "http://s3.example.org")
	if err := open("s3://records?region=eu-central-1"); err == nil || !strings.Contains(err.Error(), "plain HTTP") {
		t.Errorf("an endpoint of the environment: got %v", err)
	}
}
