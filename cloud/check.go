package cloud

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"gocloud.dev/blob"
)

// Finding is one thing that Check looked at.
type Finding struct {
	About   string  `json:"about"` // reachable, writable, versioning …
	Verdict Verdict `json:"verdict"`
	Says    string  `json:"says"` // what was found, and what to do about it
}

// Verdict is whether a finding is as it must be.
type Verdict int

// Verdicts.
const (
	Good   Verdict = iota
	Untold         // the cloud doesn't tell, or not with these rights: look yourself
	Bad            // erasing, or keeping, doesn't hold
)

var verdicts = [...]string{"good", "untold", "bad"}

func (v Verdict) String() string { return verdicts[v] }

// MarshalText is String.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (v *Verdict) UnmarshalText(b []byte) error {
	i := slices.Index(verdicts[:], string(b))
	if i < 0 {
		return fmt.Errorf("a verdict is good, untold or bad, not %q", b)
	}
	*v = Verdict(i)
	return nil
}

// Check tries the bucket with an object of its own under "check/", and looks at the settings that decide whether what is stored stays and
// what is deleted goes.
func (b *Bucket) Check(ctx context.Context) []Finding {
	out := b.tryOut(ctx)
	if out[0].Verdict != Good {
		return out
	}
	if b.driver.Inspect == nil {
		return out
	}
	err := b.do(ctx, &b.usage.inspections, "inspect", "", func(ctx context.Context, bucket *blob.Bucket) error {
		out = append(out, b.driver.Inspect(ctx, bucket, b.url, b.prefix, b.o)...)
		return nil
	})
	if err != nil {
		out = append(out, Finding{"settings", Untold, err.Error()})
	}
	return out
}

// tryOut puts, gets, lists and deletes.
func (b *Bucket) tryOut(ctx context.Context) []Finding {
	content := make([]byte, 4096)
	rand.Read(content)
	name := "check/" + hex.EncodeToString(content[:16])
	if _, err := b.Get(ctx, name, 0, 1); !errors.Is(err, ErrNotFound) {
		if err == nil {
			err = fmt.Errorf("%s is there, and nobody put it", name)
		}
		return []Finding{{"reachable", Bad, err.Error()}}
	}
	out := []Finding{{"reachable", Good, b.where}}
	begin := time.Now()
	if err := b.Put(ctx, name, content); err != nil {
		return append(out, Finding{"writable", Bad, err.Error()})
	}
	put := time.Since(begin)
	begin = time.Now()
	whole, err := b.Get(ctx, name, 0, -1)
	got := time.Since(begin)
	part, partErr := b.Get(ctx, name, 1000, 96)
	listed := 0
	listErr := b.Each(ctx, name, func(string, int64) error { listed++; return nil })
	deleteErr := b.Delete(ctx, name)
	_, after := b.Get(ctx, name, 0, -1)
	switch {
	case err == nil && !bytes.Equal(whole, content):
		err = errors.New("what was put doesn't come back as it was")
	case partErr == nil && !bytes.Equal(part, content[1000:1096]):
		partErr = errors.New("a range doesn't come back as it was put")
	case listErr == nil && listed != 1:
		listErr = fmt.Errorf("an object that was put is listed %d times", listed)
	}
	if after == nil {
		deleteErr = errors.Join(deleteErr, errors.New("an object that was deleted can still be read"))
	}
	if err := errors.Join(err, partErr, listErr, deleteErr); err != nil {
		return append(out, Finding{"writable", Bad, err.Error()})
	}
	return append(out, Finding{"writable", Good, "put, read whole and in ranges, listed, deleted"},
		Finding{"latency", Good, fmt.Sprintf("4 KiB put in %v, read in %v", put.Round(100*time.Microsecond), got.Round(100*time.Microsecond))})
}
