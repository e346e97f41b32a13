// Package node puts one member together: keyring, stores, consensus, release, flows, gateway and the service for patients' apps.
//
// It promises that what it acknowledged survives a kill, that SIGTERM drains what is under way, and that a directory has one process. It
// refuses a directory of a newer format, plain HTTP off localhost, and a keyring that is not the genesis' member.
//
//	member directory
//	  vitalog.toml   configuration, its comments are the manual
//	  genesis.json   how the network began; its hash is the network's id
//	  keyring        the member's secrets, sealed with a passphrase
//	  data/db        ledger, blocks, small ciphertext, headers, sealed index
//	  data/blobs     larger ciphertext by its hash
//	  data/chain     what the consensus engine has signed
package node

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"vitalog/blobstore"
	"vitalog/cloud"
	"vitalog/consensus"
	"vitalog/directory"
	"vitalog/exchange"
	"vitalog/gateway"
	"vitalog/home"
	"vitalog/key"
	"vitalog/keyring"
	"vitalog/kv"
	"vitalog/ledger"
	"vitalog/op"
	"vitalog/peer"
	"vitalog/release"
	"vitalog/smart"
	"vitalog/subscription"
	"vitalog/web"
)

// drain is how long requests under way may take when the member stops.
const drain = 10 * time.Second

// flush is how long a member that stops waits for the traces of what it answered from memory. Later ones get to the ledger after the next
// start.
const flush = 2 * time.Second

// Node is a running member.
type Node struct {
	Config    *Config
	Genesis   *op.Genesis
	Number    int
	Ring      *keyring.Ring
	Chain     *consensus.Node
	Store     *blobstore.Store
	Member    *exchange.Member
	Directory *directory.Directory
	Smart     *smart.Server

	Subscriptions *subscription.Book

	app *web.App // of patients

	bucket *cloud.Bucket // nil: none
	since  time.Time     // the start

	db      *kv.DB
	peers   *peer.Client
	inside  *peer.Server
	outside *http.Server
	watched *http.Server       // for metrics; nil: nowhere
	feed    context.CancelFunc // ends the listener for HL7 v2, which then answers what it has
	fed     sync.WaitGroup
	log     *slog.Logger
	stop    context.CancelFunc
	tasks   sync.WaitGroup
	close   sync.Once
	closed  error // of the one Close

	measured struct {
		mu   sync.Mutex
		text []byte
		at   time.Time
	}

	data    string // directory of what may be lost
	free    func() (uint64, error)
	full    atomic.Pointer[error] // why no writes are taken
	down    chan struct{}         // closed by fail
	failing sync.Once
	why     error // set before down is closed
}

// Options are what a caller may change about a start.
type Options struct {
	Log *slog.Logger
	Now func() time.Time // of consensus; nil: time.Now
	// Ring is the member's keyring if it is open already. nil: Start opens it with the passphrase.
	Ring *keyring.Ring
	// Open opens the stores in a member's data directory, and Free tells the bytes that are free there; nil: those of the disk. Both
	// are for disks that fill up and fail.
	Open func(data string) (*kv.DB, *blobstore.Store, error)
	Free func(data string) (uint64, error)
	// Cloud opens the bucket at a URL. nil: this program reaches no clouds.
	Cloud func(ctx context.Context, url string) (*cloud.Bucket, error)
	// Schedule of the bucket; zero values are the defaults.
	Schedule blobstore.Schedule
}

// Start starts the member in dir. It returns when the member serves; the network's key may still be in the making: see Ready.
func Start(ctx context.Context, dir string, passphrase []byte, o Options) (*Node, error) {
	config, err := Load(dir)
	if err != nil {
		return nil, err
	}
	g, err := LoadGenesis(dir)
	if err != nil {
		return nil, err
	}
	ring := o.Ring
	if ring == nil {
		if ring, err = keyring.Open(filepath.Join(dir, KeyringFile), passphrase); err != nil {
			return nil, err
		}
	}
	o.complete()
	data := filepath.Join(dir, dataDir)
	n := &Node{Config: config, Genesis: g, Ring: ring, Number: -1, log: o.Log, since: time.Now(), data: data, down: make(chan struct{}),
		free: func() (uint64, error) { return o.Free(data) }}
	for i := range g.Members {
		if g.Members[i].Sign == ring.Member().Public() {
			n.Number = i
		}
	}
	if n.Number < 0 {
		return nil, fmt.Errorf("%s: the keyring is of no member in the genesis", dir)
	}
	n.log = n.log.With("member", n.Number)
	if err := n.open(ctx, dir, o); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

// open opens the stores and starts everything on them.
func (n *Node) open(ctx context.Context, dir string, o Options) (err error) {
	if err := os.MkdirAll(n.data, 0o700); err != nil {
		return err
	}
	if n.db, n.Store, err = o.Open(n.data); err != nil {
		return err
	}
	n.Chain, err = consensus.Start(ctx, consensus.Config{Dir: filepath.Join(n.data, "chain"), Genesis: n.Genesis, Member: n.Number, Vote: n.Ring.Vote(), Node: n.Ring.Node(),
		Listen: n.Config.Consensus, Store: n.db, Log: n.log, Now: o.Now})
	if err != nil {
		return err
	}
	return n.serve(ctx, dir, o)
}

// serve starts everything that answers, and the tasks that follow the ledger.
func (n *Node) serve(ctx context.Context, dir string, o Options) error {
	cert, err := n.Ring.Certificate()
	if err != nil {
		return err
	}
	n.peers = peer.NewClient(n.Genesis, cert)
	holder, err := release.New(n.Chain, n.Ring, n.Store, n.peers)
	if err != nil {
		return err
	}
	holder.Log = n.log
	n.Member, err = exchange.New(exchange.Config{Genesis: n.Genesis, Number: n.Number, Ring: n.Ring, Node: n.Chain, Store: n.Store,
		Index: n.db.Prefix("member/"), Peers: n.peers, Release: holder.Near(n.peers), Log: n.log,
		OpenBytes: n.Config.OpenMiB << 20, OpenIdle: n.Config.OpenIdle, Keep: n.Config.Retention, Across: n.Config.SearchAcross, Panel: n.db.Prefix("panel/")})
	if err != nil {
		return err
	}
	if err := n.attach(ctx, o); err != nil {
		return err
	}
	if n.Directory, err = directory.Open(n.db, n.Genesis, n.Number, n.Ring.Member()); err != nil {
		return err
	}
	if n.Directory.Heads()[n.Number] == 0 && len(n.Genesis.Members) > 1 {
		n.Directory.Await()
	}
	routes := n.Member.Routes()
	for name, h := range holder.Routes() {
		routes[name] = h
	}
	routes[directoryRoute] = n.serveDirectory
	l, err := net.Listen("tcp", n.Config.Peer)
	if err != nil {
		return fmt.Errorf("listening for members: %w", err)
	}
	if n.inside, err = peer.Listen(n.Genesis, cert, l, routes); err != nil {
		return errors.Join(err, l.Close())
	}
	ctx, n.stop = context.WithCancel(context.Background())
	n.task(ctx, "store", func(ctx context.Context) error { return n.Store.Keep(ctx, o.Schedule, n.log) })
	n.task(ctx, "release", holder.Run)
	n.task(ctx, "follow", n.Member.Run)
	n.task(ctx, "directory", n.syncDirectory)
	n.task(ctx, "votes", n.endAbstaining)
	n.task(ctx, "space", n.watchSpace)
	n.Subscriptions, err = subscription.Open(subscription.Config{Member: n.Member, Chain: n.Chain, Ring: n.Ring, DB: n.db.Prefix("subscriptions/"), Base: n.Config.URL() + "/fhir",
		Log: n.log, Endpoints: n.Config.SubscriptionEndpoints})
	if err != nil {
		return err
	}
	n.task(ctx, "subscriptions", n.Subscriptions.Run)
	return n.serveAPI(ctx, dir)
}

// serveAPI opens the door to software and patients' apps.
func (n *Node) serveAPI(ctx context.Context, dir string) error {
	mux := http.NewServeMux()
	if err := n.serveSmart(dir, mux); err != nil {
		return err
	}
	fhir := gateway.New(gateway.Config{Member: n.Member, Directory: n.Directory, Base: n.Config.URL() + "/fhir", Tokens: n.Ring.Tokens().Public(), Revoked: n.Smart.Revoked, Ready: n.Ready,
		Stalled: func() time.Duration { return n.Chain.Status().HaltedFor }, Log: n.log, Subscriptions: n.Subscriptions, Validation: n.Config.Validation, AcrossCharts: n.Config.SearchCharts})
	mux.Handle("/", smart.AnyOrigin(fhir))
	if err := n.serveHL7(dir, mux, n.guarded(fhir)); err != nil {
		return err
	}
	links, err := home.OpenLinks(n.Member, n.Ring, n.db.Prefix("links/"), n.Config.URL(), n.log)
	if err != nil {
		return err
	}
	n.task(ctx, "health links", links.Run)
	mux.Handle(home.LinkPrefix, smart.AnyOrigin(links))
	patients := home.NewServer(n.Member, links, n.log)
	mux.Handle(home.Prefix, patients)
	mux.Handle(ControlPrefix, n.control())
	app, err := web.New()
	if err != nil {
		return err
	}
	n.app = app
	for _, pattern := range app.Patterns() {
		mux.Handle(pattern, app)
	}
	l, err := net.Listen("tcp", n.Config.API)
	if err != nil {
		return fmt.Errorf("listening for software: %w", err)
	}
	n.outside = &http.Server{Handler: n.guarded(mux), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 10 * time.Minute, WriteTimeout: 10 * time.Minute, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(n.log.Handler(), slog.LevelDebug)}
	n.outside.RegisterOnShutdown(patients.Close)
	if err := n.serveMetrics(dir); err != nil {
		return errors.Join(err, l.Close())
	}
	if n.Config.TLSCertificate != "" {
		cert, err := tls.LoadX509KeyPair(inDir(dir, n.Config.TLSCertificate), inDir(dir, n.Config.TLSKey))
		if err != nil {
			l.Close()
			return fmt.Errorf("certificate for %s: %w", n.Config.API, err)
		}
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}})
	}
	n.tasks.Go(func() {
		if err := n.outside.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			n.log.Error("serving software", "err", err)
		}
	})
	return nil
}

func inDir(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// task runs something until the member stops.
func (n *Node) task(ctx context.Context, name string, run func(context.Context) error) {
	n.tasks.Go(func() {
		if err := run(ctx); err != nil && ctx.Err() == nil {
			n.log.Error("a task ended", "task", name, "err", err)
		}
	})
}

// Ready says why the member can't do its work yet, in words that anybody may see.
func (n *Node) Ready() error {
	if !n.Chain.Ready() {
		return errors.New("catching up with the network")
	}
	if n.Chain.Ledger().NetworkKey(0) == nil {
		return errors.New("the network's key is being made")
	}
	if n.Room() != nil {
		return errors.New("the disk is full: no writes are taken")
	}
	if err := n.db.Failed(); err != nil {
		return errors.New("the disk failed: see the log")
	}
	if !n.Directory.Complete() {
		return errors.New("fetching the directory from the other members")
	}
	return nil
}

// WaitReady waits until the member can do its work.
func (n *Node) WaitReady(ctx context.Context) error {
	if err := n.Chain.WaitReady(ctx); err != nil {
		return err
	}
	have := make(chan struct{}, 1)
	cancel := n.Chain.Subscribe(func(*ledger.Block) {
		select {
		case have <- struct{}{}:
		default:
		}
	})
	defer cancel()
	for n.Chain.Ledger().NetworkKey(0) == nil {
		select {
		case <-have:
		case <-ctx.Done():
			return fmt.Errorf("waiting for the network's key: %w", ctx.Err())
		}
	}
	return n.Directory.WaitComplete(ctx)
}

// nudgeEvery is how long a member that must not vote yet waits for others to make blocks, before it has one made; then twice as long.
const nudgeEvery = 2 * time.Second

// endAbstaining has blocks made while this member, which lost its last vote, waits for them. See consensus/DESIGN.md.
func (n *Node) endAbstaining(ctx context.Context) error {
	if err := n.Chain.WaitReady(ctx); err != nil {
		return err
	}
	for wait := nudgeEvery; n.Chain.Status().Abstains; wait = min(2*wait, time.Minute) {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil
		}
		if k := n.Chain.Ledger().NetworkKey(0); k != nil { // while it is made there are blocks
			n.Chain.Nudge(op.Sign(n.Genesis.Network(), n.Ring.Member(), key.Log{}, uint64(time.Now().Add(time.Minute).UnixMilli()), &op.Tick{Gen: k.Gen}))
		}
	}
	return nil
}

// Close drains requests under way and stops the member; those that take longer than drain are ended. What was acknowledged is on the
// disk. Closing again gives the same answer.
func (n *Node) Close() error {
	n.close.Do(func() { n.closed = n.shut() })
	return n.closed
}

func (n *Node) shut() error {
	var errs []error
	if n.feed != nil {
		n.feed()
		n.fed.Wait()
	}
	if n.outside != nil {
		ctx, cancel := context.WithTimeout(context.Background(), drain)
		defer cancel()
		if err := n.outside.Shutdown(ctx); err != nil {
			errs = append(errs, fmt.Errorf("requests under way were ended: %w", err), n.outside.Close())
		}
	}
	if n.watched != nil {
		errs = append(errs, n.watched.Close())
	}
	if n.Member != nil {
		ctx, cancel := context.WithTimeout(context.Background(), flush)
		if err := n.Member.Flushed(ctx); err != nil {
			n.log.Warn("stopping", "err", err)
		}
		cancel()
	}
	if n.stop != nil {
		n.stop()
	}
	if n.inside != nil {
		errs = append(errs, n.inside.Close())
	}
	n.tasks.Wait()
	if n.peers != nil {
		n.peers.Close()
	}
	if n.Chain != nil {
		errs = append(errs, n.Chain.Stop())
	}
	if n.Store != nil {
		errs = append(errs, n.Store.Close())
	}
	if n.db != nil {
		errs = append(errs, n.db.Close())
	}
	return errors.Join(errs...)
}
