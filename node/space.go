package node

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"vitalog/blobstore"
	"vitalog/kv"
)

// spaceEvery is how often a member looks how much room there is.
const spaceEvery = time.Second

// ErrDiskFull says that there is too little room for new records. What was acknowledged is safe.
var ErrDiskFull = errors.New("disk full")

// Room is nil, or ErrDiskFull with what to do.
func (n *Node) Room() error {
	if err := n.full.Load(); err != nil {
		return *err
	}
	return nil
}

// Down is closed when the member can't go on, since its disk failed or is nearly full, or the engine stopped: close it. Why says which.
func (n *Node) Down() <-chan struct{} { return n.down }

// Why is the reason why the member can't go on; nil while it can.
func (n *Node) Why() error {
	select {
	case <-n.down:
		return n.why
	default:
		return nil
	}
}

// Keep runs the member in dir until ctx ends or it fails for good. When the disk is full it closes the member, waits until there is room, and starts it
// again; what was acknowledged is there. Meanwhile what is fresh of its ciphertext moves into its bucket, which may be what makes room. started is called after each start; its error ends the member.
func Keep(ctx context.Context, dir string, passphrase []byte, o Options, started func(*Node) error) error {
	for {
		n, err := Start(ctx, dir, passphrase, o)
		if err != nil {
			return err
		}
		if err := started(n); err != nil && n.Chain.Status().Failed == nil {
			return errors.Join(err, n.Close())
		}
		select {
		case <-ctx.Done():
			o.Log.Info("stopping", "why", context.Cause(ctx).Error())
			return n.Close()
		case <-n.down:
		}
		err = errors.Join(n.why, n.Close())
		if free, unknown := n.free(); !errors.Is(err, ErrDiskFull) && !errors.Is(err, syscall.ENOSPC) && (unknown != nil || free >= n.reserve()) {
			return err
		}
		o.Log.Error("the member waits for room on the disk", "member", n.Number, "err", n.why)
		if err := n.awaitRoom(ctx, o); err != nil {
			return nil // ctx ended
		}
		o.Ring = n.Ring
	}
}

// watchSpace has the doors refuse writes below the reserve, and the member stop in order below a quarter of it, before the disk fails. It
// also notices when the disk failed or the engine stopped.
func (n *Node) watchSpace(ctx context.Context) error {
	tick := time.NewTicker(spaceEvery)
	defer tick.Stop()
	for {
		free, err := n.free()
		switch {
		case err != nil: // not every disk tells: then a write that fails does
			n.full.Store(nil)
		case free < n.reserve():
			full := fmt.Errorf("%w: %d MiB free in %s, and %d are the reserve: free space, then the member goes on by itself", ErrDiskFull, free>>20, n.data, n.reserve()>>20)
			if n.full.Swap(&full) == nil {
				n.log.Error("no writes are taken", "err", full)
			}
			if free < n.reserve()/4 {
				n.fail(full)
			}
		default:
			n.full.Store(nil)
		}
		select {
		case <-tick.C:
		case <-n.Chain.Stopped():
			err := n.Chain.Status().Failed
			if errors.Is(err, syscall.ENOSPC) {
				err = fmt.Errorf("%w: free space, then the member goes on by itself: %w", ErrDiskFull, err)
				n.full.Store(&err)
			}
			n.fail(err)
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

func (n *Node) fail(why error) {
	n.failing.Do(func() {
		n.why = why
		close(n.down)
	})
}

func (n *Node) awaitRoom(ctx context.Context, o Options) error {
	tick := time.NewTicker(spaceEvery)
	defer tick.Stop()
	for {
		if free, err := n.free(); err == nil && free >= n.reserve() {
			return nil
		}
		if err := n.relieve(ctx, o); err != nil && ctx.Err() == nil {
			n.log.Warn("what is fresh can't be moved into the bucket to make room", "err", err)
		} else if free, err := n.free(); err == nil && free >= n.reserve() {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// relieve moves what a member that is stopped has fresh into its bucket, if it has one.
func (n *Node) relieve(ctx context.Context, o Options) (err error) {
	if n.Config.Bucket == "" || o.Cloud == nil {
		return nil
	}
	o.complete()
	db, store, err := o.Open(n.data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close(), db.Close()) }()
	b, err := o.Cloud(ctx, n.Config.Bucket)
	if err != nil {
		return err
	}
	if err := store.Attach(b, n.Ring.Storage(), nil); err != nil {
		return errors.Join(err, b.Close())
	}
	if store.Status().Fresh > 0 {
		_, err = store.Flush(ctx)
	}
	if free, unknown := n.free(); err == nil && (unknown != nil || free < n.reserve()) {
		err = store.Leave() // a member that never starts again gives nobody anything
	}
	return err
}

func (n *Node) reserve() uint64 { return n.Config.Reserve() }

// guarded refuses what would write while there is no room: 507, as an OperationOutcome, which clients of both doors can read.
func (n *Node) guarded(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := n.Room()
		reads := r.Method == http.MethodGet || r.Method == http.MethodHead || strings.HasSuffix(r.URL.Path, "/_search") || strings.HasPrefix(r.URL.Path, ControlPrefix)
		if err == nil || reads {
			h.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/fhir+json")
		w.WriteHeader(http.StatusInsufficientStorage)
		fmt.Fprint(w, `{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"no-store","diagnostics":"Disk full: this member takes no writes until there is room. Nothing was stored."}]}`)
	})
}

func (o *Options) complete() {
	if o.Open == nil {
		o.Open = openStores
	}
	if o.Free == nil {
		o.Free = kv.Free
	}
}

func openStores(data string) (*kv.DB, *blobstore.Store, error) {
	db, err := kv.Open(filepath.Join(data, "db"))
	if err != nil {
		return nil, nil, err
	}
	s, err := blobstore.Open(filepath.Join(data, "blobs"), db)
	return db, s, err
}
