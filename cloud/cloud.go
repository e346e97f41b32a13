// Package cloud is a member's bucket at a cloud, or in a directory: sealed objects go in under names that their caller makes from their
// content, and come out whole or in ranges.
//
// It promises that an object is durable when Put returns nil and gone when Delete does, that it tries again what a network spoils, and that
// ErrNotFound is said only of an object, never of a bucket that isn't there. It refuses a URL with credentials in it, parameters that it
// doesn't know, and to carry the words of a signed URL into an error. It doesn't tell whether what comes out is what went in: names are
// hashes, and the caller compares.
//
//	b, _ := cloud.Open(ctx, "s3://st-elena-vitalog?region=eu-central-1&prefix=a", cloud.Options{})
//	b.Put(ctx, "packs/a802…", sealed)                 in the bucket: a/packs/a802…
//
// The clouds' own software is in cloud/drivers, and only a program that calls drivers.Register has it. See spec/cloud.md.
package cloud

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"gocloud.dev/blob"
)

// Limits.
const (
	MaxName   = 200     // bytes of a name
	MaxObject = 1 << 30 // bytes
)

// What errors say; the text around them has the bucket, the object and what to do.
var (
	ErrNotFound = fmt.Errorf("no such object: %w", fs.ErrNotExist)
	ErrRefused  = errors.New("refused")
	ErrAway     = errors.New("can't be reached")
	ErrClosed   = errors.New("the bucket is closed")
)

// Options are how a bucket is used. The zero value is the default.
type Options struct {
	AtOnce  int           // requests under way; 16 if 0
	Tries   int           // of one call before it is ErrAway; 8 if 0
	Try     time.Duration // what one of them may take; a minute if 0
	Pause   time.Duration // before the second one, up to; each further one doubles it, and a part of it by chance is waited; 100 ms if 0
	Longest time.Duration // of those pauses; 10 s if 0
	Erase   time.Duration // within which what is deleted must be gone, for Check; 30 days if 0
	Disk    vfs.FS        // of buckets in a directory; the machine's if nil
}

func (o Options) filled() Options {
	def := func(d *time.Duration, to time.Duration) {
		if *d <= 0 {
			*d = to
		}
	}
	if o.AtOnce <= 0 {
		o.AtOnce = 16
	}
	if o.Tries <= 0 {
		o.Tries = 8
	}
	def(&o.Try, time.Minute)
	def(&o.Pause, 100*time.Millisecond)
	def(&o.Longest, 10*time.Second)
	def(&o.Erase, 30*24*time.Hour)
	if o.Disk == nil {
		o.Disk = vfs.Default
	}
	return o
}

// Bucket is an open bucket. Its methods are safe for concurrent use.
type Bucket struct {
	where  string // for messages
	url    *url.URL
	prefix string // of all names in the bucket; empty or with a slash at its end
	driver Driver
	o      Options
	slots  chan struct{} // one for each request under way
	usage  counters

	mu     sync.Mutex
	open   *session
	closed bool
}

// session is a bucket with the credentials that were found when it was opened.
type session struct {
	bucket *blob.Bucket
	users  sync.WaitGroup // requests under way, which Close of the bucket would cut off
}

// Open opens the bucket at a URL: file:///var/lib/vitalog/bucket, s3://bucket?region=…&prefix=…, azblob://container, gs://bucket. It
// says nothing of whether the bucket can be reached; Check does.
func Open(ctx context.Context, raw string, o Options) (*Bucket, error) {
	u, prefix, d, err := parse(raw)
	if err != nil {
		return nil, err
	}
	o = o.filled()
	b := &Bucket{where: u.Scheme + "://" + u.Host + u.Path, url: u, prefix: prefix, driver: d, o: o, slots: make(chan struct{}, o.AtOnce)}
	if b.open, err = b.dial(ctx); err != nil {
		return nil, b.failure("open", "", err, 1)
	}
	return b, nil
}

func (b *Bucket) dial(ctx context.Context) (*session, error) {
	bucket, err := b.driver.Open(ctx, b.url, b.o)
	if err != nil {
		return nil, err
	}
	if b.prefix != "" {
		bucket = blob.PrefixedBucket(bucket, b.prefix)
	}
	return &session{bucket: bucket}, nil
}

// Put stores an object. It is durable when Put returns nil. To put it again is harmless, also after an error, which doesn't tell whether
// the object is there.
func (b *Bucket) Put(ctx context.Context, name string, content []byte) error {
	if err := checkName(name); err != nil {
		return err
	}
	if len(content) > MaxObject {
		return fmt.Errorf("put %s: %d bytes, at most %d", name, len(content), MaxObject)
	}
	err := b.do(ctx, &b.usage.puts, "put", name, func(ctx context.Context, bucket *blob.Bucket) error {
		return bucket.Upload(ctx, name, bytes.NewReader(content), &blob.WriterOptions{ContentType: "application/octet-stream", BufferSize: partSize, MaxConcurrency: 1})
	})
	if err == nil {
		b.usage.up.Add(uint64(len(content)))
	}
	return err
}

// partSize is in bytes. What is larger goes in several requests, each of which would have to be tried again by itself.
const partSize = 16 << 20

// Get is n bytes of an object from at on, or what there is of them; all to the end if n < 0. It is ErrNotFound if there is no such object.
func (b *Bucket) Get(ctx context.Context, name string, at, n int64) ([]byte, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if at < 0 {
		return nil, fmt.Errorf("get %s: from byte %d", name, at)
	}
	var out []byte
	err := b.do(ctx, &b.usage.gets, "get", name, func(ctx context.Context, bucket *blob.Bucket) (err error) {
		out, err = read(ctx, bucket, name, at, n)
		if err != nil && b.driver.Kind(err) == Beyond {
			out, err = []byte{}, nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	b.usage.down.Add(uint64(len(out)))
	return out, nil
}

func read(ctx context.Context, bucket *blob.Bucket, name string, at, n int64) (out []byte, err error) {
	r, err := bucket.NewRangeReader(ctx, name, at, n, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	want := max(r.Size()-at, 0)
	if n >= 0 {
		want = min(want, n)
	}
	if want > MaxObject {
		return nil, fmt.Errorf("%d bytes, at most %d at once", want, MaxObject)
	}
	out = make([]byte, want)
	if _, err := io.ReadFull(r, out); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF // less than was announced
		}
		return nil, err
	}
	if extra, _ := r.Read(make([]byte, 1)); extra > 0 {
		return nil, errors.New("the server answered with other bytes than those asked for")
	}
	return out, nil
}

// Delete removes an object, durably when it returns nil. It is no error if there is none. A bucket that keeps versions still has it;
// Check tells.
func (b *Bucket) Delete(ctx context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	err := b.do(ctx, &b.usage.deletes, "delete", name, func(ctx context.Context, bucket *blob.Bucket) error {
		if b.driver.Delete != nil {
			return b.driver.Delete(ctx, bucket, b.url, b.prefix+name)
		}
		return bucket.Delete(ctx, name)
	})
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// Each calls f for every object whose name begins with prefix, in the order of names, until f fails; its error is returned as it is. What
// is put or deleted meanwhile may be among them or not.
func (b *Bucket) Each(ctx context.Context, prefix string, f func(name string, size int64) error) error {
	if err := checkPrefix(prefix); err != nil {
		return err
	}
	for token := blob.FirstPageToken; token != nil; {
		var page []*blob.ListObject
		var next []byte
		err := b.do(ctx, &b.usage.lists, "list", prefix, func(ctx context.Context, bucket *blob.Bucket) (err error) {
			page, next, err = bucket.ListPage(ctx, token, b.driver.Page, &blob.ListOptions{Prefix: prefix})
			return err
		})
		if err != nil {
			return err
		}
		for _, o := range page {
			if err := f(o.Key, o.Size); err != nil {
				return err
			}
		}
		if token = next; len(token) == 0 {
			token = nil
		}
	}
	return nil
}

// Close lets go of the bucket, after the requests that are under way.
func (b *Bucket) Close() error {
	b.mu.Lock()
	s := b.open
	if b.closed {
		b.mu.Unlock()
		return ErrClosed
	}
	b.closed = true
	b.mu.Unlock()
	s.users.Wait()
	return s.bucket.Close()
}

func checkName(name string) error {
	if err := checkPrefix(name); err != nil {
		return err
	}
	if strings.ContainsFunc(name, func(r rune) bool { return r != '/' }) && !slices.ContainsFunc(strings.Split(name, "/"), func(s string) bool { return s == "" || s == "." }) {
		return nil
	}
	return fmt.Errorf("%q is not a name: its parts between slashes are not empty and not \".\"", name)
}

func checkPrefix(s string) error {
	wrong := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("/._-", r)
	}
	if len(s) > MaxName || strings.Contains(s, "..") || strings.ContainsFunc(s, wrong) {
		return fmt.Errorf("%.220q is not a name: up to %d of a-z, 0-9, slash, dot, underscore and hyphen, no two dots", s, MaxName)
	}
	return nil
}
