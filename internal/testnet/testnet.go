// Package testnet starts whole members in one process, for tests: real consensus, real stores, real connections.
package testnet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"vitalog/cloud"
	"vitalog/node"
	"vitalog/op"

	"golang.org/x/sync/errgroup"
)

// Net is a network of members.
type Net struct {
	Dir   string
	Nodes []*node.Node
}

// passphrase opens every keyring of a test network.
const passphrase = "correct horse battery staple"

// Passphrase is a copy of it.
func Passphrase() []byte { return []byte(passphrase) }

// startTime is how long a network may take until its key is made.
const startTime = 3 * time.Minute

// MemberDir is the directory of member i.
func (n *Net) MemberDir(i int) string { return filepath.Join(n.Dir, fmt.Sprint("member", i)) }

// Start founds a network of that many validators and observers, and waits until every member can do its work. It ends with the test.
func Start(t testing.TB, validators, observers int) *Net {
	t.Helper()
	return start(t, validators, observers, func(int) string { return "" }, nil, node.Options{})
}

// StartInBuckets is Start for validators that keep their ciphertext in buckets, at the URLs that bucket tells.
func StartInBuckets(t testing.TB, validators int, bucket func(member int) string, o node.Options) *Net {
	t.Helper()
	return start(t, validators, 0, bucket, nil, o)
}

// StartChanged is StartInBuckets for validators whose configuration is changed before they start: the genesis has the addresses of before.
func StartChanged(t testing.TB, validators int, bucket func(member int) string, change func(member int, c *node.Config), o node.Options) *Net {
	t.Helper()
	return start(t, validators, 0, bucket, change, o)
}

func start(t testing.TB, validators, observers int, bucket func(int) string, change func(int, *node.Config), o node.Options) *Net {
	t.Helper()
	n, err := found(t.TempDir(), validators, observers, bucket, change, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for i := range n.Nodes {
			n.Stop(t, i)
		}
	})
	return n
}

// Found is Start for a network that several tests share: its directory and its end are the caller's.
func Found(dir string, validators, observers int) (*Net, error) {
	return found(dir, validators, observers, func(int) string { return "" }, nil, node.Options{})
}

func found(dir string, validators, observers int, bucket func(int) string, change func(int, *node.Config), o node.Options) (*Net, error) {
	n := &Net{Dir: dir, Nodes: make([]*node.Node, validators+observers)}
	var list []node.Founder
	for i := range n.Nodes {
		list = append(list, node.Founder{Dir: n.MemberDir(i), Name: fmt.Sprint("Member ", i), Kind: op.Provider, Validator: i < validators, Bucket: bucket(i), Passphrase: []byte(passphrase)})
	}
	rings, err := node.Found("test", op.DefaultParams, list)
	if err != nil {
		return nil, err
	}
	for i := range n.Nodes {
		if change == nil {
			break
		}
		c, err := node.Load(n.MemberDir(i))
		if err != nil {
			return nil, err
		}
		change(i, c)
		if err := c.Save(n.MemberDir(i)); err != nil {
			return nil, err
		}
	}
	var g errgroup.Group
	for i := range n.Nodes {
		own := o
		own.Ring = rings[i]
		g.Go(func() error { return n.start(i, own) })
	}
	if err := g.Wait(); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, n.ready()
}

// Settle waits until every member has put its further uses on the ledger, and followed it to where it is then.
func (n *Net) Settle(ctx context.Context) error {
	var height uint64
	for _, m := range n.Nodes {
		if err := m.Member.Flushed(ctx); err != nil {
			return err
		}
	}
	for _, m := range n.Nodes {
		height = max(height, m.Chain.Ledger().Height())
	}
	for _, m := range n.Nodes {
		if err := m.Member.Followed(ctx, height); err != nil {
			return err
		}
	}
	return nil
}

// Close stops the members.
func (n *Net) Close() error {
	var g errgroup.Group
	for i := range n.Nodes {
		if m := n.Nodes[i]; m != nil {
			n.Nodes[i] = nil
			g.Go(m.Close)
		}
	}
	return g.Wait()
}

func (n *Net) start(i int, o node.Options) (err error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Cloud == nil {
		o.Cloud = func(ctx context.Context, url string) (*cloud.Bucket, error) {
			return cloud.Open(ctx, url, cloud.Options{})
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	n.Nodes[i], err = node.Start(ctx, n.MemberDir(i), []byte(passphrase), o)
	return err
}

// WaitReady waits until every running member can do its work.
func (n *Net) WaitReady(t testing.TB) {
	t.Helper()
	if err := n.ready(); err != nil {
		t.Fatal(err)
	}
}

func (n *Net) ready() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	for i, m := range n.Nodes {
		if m == nil {
			continue
		}
		if err := m.WaitReady(ctx); err != nil {
			return fmt.Errorf("member %d: %w", i, err)
		}
	}
	return nil
}

// Stop stops member i, if it runs.
func (n *Net) Stop(t testing.TB, i int) {
	t.Helper()
	if n.Nodes[i] == nil {
		return
	}
	if err := n.Nodes[i].Close(); err != nil {
		t.Errorf("stopping member %d: %v", i, err)
	}
	n.Nodes[i] = nil
}

// Restart starts member i again from its directory.
func (n *Net) Restart(t testing.TB, i int, o node.Options) {
	t.Helper()
	if err := n.start(i, o); err != nil {
		t.Fatal(err)
	}
}
