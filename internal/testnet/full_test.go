package testnet_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"vitalog/blobstore"
	"vitalog/cloud"
	"vitalog/cloud/drivers"
	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/internal/s3"
	"vitalog/internal/testnet"
	"vitalog/kv"
	"vitalog/node"
	"vitalog/section"
)

// disk is a member's disk that fills up when the test says so.
type disk struct {
	free  atomic.Int64 // bytes that the member is told are free
	left  atomic.Int64 // changes that succeed before there is no space
	fresh atomic.Bool  // free is what there is while a ciphertext has a file on the disk: without one it is roomy
	more  node.Options // beside what the disk needs
}

const roomy = 1 << 40

func newDisk() *disk {
	d := &disk{}
	d.room()
	return d
}

func (d *disk) room() {
	d.free.Store(roomy)
	d.left.Store(roomy)
}

func (d *disk) options() node.Options {
	o := d.more
	o.Log = slog.New(slog.DiscardHandler)
	o.Free = func(data string) (uint64, error) {
		if d.fresh.Load() {
			if files, err := filepath.Glob(filepath.Join(data, "blobs", "objects", "*", "*")); err != nil || len(files) == 0 {
				return roomy, err
			}
		}
		if d.left.Load() < 0 {
			return 0, nil
		}
		return uint64(d.free.Load()), nil
	}
	o.Open = func(data string) (*kv.DB, *blobstore.Store, error) {
		fs := errorfs.Wrap(vfs.Default, errorfs.InjectorFunc(func(o errorfs.Op) error {
			if o.Kind.ReadOrWrite() == errorfs.OpIsWrite && o.Kind != errorfs.OpFilePreallocate && d.left.Add(-1) < 0 {
				return syscall.ENOSPC
			}
			return nil
		}))
		db, err := kv.OpenFS(fs, filepath.Join(data, "db"))
		if err != nil {
			return nil, nil, err
		}
		s, err := blobstore.OpenFS(fs, filepath.Join(data, "blobs"), db)
		return db, s, err
	}
	return o
}

// keep runs a member as 'vitalog up' does, and returns the nodes that are started one after the other.
func keep(t *testing.T, n *testnet.Net, i int, d *disk) <-chan *node.Node {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	started, ended := make(chan *node.Node, 16), make(chan error, 1)
	go func() {
		ended <- node.Keep(ctx, n.MemberDir(i), testnet.Passphrase(), d.options(), func(m *node.Node) error {
			err := m.WaitReady(ctx)
			started <- m
			return err
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("member %d: %v", i, err)
		}
	})
	return started
}

func next(t *testing.T, ctx context.Context, started <-chan *node.Node) *node.Node {
	t.Helper()
	select {
	case m := <-started:
		return m
	case <-ctx.Done():
		t.Fatal("it did not start again")
		return nil
	}
}

func TestADiskThatIsFullInTheMiddleOfAWriteLosesNothingAcknowledgedAndTheMemberGoesOnByItself(t *testing.T) {
	n := testnet.Start(t, 4, 0)
	ctx := limit(t)
	n.Stop(t, 3)
	d := newDisk()
	started := keep(t, n, 3, d)
	m := next(t, ctx, started)
	chart := enrol(t, ctx, m)
	kept := []string{"a0"}
	write(t, ctx, m, chart, kept...)
	others := enrol(t, ctx, n.Nodes[0])
	for round := range 3 {
		d.free.Store(0) // as a disk that is full says, which the member may see before or after its write fails
		d.left.Store(int64(5 * round))
		var err error
		for i := 0; err == nil; i++ {
			id := "r" + strings.Repeat("x", round) + strings.Repeat("y", i)
			if err = publish(ctx, m, chart, id); err == nil {
				kept = append(kept, id)
			}
		}
		<-m.Down()
		if err := m.Why(); !errors.Is(err, node.ErrDiskFull) || !strings.Contains(err.Error(), "free space") {
			t.Errorf("round %d: it ended because of %v, want the full disk and what to do", round, err)
		}
		write(t, ctx, n.Nodes[0], others, "o"+strings.Repeat("x", round))
		d.room()
		m = next(t, ctx, started)
		write(t, ctx, m, chart, "again"+strings.Repeat("x", round))
		whole(t, ctx, m, n.Nodes[0])
	}
	opened, err := m.Member.Open(ctx, physician, chart, vitals)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range kept {
		if opened.Chart.Get("Observation", id) == nil {
			t.Errorf("%s was acknowledged and is not there", id)
		}
	}
}

func TestBelowTheReserveTheDoorRefusesWritesAndReadsGoOn(t *testing.T) {
	n := testnet.Start(t, 1, 0)
	ctx := limit(t)
	n.Stop(t, 0)
	d := newDisk()
	m := next(t, ctx, keep(t, n, 0, d))
	post := func() (int, string) {
		resp, err := http.Post(m.Config.URL()+"/fhir/Organization", "application/fhir+json", strings.NewReader(`{"resourceType":"Organization"}`))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(b)
	}
	if code, _ := post(); code == http.StatusInsufficientStorage {
		t.Error("with room it refuses writes")
	}
	d.free.Store(200 << 20)
	until(t, ctx, m, "it sees that there is little room", func() bool { return m.Room() != nil })
	if code, body := post(); code != http.StatusInsufficientStorage || !strings.Contains(body, "Disk full") {
		t.Errorf("it answers %d %s", code, body)
	}
	s, err := m.Status()
	if err != nil || s.Ready || !strings.Contains(s.Disk, "200 MiB free") {
		t.Errorf("status %+v, %v", s, err)
	}
	resp, err := http.Get(m.Config.URL() + "/fhir/metadata")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("reading: %v, %v", resp, err)
	}
	d.room()
	until(t, ctx, m, "it sees that there is room", func() bool { return m.Room() == nil })
	if code, _ := post(); code == http.StatusInsufficientStorage {
		t.Error("with room again it refuses writes")
	}
}

// A disk that is full of what isn't in the bucket yet has room again when that is there: the member waits for it, and for nobody.
func TestADiskThatIsFullOfWhatTheBucketDidNotTakeGoesOnWhenItDoes(t *testing.T) {
	drivers.Register()
	s3.Machine(t)("member", "secret")
	server := s3.Start(t)
	server.Keys("member", "secret")
	server.Bucket("records")
	network := s3.Before(t, server.Address)
	d := newDisk()
	d.more = node.Options{Schedule: blobstore.Schedule{Fresh: 100 * time.Millisecond, Again: 20 * time.Millisecond}, Cloud: func(ctx context.Context, url string) (*cloud.Bucket, error) {
		return cloud.Open(ctx, url, cloud.Options{Pause: time.Millisecond, Longest: 20 * time.Millisecond})
	}}
	n := testnet.StartInBuckets(t, 4, func(member int) string {
		address := server.Address
		if member == 3 {
			address = network.Address
		}
		return fmt.Sprintf("s3://records?endpoint=http://%s&prefix=member%d", address, member)
	}, d.more)
	ctx := limit(t)
	n.Stop(t, 3)
	started := keep(t, n, 3, d)
	m := next(t, ctx, started)
	chart := enrol(t, ctx, m)
	image := func(id string) exchange.Draft {
		data := make([]byte, 40<<10)
		rand.Read(data)
		r, err := fhir.Parse(fmt.Appendf(nil, `{"resourceType":"Binary","id":%q,"contentType":"image/png","data":%q}`, id, base64.StdEncoding.EncodeToString(data)))
		if err != nil {
			t.Fatal(err)
		}
		return exchange.Draft{Resource: r, ID: id, Section: section.Vitals, Group: id}
	}
	var kept []exchange.Draft
	publish := func(id string) {
		t.Helper()
		x := image(id)
		if _, err := m.Member.Publish(ctx, physician, chart, []exchange.Draft{x}); err != nil {
			t.Fatal(err)
		}
		kept = append(kept, x)
	}
	check := func(when string) {
		t.Helper()
		m.Member.CloseCharts()
		opened, err := m.Member.Open(ctx, physician, chart, vitals)
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		defer opened.Close()
		for _, x := range kept {
			if r := opened.Chart.Get("Binary", x.ID); r == nil || !bytes.Equal(r.Current().Item.Raw, x.Resource.Raw()) {
				t.Errorf("%s: %s was acknowledged and isn't as it was: %v", when, x.ID, opened.Errors)
			}
		}
	}
	publish("first")
	for _, other := range n.Nodes[:3] {
		whole(t, ctx, other, m)
	}
	network.Away(true)
	publish("before")
	for round, free := range []int64{200 << 20, 10 << 20} { // below the reserve, and below what a member needs to run
		d.free.Store(free)
		d.fresh.Store(true)
		if round == 0 {
			until(t, ctx, m, "it sees that there is little room", func() bool { return errors.Is(m.Room(), node.ErrDiskFull) })
			check("with little room")
		} else {
			<-m.Down()
			if err := m.Why(); !errors.Is(err, node.ErrDiskFull) || !strings.Contains(err.Error(), "free space") {
				t.Errorf("it ended because of %v, want the full disk and what to do", err)
			}
		}
		network.Away(false)
		if round == 1 {
			m = next(t, ctx, started)
		}
		until(t, ctx, m, "what was fresh is in the bucket, and there is room", func() bool { return m.Room() == nil })
		check("with room again")
		network.Away(true)
		publish(fmt.Sprint("after-", round))
	}
	d.fresh.Store(false)
	d.room()
	network.Away(false)
	until(t, ctx, m, "all is in the bucket", func() bool { return m.Store.Status().Fresh == 0 })
	whole(t, ctx, m, n.Nodes[0])
	check("in the end")
}
