package exchange_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vitalog/blobstore"
	"vitalog/cloud"
	"vitalog/cloud/drivers"
	"vitalog/exchange"
	"vitalog/internal/s3"
	"vitalog/internal/testnet"
	"vitalog/node"
	"vitalog/section"
)

// hasty is a schedule by which what takes hours happens while a test waits.
var hasty = blobstore.Schedule{Fresh: 100 * time.Millisecond, List: 200 * time.Millisecond, Destroyed: 50 * time.Millisecond, Expunge: 400 * time.Millisecond,
	Scrub: 1 << 30, Round: 100 * time.Millisecond, Pause: 10 * time.Millisecond, Again: 20 * time.Millisecond}

// Schedules by which one thing alone finds out by itself what is wrong with a bucket, when the first listing is over: to list it, or to read it through.
var (
	lists  = blobstore.Schedule{Fresh: hasty.Fresh, List: hasty.List, Destroyed: hasty.Destroyed, Expunge: 1000 * time.Hour, Scrub: -1, Again: hasty.Again}
	scrubs = blobstore.Schedule{Fresh: hasty.Fresh, List: 1000 * time.Hour, Expunge: 1000 * time.Hour, Anew: time.Second, Scrub: hasty.Scrub, Round: hasty.Round, Pause: hasty.Pause, Again: hasty.Again}
)

// clouds is a network of four validators whose ciphertext is in S3. Member 1 has a server of its own, with a network before it.
type clouds struct {
	*world
	server  *s3.Server
	network *s3.Proxy
	others  *s3.Proxy          // before the server of the other members
	bucket  string             // where the objects of member 1 are files
	by      blobstore.Schedule // of member 1
	lost    lost

	mu     sync.Mutex
	drafts []exchange.Draft // that were acknowledged
	at     []exchange.Published
	block  uint64 // of the newest of them
}

// lost counts what the store of member 1 told as lost.
type lost struct {
	slog.Handler
	items *atomic.Int64
}

func (l lost) Handle(_ context.Context, r slog.Record) error {
	if strings.HasPrefix(r.Message, "the bucket lost") {
		r.Attrs(func(a slog.Attr) bool { l.items.Add(a.Value.Int64()); return true })
	}
	return nil
}

func (l lost) WithAttrs([]slog.Attr) slog.Handler { return l }

const keyID, keySecret = "member", "ThatNoLogMayHave"

func startInClouds(t testing.TB, schedule blobstore.Schedule) *clouds {
	t.Helper()
	return startInCloudsWith(t, schedule, nil)
}

// startInCloudsWith is startInClouds for members whose configuration is changed before they start.
func startInCloudsWith(t testing.TB, schedule blobstore.Schedule, change func(member int, c *node.Config)) *clouds {
	t.Helper()
	drivers.Register()
	s3.Machine(t)(keyID, keySecret)
	c := &clouds{server: s3.Start(t), by: schedule, lost: lost{slog.NewTextHandler(io.Discard, nil), new(atomic.Int64)}}
	c.network, c.bucket = s3.Before(t, c.server.Address), c.server.Bucket("records")
	others := s3.Start(t)
	others.Bucket("records")
	c.others = s3.Before(t, others.Address)
	c.server.Keys(keyID, keySecret)
	others.Keys(keyID, keySecret)
	c.world = &world{Net: testnet.StartChanged(t, 4, func(member int) string {
		if member == 1 {
			return "s3://records?endpoint=http://" + c.network.Address
		}
		return fmt.Sprintf("s3://records?endpoint=http://%s&prefix=member%d", c.others.Address, member)
	}, change, node.Options{Schedule: schedule, Cloud: impatient})}
	return c
}

// impatient opens a bucket that is tried again at once, and so often that no call fails because three of ten connections are reset.
func impatient(ctx context.Context, url string) (*cloud.Bucket, error) {
	return cloud.Open(ctx, url, cloud.Options{Tries: 12, Pause: time.Millisecond, Longest: 20 * time.Millisecond})
}

// restart has member 1 look after its bucket by another schedule, and waits until it has begun to.
func (c *clouds) restart(t *testing.T, ctx context.Context, schedule blobstore.Schedule) {
	t.Helper()
	c.Stop(t, 1)
	c.by = schedule
	c.Restart(t, 1, node.Options{Schedule: schedule, Cloud: impatient, Log: slog.New(c.lost)})
	c.WaitReady(t)
	eventually(t, ctx, "member 1 has listed its bucket and read it through", func() (bool, error) {
		s := c.Nodes[1].Store.Status()
		return !s.Listed.IsZero() && !s.Packed.IsZero() && s.Fresh == 0, nil
	})
}

// publish has a member write records, which are acknowledged.
func (c *clouds) publish(ctx context.Context, member int, drafts ...exchange.Draft) error {
	at, err := c.Nodes[member].Member.Publish(ctx, asker("TREAT"), c.patient.ChartID(), drafts)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drafts, c.at = append(c.drafts, drafts...), append(c.at, at...)
	c.block = max(c.block, at[0].Block)
	return nil
}

// work is what members do while something happens to a bucket: records are written and read, without an end.
type work struct {
	wrote, read [2]atomic.Int64 // by members 0 and 1
	stopped     chan struct{}
	once        sync.Once
	all         sync.WaitGroup
	mu          sync.Mutex
	failed      []error
}

// begin has members 0 and 1 write one record after the other, and read some that were acknowledged, out of their stores. Every write must be acknowledged
// and every read answered whole.
func (c *clouds) begin(t testing.TB, ctx context.Context) *work {
	w := &work{stopped: make(chan struct{})}
	t.Cleanup(w.stop)
	on := func(what string, count *atomic.Int64, do func() error) {
		w.all.Go(func() {
			for {
				if err := do(); err != nil {
					w.mu.Lock()
					defer w.mu.Unlock()
					w.failed = append(w.failed, fmt.Errorf("%s: %w", what, err))
					return
				}
				count.Add(1)
				select {
				case <-w.stopped:
					return
				default:
				}
			}
		})
	}
	var drafts sync.Mutex // of the world's counter
	for member := range 2 {
		on(fmt.Sprintf("member %d writes", member), &w.wrote[member], func() error {
			drafts.Lock()
			d := c.pulse(t)
			drafts.Unlock()
			return c.publish(ctx, member, d)
		})
		on(fmt.Sprintf("member %d reads", member), &w.read[member], func() error { return c.readSome(ctx, member, 8) })
	}
	return w
}

// readSome reads some records out of a member's store and compares them.
func (c *clouds) readSome(ctx context.Context, member, some int) error {
	c.mu.Lock()
	var drafts []exchange.Draft
	var entries []uint64
	for _, i := range rand.Perm(len(c.at))[:min(some, len(c.at))] {
		drafts, entries = append(drafts, c.drafts[i]), append(entries, c.at[i].Entry)
	}
	block := c.block
	c.mu.Unlock()
	slices.Sort(entries)
	m := c.Nodes[member].Member
	if err := m.Followed(ctx, block); err != nil {
		return err
	}
	m.CloseCharts()
	opened, err := m.Open(ctx, asker("TREAT"), c.patient.ChartID(), exchange.Want{Sections: vitals.Sections, Entries: entries})
	if err != nil {
		return err
	}
	defer opened.Close()
	if len(opened.Errors) > 0 {
		return errors.Join(opened.Errors...)
	}
	return right(opened, drafts)
}

// until waits for something that comes while the work goes on.
func (w *work) until(t testing.TB, ctx context.Context, what string, done func() bool) {
	t.Helper()
	eventually(t, ctx, what, func() (bool, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		return done(), errors.Join(w.failed...)
	})
}

// more is true when both members have written and read so much more than when it was asked for.
func (w *work) more(n int64) func() bool {
	var from [4]int64
	now := func() [4]int64 {
		return [4]int64{w.wrote[0].Load(), w.wrote[1].Load(), w.read[0].Load(), w.read[1].Load()}
	}
	from = now()
	return func() bool {
		for i, x := range now() {
			if x < from[i]+n {
				return false
			}
		}
		return true
	}
}

func (w *work) stop() {
	w.once.Do(func() { close(w.stopped) })
	w.all.Wait()
}

// end lets everybody finish what they do.
func (w *work) end(t testing.TB) {
	t.Helper()
	w.stop()
	for _, err := range w.failed {
		t.Error(err)
	}
	t.Logf("wrote %d and %d, read %d and %d times", w.wrote[0].Load(), w.wrote[1].Load(), w.read[0].Load(), w.read[1].Load())
}

// resting waits until a member has everything, and all of it in its bucket, which it has listed and read through since. Nobody asks it to.
func (c *clouds) resting(t testing.TB, ctx context.Context, member int) {
	t.Helper()
	n, by := c.Nodes[member], hasty
	if member == 1 {
		by = c.by
	}
	defer func() {
		if t.Failed() {
			missing, err := n.Member.Missing()
			t.Logf("member %d lacks %d, %v: %+v", member, missing, err, n.Store.Status())
		}
	}()
	for range 2 { // the first listing and reading may have begun before
		since := time.Now()
		eventually(t, ctx, fmt.Sprintf("member %d lists its bucket and reads it through", member), func() (bool, error) {
			s := n.Store.Status()
			return (s.Listed.After(since) || by.List > time.Hour) && (s.Scrubbed.After(since) || by.Scrub < 0), nil
		})
	}
	eventually(t, ctx, fmt.Sprintf("member %d has everything in its bucket", member), func() (bool, error) {
		missing, err := n.Member.Missing()
		s := n.Store.Status()
		return missing == 0 && s.Fresh == 0 && s.Tainted == 0 && s.Found.Lost == 0 && s.Away.IsZero(), err
	})
}

// healed waits until members are as they should be by themselves, and holds all that they have against the ledger.
func (c *clouds) healed(t testing.TB, ctx context.Context, members ...int) {
	t.Helper()
	c.settle(t, ctx)
	for i, n := range c.Nodes {
		eventually(t, ctx, fmt.Sprintf("member %d has everything", i), func() (bool, error) { n, err := n.Member.Missing(); return n == 0, err })
	}
	for _, i := range members {
		c.resting(t, ctx, i)
	}
	for _, i := range members {
		found, checked := c.verified(t, ctx, i, exchange.Verification{All: true})
		if len(found) > 0 || checked.Pending > 0 || checked.Headers < uint64(len(c.at)) {
			t.Errorf("member %d: %v, %+v, of %d records", i, found, checked, len(c.at))
		}
	}
}

// files are the objects of member 1's bucket.
func (c *clouds) files(t testing.TB) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(c.bucket, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it is at work
		}
		if err == nil && d.Type().IsRegular() && strings.Contains(path, "/packs/") {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// nothingWaits waits until all that member 1 has is in its bucket alone, so that only others can give it back.
func (c *clouds) nothingWaits(t testing.TB, ctx context.Context) {
	t.Helper()
	eventually(t, ctx, "nothing of member 1's waits any more", func() (bool, error) {
		s := c.Nodes[1].Store.Status()
		return s.Fresh+s.Waiting+int64(s.Waits)+int64(s.WaitBlobs) == 0, nil
	})
}

// wipe takes all from member 1's bucket at one moment, also while it works.
func (c *clouds) wipe(t testing.TB) {
	t.Helper()
	if len(c.files(t)) == 0 {
		t.Fatal("there is nothing to lose")
	}
	if err := os.Rename(filepath.Join(c.bucket, "packs"), filepath.Join(t.TempDir(), "packs")); err != nil {
		t.Fatal(err)
	}
}

func TestWhateverHappensToOnesBucketTheOthersServeAndItHealsByItself(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	c := startInClouds(t, hasty)
	var drafts []exchange.Draft
	for i := range 60 {
		if i%10 == 0 {
			drafts = append(drafts, c.image(t, 40<<10))
		} else {
			drafts = append(drafts, c.pulse(t))
		}
	}
	c.at = c.chart(t, ctx, drafts...)
	c.drafts = drafts
	for _, m := range []int{0, 1} {
		if err := c.grant(ctx, m, "read,write", "TREAT", nil); err != nil {
			t.Fatal(err)
		}
	}
	c.healed(t, ctx, 1)
	for _, story := range []struct {
		name string
		tell func(*clouds, *testing.T, context.Context)
	}{
		{"wiped", (*clouds).wiped},
		{"some of it altered", (*clouds).altered},
		{"as it was yesterday", (*clouds).rolledBack},
		{"behind a bad network", (*clouds).badNetwork},
		{"without credentials", (*clouds).revoked},
		{"away", (*clouds).away},
	} {
		t.Run(story.name, func(t *testing.T) {
			story.tell(c, t, ctx)
			c.healed(t, ctx, 1)
		})
	}
	c.healed(t, ctx, 0, 1, 2, 3)
	for m := range 2 {
		if err := c.readSome(ctx, m, len(c.at)); err != nil {
			t.Errorf("member %d, all in the end: %v", m, err)
		}
	}
}

// wiped is found out by the listing alone.
func (c *clouds) wiped(t *testing.T, ctx context.Context) { c.harmed(t, ctx, lists, c.wipe) }

// altered is found out by reading all.
func (c *clouds) altered(t *testing.T, ctx context.Context) { c.harmed(t, ctx, scrubs, c.alter) }

// harmed heals by itself: what the others alone can give back, twice, and then while members work.
func (c *clouds) harmed(t *testing.T, ctx context.Context, finds blobstore.Schedule, harm func(testing.TB)) {
	c.restart(t, ctx, finds)
	for range 2 {
		c.nothingWaits(t, ctx)
		harm(t)
		c.healed(t, ctx, 1)
	}
	harm(t)
	w := c.begin(t, ctx)
	w.until(t, ctx, "both write and read", w.more(5))
	w.end(t)
}

// alter changes one object in a hundred, but one at least.
func (c *clouds) alter(t testing.TB) {
	t.Helper()
	altered := map[string]bool{}
	for few := 1; len(altered) < few; { // what the member packs anew meanwhile is not there any more
		sizes := map[string]int64{}
		for _, path := range c.files(t) {
			if info, err := os.Stat(path); err == nil {
				sizes[path] = info.Size()
			} else if !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
		}
		few = (len(sizes) + 99) / 100
		files := slices.SortedFunc(maps.Keys(sizes), func(a, b string) int { return cmp.Compare(sizes[b], sizes[a]) }) // the largest first
		for _, path := range files[:few] {
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			if errors.Is(err, fs.ErrNotExist) || altered[path] {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			for at := int64(100); at < sizes[path]; at += 5000 {
				var b [1]byte
				_, errRead := f.ReadAt(b[:], at)
				b[0] ^= 8
				_, errWrite := f.WriteAt(b[:], at)
				err = errors.Join(err, errRead, errWrite)
			}
			if err = errors.Join(err, f.Close()); err != nil {
				t.Fatal(err)
			}
			altered[path] = true
		}
	}
}

// rolledBack puts the objects of earlier in the place of those that there are. A record was destroyed meanwhile, and packs were made anew.
func (c *clouds) rolledBack(t *testing.T, ctx context.Context) {
	c.restart(t, ctx, lists)                                          // who reads a pack that is gone doesn't know that an older one is there
	if err := c.Nodes[1].Store.Expunge(ctx, time.Now()); err != nil { // after the first of its own, which packs anew: the next is far away
		t.Fatal(err)
	}
	aside, items := t.TempDir(), c.Nodes[1].Store.Status().Items
	copyTree(t, c.bucket, aside)
	w := c.begin(t, ctx)
	w.until(t, ctx, "both write and read", w.more(5))
	w.end(t)
	gone := c.at[0]
	blob := c.record(t, gone).Blob
	if _, err := c.patient.Destroy(ctx, section.Vitals, gone.Entry); err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	c.at, c.drafts = c.at[1:], c.drafts[1:]
	c.mu.Unlock()
	c.healed(t, ctx, 1)
	since := c.Nodes[1].Store.Status().Items - items + 2 // and the two of the record that was destroyed
	told := c.lost.items.Load()
	packs := filepath.Join(c.bucket, "packs") // at once: no listing finds it empty
	if err := errors.Join(os.Rename(packs, filepath.Join(t.TempDir(), "packs")), os.Rename(filepath.Join(aside, "packs"), packs)); err != nil {
		t.Fatal(err)
	}
	w = c.begin(t, ctx)
	w.until(t, ctx, "both write and read", w.more(5))
	w.end(t)
	c.healed(t, ctx, 1)
	if n := c.lost.items.Load() - told; n > since { // fewer: a pack that waits is put again
		t.Errorf("%d things are told as lost, and %d came since the objects that are back", n, since)
	}
	if has, err := c.Nodes[1].Store.Has(blob); has || err != nil {
		t.Errorf("what was destroyed is back: %v", err)
	}
}

// copyTree links files, which keeps what the server noted of them.
func copyTree(t testing.TB, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		}
		return os.Link(path, filepath.Join(to, rel))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// badNetwork makes no call fail: each is made again.
func (c *clouds) badNetwork(t *testing.T, ctx context.Context) {
	c.restart(t, ctx, hasty)
	before, usage := c.network.Reset(), c.usage(t, ctx)
	c.network.Resets.Store(30)
	w := c.begin(t, ctx)
	more := w.more(5)
	w.until(t, ctx, "both write and read, and connections are reset", func() bool { return more() && c.network.Reset() > before+20 })
	w.end(t)
	c.network.Resets.Store(0)
	if u := c.usage(t, ctx); u.Errors != usage.Errors || u.Retries == usage.Retries {
		t.Errorf("calls failed: %+v, before it %+v", u, usage)
	}
}

// usage is what member 1 used its bucket for.
func (c *clouds) usage(t testing.TB, ctx context.Context) cloud.Usage {
	t.Helper()
	s, err := c.Nodes[1].Storage(ctx, false)
	if err != nil {
		t.Fatal(err)
	}
	return s.Usage
}

// fails has the store of member 1 fail several times to put what is fresh into its bucket, while everybody writes and reads.
func (c *clouds) fails(t *testing.T, ctx context.Context) {
	t.Helper()
	errs := func() uint64 { return c.usage(t, ctx).Errors }
	w := c.begin(t, ctx)
	from := errs()
	w.until(t, ctx, "the bucket fails", func() bool { return errs() > from && !c.Nodes[1].Store.Status().Away.IsZero() })
	from = errs()
	more := w.more(5)
	w.until(t, ctx, "both write and read while it fails again and again", func() bool { return more() && errs() > from+5 })
	if s := c.Nodes[1].Store.Status(); s.Away.IsZero() || s.Fresh == 0 {
		t.Errorf("it doesn't say that the cloud is away: %+v", s)
	}
	w.end(t)
}

func (c *clouds) revoked(t *testing.T, ctx context.Context) {
	c.server.NoKeys()
	c.fails(t, ctx)
	if s := c.Nodes[1].Store.Status(); !strings.Contains(s.Why, cloud.ErrRefused.Error()) || strings.Contains(s.Why, keySecret) {
		t.Errorf("it says %q", s.Why)
	}
	c.server.Keys(keyID, keySecret)
}

func (c *clouds) away(t *testing.T, ctx context.Context) {
	c.network.Away(true)
	c.fails(t, ctx)
	c.network.Away(false)
}
