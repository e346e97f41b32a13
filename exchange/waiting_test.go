package exchange_test

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"

	"vitalog/blobstore"
	"vitalog/exchange"
	"vitalog/internal/s3"
	"vitalog/node"
	"vitalog/section"
	"vitalog/wire"
)

// Member 1 acknowledges records that nobody else can fetch from it, packs them, and loses its bucket: it has them, and puts them there again. When others have
// them too they leave its disk.
func TestWhatOneMemberAloneHasOutlivesItsBucket(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	var calls *s3.Proxy // between member 1 and those who call it
	c := startInCloudsWith(t, hasty, func(member int, c *node.Config) {
		if member == 1 {
			calls = callers(t, c)
		}
	})
	c.drafts = []exchange.Draft{c.pulse(t)}
	c.at = c.chart(t, ctx, c.drafts...)
	if err := c.grant(ctx, 1, "read,write", "TREAT", nil); err != nil {
		t.Fatal(err)
	}
	c.settle(t, ctx)
	n := c.Nodes[1]
	calls.Away(true)
	var drafts []exchange.Draft
	for range 20 {
		drafts = append(drafts, c.pulse(t))
	}
	if err := c.publish(ctx, 1, append(drafts, c.image(t, 40<<10))...); err != nil {
		t.Fatal(err)
	}
	const size = 9 << 20 // in two pieces
	scan := bytes.Repeat([]byte("nobody else has this"), size/20)
	attached, err := n.Member.PublishAttachment(ctx, asker("TREAT"), c.patient.ChartID(), exchange.Attached{ID: "scan", ContentType: "application/dicom", Section: section.Vitals}, bytes.NewReader(scan))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Nodes[0].Member.Followed(ctx, attached.Block); err != nil {
		t.Fatal(err)
	}
	var blobs []wire.Hash
	for _, at := range append(c.at[1:], *attached) {
		blobs = append(blobs, c.record(t, at).Blob)
	}
	nothingFresh := func() (bool, error) { return n.Store.Status().Fresh == 0, nil }
	eventually(t, ctx, "member 1 has packed everything", nothingFresh)
	c.alone(t, blobs)
	waits := n.Store.Status()
	if waits.Waits == 0 || waits.WaitBlobs == 0 || waits.Waiting < size || waits.WaitSince.IsZero() {
		t.Errorf("what nobody else has doesn't wait: %+v", waits)
	}
	c.wipe(t)
	opened := func(when string) {
		t.Helper()
		if err := c.readSome(ctx, 1, len(c.at)); err != nil {
			t.Errorf("%s: %v", when, err)
		}
		for _, h := range blobs {
			if _, err := n.Store.Verify(h); err != nil {
				t.Errorf("%s: %v", when, err)
			}
		}
	}
	opened("without a bucket")
	listed := n.Store.Status().Listed
	eventually(t, ctx, "the bucket has everything again", func() (bool, error) {
		s := n.Store.Status()
		return s.Listed.After(listed) && s.Found.Packs == s.Packs && s.Found.Lost == 0 && s.Fresh == 0 && s.Items > int64(2*len(blobs)), nil
	})
	c.alone(t, blobs)
	opened("with the bucket again")
	eventually(t, ctx, "member 1 misses nothing", func() (bool, error) { missing, err := n.Member.Missing(); return missing == 0, err })
	calls.Away(false)
	c.nothingWaits(t, ctx)
	for _, at := range c.at {
		if there, err := n.Member.Available(exchange.Location{Log: at.Log, Entry: at.Entry}); !there || err != nil {
			t.Errorf("what left the disk isn't available: %v", err)
		}
	}
	for _, dir := range []string{"waiting", "objects"} {
		err := filepath.WalkDir(filepath.Join(c.MemberDir(1), "data", "blobs", dir), func(path string, d os.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				t.Errorf("%s is still there", path)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	opened("out of the bucket alone")
	c.healed(t, ctx, 1)
}

// alone holds that nobody but member 1 has some ciphertexts.
func (c *clouds) alone(t testing.TB, blobs []wire.Hash) {
	t.Helper()
	for _, i := range []int{0, 2, 3} {
		for _, h := range blobs {
			if has, err := c.Nodes[i].Store.Has(h); has || err != nil {
				t.Fatalf("member %d has what it can't have fetched: %v", i, err)
			}
		}
	}
}

var _ = blobstore.Held

// callers is a network between a member, which hasn't started yet, and those who call it.
func callers(t testing.TB, c *node.Config) *s3.Proxy {
	t.Helper()
	inside, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	published := c.Peer
	c.Peer = inside.Addr().String()
	inside.Close()
	return s3.At(t, published, c.Peer)
}
