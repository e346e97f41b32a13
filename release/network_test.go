package release_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"vitalog/blobstore"
	"vitalog/key"
	"vitalog/keyring"
	"vitalog/kv"
	"vitalog/ledger"
	"vitalog/op"
	"vitalog/peer"
	"vitalog/release"
)

// network drives the ledgers of all its members with the same blocks, in process. Its clock is the machine's, moved by skip.
type network struct {
	t       testing.TB
	genesis *op.Genesis
	members []*member

	mu     sync.Mutex
	blocks []block
	skip   time.Duration
}

type block struct {
	clock uint64
	ops   []*op.Operation
}

// member is one member's real ring, store and ledger. It is a release.Chain.
type member struct {
	net    *network
	number int
	path   string
	ring   *keyring.Ring
	store  *blobstore.Store

	mu      sync.Mutex
	ledger  *ledger.Ledger
	service *release.Service
	behind  bool // its ledger gets no blocks
	down    bool // it answers no calls
	stalls  bool // it doesn't even refuse them
	subs    map[int]func(*ledger.Block)
	next    int
	waits   func()                                        // runs when somebody waits for an entry
	mangle  func(route string, body, reply []byte) []byte // what it sends instead of its reply
	before  func() error                                  // runs before each Submit of its own; an error stops it
	after   func() error                                  // runs after it
}

const passphrase = "correct horse battery staple"

// newNetwork founds a network of n validators, whose ceremony phases last at most phase.
func newNetwork(t testing.TB, n int, phase time.Duration) *network {
	t.Helper()
	net := &network{t: t, genesis: &op.Genesis{Version: op.Version, Name: "test", Founded: 1, Params: op.DefaultParams}}
	net.genesis.Params.CeremonyPhase = uint64(phase.Milliseconds())
	dir := t.TempDir()
	for i := range n {
		m := &member{net: net, number: i, path: filepath.Join(dir, fmt.Sprintf("ring%d", i)), subs: map[int]func(*ledger.Block){}}
		var err error
		if m.ring, err = keyring.Create(m.path, []byte(passphrase)); err != nil {
			t.Fatal(err)
		}
		p, err := m.ring.Public()
		if err != nil {
			t.Fatal(err)
		}
		p.Name, p.Kind, p.Validator = fmt.Sprintf("member %d", i), op.Provider, true
		net.genesis.Members = append(net.genesis.Members, p)
		net.members = append(net.members, m)
		db, err := kv.Open(filepath.Join(dir, fmt.Sprintf("kv%d", i)))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		if m.store, err = blobstore.Open(filepath.Join(dir, fmt.Sprintf("blobs%d", i)), db); err != nil {
			t.Fatal(err)
		}
	}
	if err := net.genesis.Check(); err != nil {
		t.Fatal(err)
	}
	for _, m := range net.members {
		if err := m.ring.Join(net.genesis.Network()); err != nil {
			t.Fatal(err)
		}
		var err error
		if m.ledger, err = ledger.Open(net.genesis, ledger.NewMemory()); err != nil {
			t.Fatal(err)
		}
		m.start(t)
	}
	return net
}

// start makes the member's service from its ring and store, as after a restart.
func (m *member) start(t testing.TB) {
	t.Helper()
	s, err := release.New(m, m.ring, m.store, m.net)
	if err != nil {
		t.Fatal(err)
	}
	s.Now = m.net.now
	m.mu.Lock()
	defer m.mu.Unlock()
	m.service = s
}

// restart opens the ring from its file, as a new process would.
func (m *member) restart(t testing.TB) {
	t.Helper()
	ring, err := keyring.Open(m.path, []byte(passphrase))
	if err != nil {
		t.Fatal(err)
	}
	m.ring = ring
	m.start(t)
}

func (n *network) now() time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return time.Now().Add(n.skip)
}

func (n *network) ms() uint64 { return uint64(n.now().UnixMilli()) }

// later moves the clock of everybody.
func (n *network) later(d time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.skip += d
}

// commit makes one block of ops and gives it to every member that isn't behind. All must come to the same state.
func (n *network) commit(ops ...*op.Operation) []ledger.Result {
	clock := n.ms()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.blocks = append(n.blocks, block{clock, ops})
	var results []ledger.Result
	for _, m := range n.members {
		if r := m.catchUp(n.blocks); r != nil {
			results = r
		}
	}
	return results
}

// catchUp executes the blocks that the member has not seen and returns the results of the last one.
func (m *member) catchUp(blocks []block) (results []ledger.Result) {
	m.mu.Lock()
	if m.behind {
		m.mu.Unlock()
		return nil
	}
	var done []*ledger.Block
	for h := m.ledger.Height(); h < uint64(len(blocks)); h++ {
		var err error
		if results, _, err = m.ledger.Execute(h+1, blocks[h].clock, blocks[h].ops); err != nil {
			panic(err)
		}
		b, err := m.ledger.Commit()
		if err != nil {
			panic(err)
		}
		done = append(done, b)
	}
	var subs []func(*ledger.Block)
	for _, fn := range m.subs {
		subs = append(subs, fn)
	}
	m.mu.Unlock()
	for _, b := range done {
		for _, fn := range subs {
			fn(b)
		}
	}
	return results
}

// join ends a member's being behind.
func (m *member) join() {
	m.mu.Lock()
	m.behind = false
	m.mu.Unlock()
	m.net.mu.Lock()
	defer m.net.mu.Unlock()
	m.catchUp(m.net.blocks)
}

func (m *member) Ledger() *ledger.Ledger { return m.ledger }

func (m *member) Submit(ctx context.Context, ops ...*op.Operation) ([]ledger.Result, error) {
	if m.before != nil {
		if err := m.before(); err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r := m.net.commit(ops...)
	if m.after != nil {
		if err := m.after(); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (m *member) WaitEntry(ctx context.Context, log key.Log, number uint64) error {
	news := make(chan struct{}, 1)
	defer m.Subscribe(func(*ledger.Block) {
		select {
		case news <- struct{}{}:
		default:
		}
	})()
	if m.waits != nil {
		m.waits()
	}
	for {
		if e, err := m.ledger.Entry(log, number); err != nil || e != nil {
			return err
		}
		select {
		case <-news:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (m *member) Subscribe(fn func(*ledger.Block)) (cancel func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.next++
	id := m.next
	m.subs[id] = fn
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.subs, id)
	}
}

var errDown = errors.New("connection refused")

// Call is release.Caller for everybody in the network.
func (n *network) Call(ctx context.Context, to int, route string, body []byte) ([]byte, error) {
	m := n.members[to]
	m.mu.Lock()
	down, stalls, service, mangle := m.down, m.stalls, m.service, m.mangle
	m.mu.Unlock()
	if stalls {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if down {
		return nil, &peer.Error{Kind: peer.Unavailable, Text: errDown.Error()}
	}
	reply, err := service.Routes()[route](ctx, 0, body)
	if err == nil && mangle != nil {
		reply = mangle(route, body, reply)
	}
	return reply, err
}

// ceremony runs the services of the given members until all of them hold a share, and returns the key.
func (n *network) ceremony(who ...int) *op.NetworkKey {
	n.t.Helper()
	if len(who) == 0 {
		for i := range n.members {
			who = append(who, i)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	run, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for _, i := range who {
		wg.Go(func() { n.members[i].service.Run(run) })
	}
	defer wg.Wait()
	defer stop()
	for _, i := range who {
		if err := n.members[i].service.WaitShare(ctx); err != nil {
			n.t.Fatalf("member %d: %v", i, err)
		}
	}
	k := n.members[who[0]].ledger.NetworkKey(0)
	for _, i := range who {
		if got := n.members[i].ledger.NetworkKey(0); !slices.Equal(got.Poly, k.Poly) {
			n.t.Fatalf("members %d and %d have different network keys", who[0], i)
		}
	}
	return k
}
