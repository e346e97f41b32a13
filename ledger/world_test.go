package ledger_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"sync"
	"testing"

	"vitalog/key"
	"vitalog/ledger"
	"vitalog/op"
	"vitalog/threshold"
	"vitalog/ticket"
	"vitalog/wire"
)

// start is the ledger clock at 00:00 of a story: a whole hour.
const start uint64 = 1_800_000_000_000

// world is a ledger with the keys of everybody who acts on it.
type world struct {
	t     testing.TB
	g     *op.Genesis
	store ledger.Store
	l     *ledger.Ledger
	clock uint64
}

func seed(name string) [32]byte { return sha256.Sum256([]byte(name)) }

// actor is the signing key of a name.
func actor(name string) *key.Signing { return key.NewSigning(seed("actor " + name)) }

var issuers = sync.OnceValue(func() (out []*rsa.PrivateKey) {
	for range 4 {
		k, err := rsa.GenerateKey(rand.Reader, ticket.KeyBits)
		if err != nil {
			panic(err)
		}
		out = append(out, k)
	}
	return out
})

// founders is the genesis of n validators.
func founders(n int) *op.Genesis {
	g := &op.Genesis{Version: op.Version, Name: "test", Founded: start, Params: op.DefaultParams}
	for i := range n {
		name := fmt.Sprintf("member%d", i)
		der, err := x509.MarshalPKIXPublicKey(&issuers()[i%4].PublicKey)
		if err != nil {
			panic(err)
		}
		k := func(use string) key.Verifier { return actor(name + use).Public() }
		g.Members = append(g.Members, op.Member{Name: name, Kind: op.Provider, Validator: true, Sign: k(""), TLS: k(" tls"), Consensus: k(" vote"), Node: k(" node"),
			Exchange: key.NewDecapsulating(seed(name)).Exchange()[:], Tickets: der})
	}
	return g
}

func newWorld(t testing.TB, g *op.Genesis) *world {
	w := &world{t: t, g: g, store: ledger.NewMemory(), clock: start}
	w.reopen()
	return w
}

// reopen opens the ledger from its store, which must give the same state.
func (w *world) reopen() {
	w.t.Helper()
	l, err := ledger.Open(w.g, w.store)
	if err != nil {
		w.t.Fatal(err)
	}
	if w.l != nil && (l.AppHash() != w.l.AppHash() || l.State() != w.l.State() || l.Height() != w.l.Height()) {
		w.t.Fatalf("reopened at height %d with %v, want %d with %v", l.Height(), l.AppHash(), w.l.Height(), w.l.AppHash())
	}
	w.l = l
}

// block executes and commits the next block.
func (w *world) block(ops ...*op.Operation) ([]ledger.Result, *ledger.Block) {
	w.t.Helper()
	results, hash, err := w.l.Execute(w.l.Height()+1, w.clock, ops)
	if err != nil {
		w.t.Fatal(err)
	}
	b, err := w.l.Commit()
	if err != nil {
		w.t.Fatal(err)
	}
	if got := w.l.AppHash(); got != hash {
		w.t.Fatalf("committed app hash %v, executed %v", got, hash)
	}
	return results, b
}

// must executes one operation that is to be accepted.
func (w *world) must(o *op.Operation) ledger.Result {
	w.t.Helper()
	rs, _ := w.block(o)
	if err := rs[0].Err(); err != nil {
		w.t.Fatalf("%v: %v", o.Body.Kind(), err)
	}
	return rs[0]
}

func (w *world) sign(by string, log key.Log, b op.Body) *op.Operation {
	return op.Sign(w.g.Network(), actor(by), log, w.clock+60_000, b)
}

// logOf is the log that an owner creates with salt 0.
func (w *world) logOf(owner string) key.Log {
	return key.LogID(w.g.Network(), actor(owner).Public(), [32]byte{})
}

func (w *world) ticket(issuer int, subject wire.Hash) ticket.Ticket {
	w.t.Helper()
	sk := issuers()[issuer%4]
	q, err := ticket.Blind(uint16(issuer), &sk.PublicKey, subject)
	if err != nil {
		w.t.Fatal(err)
	}
	sig, err := ticket.Sign(sk, q.Blinded)
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := q.Finish(sig)
	if err != nil {
		w.t.Fatal(err)
	}
	return *out
}

func (w *world) create(owner string) *op.Operation {
	log := w.logOf(owner)
	return w.sign(owner, log, &op.Create{EpochKey: seed(owner), Ticket: w.ticket(0, op.CreateSubject(log))})
}

// member is the name of the actor behind a share.
func member(share int) string { return fmt.Sprintf("member%d", share) }

func (w *world) ceremony(i int, b op.Body) *op.Operation { return w.sign(member(i), key.Log{}, b) }

// dealing is one validator's part in an attempt.
func (w *world) dealing(i int, attempt uint32) (*threshold.Polynomial, *op.Reveal) {
	n := len(w.g.Validators())
	p := threshold.NewPolynomial(op.Threshold(n))
	r := &op.Reveal{Gen: 1, Salt: seed(member(i)), Commitments: p.Commitments(), Deals: make([]wire.Hash, n)}
	r.Proof = p.Prove(op.PossessionContext(w.g.Network(), 1, attempt, actor(member(i)).Public()))
	return p, r
}

func commitTo(i int, r *op.Reveal) *op.Commit {
	return &op.Commit{Gen: 1, Reveal: r.Hash(actor(member(i)).Public())}
}

// makeKey runs the whole ceremony without a fault and returns the dealers' polynomials.
func (w *world) makeKey() (polys []*threshold.Polynomial) {
	w.t.Helper()
	n := len(w.g.Validators())
	reveals := make([]*op.Reveal, n)
	for i := range n {
		p, r := w.dealing(i, 1)
		polys, reveals[i] = append(polys, p), r
		w.must(w.ceremony(i, hello(i)))
	}
	for i := range n {
		w.must(w.ceremony(i, commitTo(i, reveals[i])))
	}
	for i := range n {
		w.must(w.ceremony(i, reveals[i]))
	}
	for i := range n {
		w.must(w.ceremony(i, &op.Verdict{Gen: 1}))
	}
	return polys
}

func hello(i int) *op.Hello {
	return &op.Hello{Gen: 1, Exchange: *key.NewDecapsulating(seed("hello" + member(i))).Exchange()}
}
