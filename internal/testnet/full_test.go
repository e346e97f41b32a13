package testnet_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"vitalog/blobstore"
	"vitalog/internal/testnet"
	"vitalog/kv"
	"vitalog/node"
)

// disk is a member's disk that fills up when the test says so.
type disk struct {
	free atomic.Int64 // bytes that the member is told are free
	left atomic.Int64 // changes that succeed before there is no space
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
	return node.Options{Log: slog.New(slog.DiscardHandler),
		Free: func(string) (uint64, error) { return uint64(d.free.Load()), nil },
		Open: func(data string) (*kv.DB, *blobstore.Store, error) {
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
		}}
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
