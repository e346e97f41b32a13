package consensus_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"vitalog/consensus"
	"vitalog/consent"
	"vitalog/key"
	"vitalog/kv"
	"vitalog/ledger"
	"vitalog/op"
	"vitalog/threshold"
	"vitalog/ticket"
	"vitalog/wire"
)

// network is a few members in one process.
type network struct {
	t       testing.TB
	dir     string
	genesis *op.Genesis
	members []*member
}

// member is one of them, with what outlives its node.
type member struct {
	net    *network
	number int
	now    func() time.Time
	fs     vfs.FS // nil: the disk
	db     *kv.DB
	node   *consensus.Node
}

var issuer = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, ticket.KeyBits)
	if err != nil {
		panic(err)
	}
	return k
})

func seed(name string) [32]byte { return sha256.Sum256([]byte(name)) }

func signing(name string) *key.Signing { return key.NewSigning(seed(name)) }

func name(i int, use string) string { return fmt.Sprintf("member %d %s", i, use) }

// newNetwork makes a genesis of validators and observers, and starts nothing.
func newNetwork(t testing.TB, validators, observers int) *network {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&issuer().PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	n := &network{t: t, dir: t.TempDir(), genesis: &op.Genesis{Version: op.Version, Name: "test", Founded: uint64(time.Now().UnixMilli()), Params: op.DefaultParams}}
	n.genesis.Params.LogOperations, n.genesis.Params.LogBytes = 1<<31, 1<<50 // benchmarks fill logs fast
	for i := range validators + observers {
		n.genesis.Members = append(n.genesis.Members, op.Member{Name: fmt.Sprint("member ", i), Kind: op.Provider, Validator: i < validators,
			Sign: signing(name(i, "sign")).Public(), TLS: signing(name(i, "tls")).Public(), Consensus: signing(name(i, "vote")).Public(),
			Node: signing(name(i, "node")).Public(), Exchange: key.NewDecapsulating(seed(name(i, "exchange"))).Exchange()[:], Tickets: der,
			Peer: freeAddress(t)})
		n.members = append(n.members, &member{net: n, number: i})
	}
	if err := n.genesis.Check(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, m := range n.members {
			m.stop()
		}
	})
	return n
}

// freeAddress is below the ports that the system gives to outgoing connections, so that a node that restarts gets its own again, and no other's.
func freeAddress(t testing.TB) string {
	for range 1000 {
		a := fmt.Sprint("127.0.0.1:", 10_000+lastAddress.Add(1)%4000)
		if l, err := net.Listen("tcp", a); err == nil {
			l.Close()
			return a
		}
	}
	t.Fatal("no free port")
	return ""
}

var lastAddress atomic.Int32

// start starts the members with these numbers, or all, and waits until they are ready.
func (n *network) start(which ...int) {
	n.t.Helper()
	if which == nil {
		for i := range n.members {
			which = append(which, i)
		}
	}
	for _, i := range which {
		n.members[i].start()
	}
	for _, i := range which {
		if err := n.members[i].node.WaitReady(timeout(n.t, time.Minute)); err != nil {
			n.t.Fatal(err)
		}
	}
}

func (m *member) start() {
	m.net.t.Helper()
	if err := m.tryStart(); err != nil {
		m.net.t.Fatal(err)
	}
}

func (m *member) config() consensus.Config {
	return consensus.Config{Dir: filepath.Join(m.net.dir, fmt.Sprint(m.number), "consensus"), Genesis: m.net.genesis, Member: m.number,
		Vote: signing(name(m.number, "vote")), Node: signing(name(m.number, "node")), Store: m.db, Log: logTo(), Now: m.now}
}

func (m *member) tryStart() (err error) {
	if m.fs == nil {
		m.db, err = kv.Open(filepath.Join(m.net.dir, fmt.Sprint(m.number), "db"))
	} else {
		m.db, err = kv.OpenFS(m.fs, "db")
	}
	if err != nil {
		return err
	}
	m.node, err = consensus.Start(context.Background(), m.config())
	return err
}

func (m *member) stop() error {
	if m.db == nil {
		return nil
	}
	var err error
	if m.node != nil {
		err = m.node.Stop()
	}
	m.db.Close()
	m.node, m.db = nil, nil
	return err
}

func logTo() *slog.Logger {
	if os.Getenv("VITALOG_TEST_LOG") == "" {
		return nil
	}
	return slog.New(slog.NewTextHandler(os.Stderr, nil))
}

func timeout(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// until has f become true, asked anew after each block that m commits, and now and then besides.
func (m *member) until(what string, f func() bool) {
	m.net.t.Helper()
	blocks := make(chan struct{}, 1)
	defer m.node.Subscribe(func(*ledger.Block) {
		select {
		case blocks <- struct{}{}:
		default:
		}
	})()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(30 * time.Second)
	for !f() {
		select {
		case <-blocks:
		case <-tick.C:
		case <-limit:
			m.net.t.Fatalf("member %d: it never came to be that %s", m.number, what)
		}
	}
}

func (n *network) sign(by key.Signer, log key.Log, b op.Body) *op.Operation {
	return op.Sign(n.genesis.Network(), by, log, uint64(time.Now().Add(5*time.Minute).UnixMilli()), b)
}

// submit has ops executed through member 0 and fails unless all are accepted.
func (n *network) submit(ops ...*op.Operation) []ledger.Result {
	n.t.Helper()
	rs, err := n.members[0].node.Submit(timeout(n.t, time.Minute), ops...)
	if err != nil {
		n.t.Fatal(err)
	}
	for i := range rs {
		if err := rs[i].Err(); err != nil {
			n.t.Fatalf("%v: %v", ops[i].Body.Kind(), err)
		}
	}
	return rs
}

// level waits until all members have what member 0 has.
func (n *network) level() {
	n.t.Helper()
	height := n.members[0].node.Ledger().Height()
	for _, m := range n.members {
		m.until("it has what member 0 has", func() bool { return m.node.Ledger().Height() >= height })
	}
}

// chart is one log with its owner and a grantee that may do everything.
type chart struct {
	net     *network
	log     key.Log
	owner   *key.Signing
	grantee *key.Signing
	next    uint64 // salt of the next record
}

// newChart creates a log, its grant being entry 1.
func (n *network) newChart(patient string) *chart {
	n.t.Helper()
	c := &chart{net: n, owner: signing("owner of " + patient), grantee: signing("grantee of " + patient)}
	c.log = key.LogID(n.genesis.Network(), c.owner.Public(), [32]byte{})
	n.submit(n.sign(c.owner, c.log, n.create(c.log)), n.sign(c.owner, c.log, &op.Grant{Terms: consent.Terms{Key: c.grantee.Public(),
		Rights: consent.Read | consent.Write, Ranges: []consent.Range{{From: 0, To: consent.Forever}}}}))
	return c
}

func (n *network) create(log key.Log) *op.Create {
	return &op.Create{EpochKey: seed("epoch"), Ticket: n.ticket(op.CreateSubject(log))}
}

func (n *network) ticket(subject wire.Hash) ticket.Ticket {
	q, err := ticket.Blind(0, &issuer().PublicKey, subject)
	if err != nil {
		n.t.Fatal(err)
	}
	sig, err := ticket.Sign(issuer(), q.Blinded)
	if err != nil {
		n.t.Fatal(err)
	}
	k, err := q.Finish(sig)
	if err != nil {
		n.t.Fatal(err)
	}
	return *k
}

// records is an append of so many records.
func (c *chart) records(count int) *op.Operation {
	b := &op.Append{Epoch: 1, NetGen: 1}
	for range count {
		var salt [16]byte
		c.next++
		copy(salt[:], fmt.Sprint(c.next))
		rid := key.RecordID(c.net.genesis.Network(), c.log, c.grantee.Public(), salt)
		b.Records = append(b.Records, op.Record{ID: rid, Core: wire.Sum("core", rid[:]), Blob: wire.Sum("blob", rid[:]), Size: 12})
	}
	return c.net.sign(c.grantee, c.log, b)
}

// access reads the entries from ≤ n < to.
func (c *chart) access(from, to uint64) *op.Operation {
	return c.net.sign(c.grantee, c.log, &op.Access{Ranges: []consent.Range{{From: from, To: to}}, Session: seed("session"), Detail: seed("detail")})
}

// makeKey runs the ceremony of the network key. The shares are not handed out: nothing is released here.
func (n *network) makeKey() {
	n.t.Helper()
	vs := n.genesis.Validators()
	reveals := make([]*op.Reveal, len(vs))
	all := func(body func(i int) op.Body) {
		n.t.Helper()
		var ops []*op.Operation
		for i, m := range vs {
			ops = append(ops, n.sign(signing(name(m, "sign")), key.Log{}, body(i)))
		}
		n.submit(ops...)
	}
	all(func(i int) op.Body {
		return &op.Hello{Gen: 1, Exchange: *key.NewDecapsulating(seed(name(i, "hello"))).Exchange()}
	})
	for i, m := range vs {
		p := threshold.NewPolynomial(op.Threshold(len(vs)))
		dealer := signing(name(m, "sign")).Public()
		reveals[i] = &op.Reveal{Gen: 1, Commitments: p.Commitments(), Deals: make([]wire.Hash, len(vs)),
			Proof: p.Prove(op.PossessionContext(n.genesis.Network(), 1, 1, dealer))}
	}
	all(func(i int) op.Body {
		return &op.Commit{Gen: 1, Reveal: reveals[i].Hash(n.genesis.Members[vs[i]].Sign)}
	})
	all(func(i int) op.Body { return reveals[i] })
	all(func(int) op.Body { return &op.Verdict{Gen: 1} })
}
