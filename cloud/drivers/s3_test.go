package drivers_test

import (
	"crypto/md5"
	"errors"
	"fmt"
	"strings"
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

// place is S3, and the keys that this machine has.
type place struct {
	*s3.Server
	far
	have func(id, secret string) // has this machine find these keys
}

func start(t testing.TB) *place {
	t.Helper()
	drivers.Register()
	p := &place{Server: s3.Start(t), have: s3.Machine(t)}
	network := s3.Before(t, p.Address)
	p.far = far{network: network, records: "s3://records?endpoint=http://" + network.Address, absent: "s3://nothing?endpoint=http://" + network.Address}
	p.have("first", secret)
	p.Keys("first", secret)
	p.Bucket("records")
	return p
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
	t.Run("nothing is beside an object's bytes", p.nothingBeside)
}

// nothingBeside looks at all that S3 keeps of an object: the same for every one, or made of its bytes.
func (p *place) nothingBeside(t *testing.T) {
	sealed := []byte("sealed bytes")
	if err := p.open(t, "", cloud.Options{}).Put(t.Context(), "packs/aa/1", sealed); err != nil {
		t.Fatal(err)
	}
	bucket, name, c := aws.String("records"), aws.String("packs/aa/1"), p.client(t)
	o, err := c.HeadObject(t.Context(), &aws3.HeadObjectInput{Bucket: bucket, Key: name})
	if err != nil {
		t.Fatal(err)
	}
	if etag, want := aws.ToString(o.ETag), fmt.Sprintf("\"%x\"", md5.Sum(sealed)); etag != want || aws.ToString(o.ContentType) != "application/octet-stream" {
		t.Errorf("ETag %s, want %s; type %s", etag, want, aws.ToString(o.ContentType))
	}
	for what, has := range map[string]int{"metadata": len(o.Metadata), "disposition": len(aws.ToString(o.ContentDisposition)), "encoding": len(aws.ToString(o.ContentEncoding)),
		"language": len(aws.ToString(o.ContentLanguage)), "cache control": len(aws.ToString(o.CacheControl)), "redirect": len(aws.ToString(o.WebsiteRedirectLocation))} {
		if has > 0 {
			t.Errorf("an object has %s", what)
		}
	}
	if tags, err := c.GetObjectTagging(t.Context(), &aws3.GetObjectTaggingInput{Bucket: bucket, Key: name}); err == nil && len(tags.TagSet) > 0 {
		t.Errorf("an object has tags: %v", tags.TagSet)
	}
}

func (p *place) revoked(t *testing.T) {
	b := p.open(t, "&prefix=keys", cloud.Options{})
	ctx := t.Context()
	if err := b.Put(ctx, "before", []byte("1")); err != nil {
		t.Fatal(err)
	}
	for how, revoke := range map[string]func(){"no keys": p.NoKeys, "other keys": func() { p.Keys("other", secret) }} {
		revoke()
		_, got := b.Get(ctx, "before", 0, -1)
		for what, err := range map[string]error{"get": got, "put": b.Put(ctx, "meanwhile", []byte("2")), "delete": b.Delete(ctx, "before"),
			"each": b.Each(ctx, "", func(string, int64) error { return nil })} {
			if !errors.Is(err, cloud.ErrRefused) || errors.Is(err, cloud.ErrAway) || errors.Is(err, cloud.ErrNotFound) {
				t.Errorf("%s: %s: got %v", how, what, err)
			}
		}
	}
	p.Keys("second", secret+"2")
	p.have("second", secret+"2")
	if err := b.Put(ctx, "after", []byte("3")); err != nil {
		t.Errorf("with other keys: %v", err)
	}
	allThere(t, b, map[string][]byte{"before": []byte("1"), "after": []byte("3")})
}

func (p *place) noSecret(t *testing.T) {
	p.have("AKIAIOSFODNN7EXAMPLE", secret)
	defer p.have("second", secret+"2")
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
	t.Setenv("STORAGE_EMULATOR_HOST", "storage.example.org:4443")
	if err := open("gs://records"); err == nil || !strings.Contains(err.Error(), "on this machine") {
		t.Errorf("an emulator elsewhere: got %v", err)
	}
	for _, variable := range []string{"ACCOUNT", "KEY", "SAS_TOKEN"} {
		t.Setenv("AZURE_STORAGE_"+variable, "")
	}
	t.Setenv("AZURE_STORAGE_CONNECTION_STRING", "AccountName=a;AccountKey=aHVzaA==;BlobEndpoint=http://storage.example.org/a;")
	if err := open("azblob://records"); err == nil || !strings.Contains(err.Error(), "plain HTTP") || strings.Contains(err.Error(), "aHVzaA==") {
		t.Errorf("a connection string to another machine: got %v", err)
	}
}
