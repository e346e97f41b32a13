package cloud

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"gocloud.dev/blob"
)

// do makes a request until it is answered. It waits between tries for a time by chance up to a bound that doubles, so that many who failed
// together don't come back together. After a refusal it looks for new credentials, once.
func (b *Bucket) do(ctx context.Context, requests *atomic.Uint64, what, name string, request func(context.Context, *blob.Bucket) error) error {
	var last error
	renewed := false
	for n := 1; ; n++ {
		s, err := b.try(ctx, requests, request)
		if err != nil && b.driver.Vague && b.kind(err) == NotFound {
			err = b.confirm(ctx, err)
		}
		if err == nil {
			return nil
		}
		last = err
		kind := b.kind(err)
		switch {
		case errors.Is(err, ErrClosed):
			return err
		case ctx.Err() != nil || kind == NotFound || kind == Unknown || kind == Away && n >= b.o.Tries:
			return b.fail(ctx, what, name, last, n)
		case kind == Refused:
			if renewed || b.renew(ctx, s) != nil {
				return b.fail(ctx, what, name, last, n)
			}
			renewed = true
		default:
			if !pause(ctx, b.o, n) {
				return b.fail(ctx, what, name, last, n)
			}
		}
		b.usage.retries.Add(1)
	}
}

func (b *Bucket) try(ctx context.Context, requests *atomic.Uint64, request func(context.Context, *blob.Bucket) error) (*session, error) {
	select {
	case b.slots <- struct{}{}:
		defer func() { <-b.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	b.mu.Lock()
	s := b.open
	if b.closed {
		b.mu.Unlock()
		return nil, ErrClosed
	}
	s.users.Add(1)
	b.mu.Unlock()
	defer s.users.Done()
	ctx, cancel := context.WithTimeout(ctx, b.o.Try)
	defer cancel()
	requests.Add(1)
	return s, request(ctx, s.bucket)
}

// confirm is missing, which says that there is no such object, if the bucket is there, or else what is wrong with that.
func (b *Bucket) confirm(ctx context.Context, missing error) error {
	_, err := b.try(ctx, &b.usage.lists, func(ctx context.Context, bucket *blob.Bucket) error {
		_, _, err := bucket.ListPage(ctx, blob.FirstPageToken, 1, nil)
		return err
	})
	switch {
	case err == nil:
		return missing
	case b.kind(err) == NotFound:
		return fmt.Errorf("no such bucket: %w", ErrRefused)
	}
	return err
}

// renew opens the bucket anew, with the credentials that there are now, unless somebody else did since s was opened.
func (b *Bucket) renew(ctx context.Context, s *session) error {
	b.mu.Lock()
	current := b.open == s
	b.mu.Unlock()
	if !current {
		return nil
	}
	fresh, err := b.dial(ctx)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	old := fresh
	if b.open == s && !b.closed {
		b.open, old = fresh, s
	}
	go func() {
		old.users.Wait()
		old.bucket.Close() // nothing was written to it that isn't acknowledged
	}()
	return nil
}

// pause waits before try n+1. It is false if ctx ended.
func pause(ctx context.Context, o Options, n int) bool {
	bound := o.Longest
	if n < 32 {
		bound = min(bound, o.Pause<<(n-1))
	}
	t := time.NewTimer(rand.N(bound + 1))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (b *Bucket) kind(err error) Kind {
	if errors.Is(err, ErrRefused) {
		return Refused
	}
	if k := b.driver.Kind(err); k != Unknown {
		return k
	}
	var network net.Error
	if errors.As(err, &network) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
		return Away
	}
	return Unknown
}

// failure is an error without the one that it comes from, whose text and types are a cloud's and may hold a signed URL.
type failure struct {
	text string
	is   []error
}

func (f *failure) Error() string   { return f.text }
func (f *failure) Unwrap() []error { return f.is }

func (b *Bucket) fail(ctx context.Context, what, name string, err error, tries int) error {
	f := b.failure(what, name, err, tries)
	if ctx.Err() != nil {
		f.is = append(f.is, ctx.Err())
	}
	if !errors.Is(f, ErrNotFound) {
		b.usage.errors.Add(1)
	}
	return f
}

func (b *Bucket) failure(what, name string, err error, tries int) *failure {
	about := strings.TrimSpace(what+" "+name) + " at " + b.where
	cause := plain(err)
	switch b.kind(err) {
	case NotFound:
		return &failure{about + ": " + ErrNotFound.Error(), []error{ErrNotFound}}
	case Refused:
		return &failure{fmt.Sprintf("%s: %v: %s\ncheck the credentials that this machine has for it, and the bucket's name, region and policy; the next request looks for them anew", about, ErrRefused, cause), []error{ErrRefused}}
	case Away:
		return &failure{fmt.Sprintf("%s: %v, tried %d times: %s\ncheck the network, the disk or the cloud's own status; nothing is lost, and the same call can be made again", about, ErrAway, tries, cause), []error{ErrAway}}
	}
	return &failure{about + ": " + cause, nil}
}

var (
	queries = regexp.MustCompile(`\?[^\s"'<>]*`)
	secrets = regexp.MustCompile(`(?i)\b((A[KS]IA|AROA|AIDA)[A-Z0-9]{12,}|(sig|signature|x-amz-[a-z-]+|credential|authorization|password|AccountKey)=[^\s&"';]+|bearer\s+\S+)`)
)

// plain is an error in one line, without queries of URLs and what looks like a credential.
func plain(err error) string {
	s := secrets.ReplaceAllString(queries.ReplaceAllString(err.Error(), ""), "…")
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > 500 {
		s = strings.ToValidUTF8(s[:500], "") + " …"
	}
	return s
}
