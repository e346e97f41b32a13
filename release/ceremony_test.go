package release_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"vitalog/key"
	"vitalog/ledger"
	"vitalog/op"
	"vitalog/release"
	"vitalog/threshold"
	"vitalog/wire"
)

// decrypts tells whether the members' shares together open what is locked to the key.
func decrypts(t *testing.T, k *op.NetworkKey, members ...*member) bool {
	t.Helper()
	id := wire.Sum("vitalog/v1/example")
	u, want, err := threshold.Encapsulate(k.Public(), id)
	if err != nil {
		t.Fatal(err)
	}
	var parts []threshold.Part
	for _, m := range members {
		p, set, err := m.ring.Partial(k.Gen, id)
		if err != nil {
			t.Fatal(err)
		}
		if set != k.Set || !threshold.VerifyPart(p, id, k.Poly) {
			t.Errorf("member %d: share %d of set %d doesn't fit the key", m.number, p.X, set)
		}
		parts = append(parts, p)
	}
	combined, err := threshold.Combine(parts)
	if err != nil {
		t.Fatal(err)
	}
	got, err := threshold.Decapsulate(combined, u, id)
	if err != nil {
		t.Fatal(err)
	}
	return got == want
}

func TestFourValidatorsMakeOneKeyThatAnyThreeUse(t *testing.T) {
	net := newNetwork(t, 4, time.Minute)
	k := net.ceremony()
	m := net.members
	if k.K != 3 || k.Gen != 1 {
		t.Errorf("key of generation %d needs %d shares, want generation 1 and 3", k.Gen, k.K)
	}
	for out := range m {
		var three []*member
		for i := range m {
			if i != out {
				three = append(three, m[i])
			}
		}
		if !decrypts(t, k, three...) {
			t.Errorf("without member %d: the key doesn't decrypt", out)
		}
	}
	if decrypts(t, k, m[0], m[1]) {
		t.Error("two shares decrypt")
	}
	for _, x := range m {
		if _, err := x.ring.CeremonyDeal(1, 1, 1); err == nil {
			t.Errorf("member %d still has the ceremony's deals", x.number)
		}
	}
}

func TestOneValidatorMakesItsKeyAlone(t *testing.T) {
	net := newNetwork(t, 1, time.Minute)
	if k := net.ceremony(); k.K != 1 || !decrypts(t, k, net.members[0]) {
		t.Error("the key doesn't decrypt")
	}
}

// slowNetwork is for ceremonies that wait for the end of a phase: they wait together, and a busy machine misses no phase.
func slowNetwork(t *testing.T, phase time.Duration) *network {
	t.Parallel()
	return newNetwork(t, 4, phase)
}

func TestAnAbsentValidatorIsOutByTickAndHoldsNoShare(t *testing.T) {
	net := slowNetwork(t, 4*time.Second)
	net.members[2].down = true
	k := net.ceremony(0, 1, 3)
	c := net.members[0].ledger.Ceremony()
	if c.Attempt != 1 {
		t.Errorf("attempt %d, want 1", c.Attempt)
	}
	for i, d := range c.Dealers {
		if d.In != (i != 2) {
			t.Errorf("dealer %d in the key: %v", i+1, d.In)
		}
	}
	if !decrypts(t, k, net.members[0], net.members[1], net.members[3]) {
		t.Error("the key doesn't decrypt")
	}
	if net.members[2].ring.HasShare(1) {
		t.Error("the absent member has a share")
	}
	// It comes back, finds nothing to do, and ends with its context.
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := net.members[2].service.Run(ctx); err != nil {
		t.Error(err)
	}
}

func TestADealThatNeverArrivesIsJustifiedInTheOpen(t *testing.T) {
	net := slowNetwork(t, 8*time.Second)
	bad := net.members[1]
	bad.mangle = func(route string, body, reply []byte) []byte {
		if q, err := release.DecodeDealRequest(body); route == "deal" && err == nil && q.Receiver == 4 {
			return []byte("not what was revealed")
		}
		return reply
	}
	k := net.ceremony()
	c := net.members[0].ledger.Ceremony()
	if got := c.Complaints(1); len(got) != 1 || got[0] != 4 {
		t.Errorf("complaints about dealer 2 by %v, want by 4", got)
	}
	if j := c.Dealers[1].Justify; j == nil || len(j.Deals) != 1 || !c.Dealers[1].In {
		t.Error("dealer 2 has not justified its deal")
	}
	if !decrypts(t, k, net.members[1], net.members[2], net.members[3]) {
		t.Error("the key doesn't decrypt")
	}
}

func TestADealerThatDealsWronglyAndCannotJustifyIsDisqualified(t *testing.T) {
	net := slowNetwork(t, 5*time.Second)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { deceive(ctx, t, net.members[1]) })
	k := net.ceremony(0, 2, 3)
	c := net.members[0].ledger.Ceremony()
	if got := fmt.Sprint(c.Complaints(1)); got != "[1 3 4]" {
		t.Errorf("complaints about dealer 2 by %s, want [1 3 4]", got)
	}
	if c.Dealers[1].In {
		t.Error("dealer 2 is in the key")
	}
	if !decrypts(t, k, net.members[0], net.members[2], net.members[3]) {
		t.Error("the key doesn't decrypt")
	}
}

// deceive takes a member through the ceremony with deals of another polynomial than the one it reveals, and says no more then.
func deceive(ctx context.Context, t *testing.T, m *member) {
	secret, other := threshold.NewPolynomial(3), threshold.NewPolynomial(3)
	self := m.ring.Member().Public()
	var reveal *op.Reveal
	sealed := map[uint16][]byte{}
	m.mangle = func(route string, body, reply []byte) []byte { return reply }
	news := make(chan struct{}, 1)
	defer m.Subscribe(func(*ledger.Block) {
		select {
		case news <- struct{}{}:
		default:
		}
	})()
	say := func(b op.Body) {
		r := m.net.commit(op.Sign(m.net.genesis.Network(), m.ring.Member(), [32]byte{}, m.net.ms()+60_000, b))
		if err := r[0].Err(); err != nil {
			t.Error(err)
		}
	}
	for {
		c := m.ledger.Ceremony()
		me := &c.Dealers[m.number]
		switch {
		case c.Phase == ledger.PhaseHello && me.Hello == nil:
			x, err := m.ring.BeginCeremony(c.Gen, c.Attempt, c.K)
			if err != nil {
				t.Error(err)
				return
			}
			say(&op.Hello{Gen: c.Gen, Exchange: *x})
		case c.Phase == ledger.PhaseCommit && me.In && me.Commit == nil:
			context := op.PossessionContext(m.net.genesis.Network(), c.Gen, c.Attempt, self)
			reveal = &op.Reveal{Gen: c.Gen, Commitments: secret.Commitments(), Proof: secret.Prove(context)}
			for i := range c.Dealers {
				share := other.Share(uint16(i + 1))
				b, err := c.Dealers[i].Hello.Exchange.Seal("vitalog/v1/deal", dealContext(m.net.genesis.Network(), c.Gen, c.Attempt, uint16(m.number+1), uint16(i+1)), share[:])
				if err != nil {
					t.Error(err)
					return
				}
				h, err := m.net.members[i].store.Put(b) // where it is looked for before the dealer is asked
				if err != nil {
					t.Error(err)
					return
				}
				sealed[uint16(i+1)], reveal.Deals = b, append(reveal.Deals, h)
			}
			say(&op.Commit{Gen: c.Gen, Reveal: reveal.Hash(self)})
		case c.Phase == ledger.PhaseReveal && me.In && me.Reveal == nil:
			say(reveal)
		case c.Phase == ledger.PhaseVerdict && me.Verdict == nil:
			say(&op.Verdict{Gen: c.Gen})
		}
		select {
		case <-news:
		case <-ctx.Done():
			return
		}
	}
}

var errCrash = errors.New("crashed")

func TestAMemberThatCrashesAtEveryStepStillMakesTheSameKey(t *testing.T) {
	net := newNetwork(t, 4, time.Minute)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for _, m := range net.members[1:] {
		wg.Go(func() { m.service.Run(ctx) })
	}
	// The first member dies before each of its statements, and after each but before it knows.
	m := net.members[0]
	crashes := 0
	for before := true; !m.ring.HasShare(1); before = !before {
		run, die := context.WithCancel(ctx)
		crash := func() error {
			crashes++
			die()
			return errCrash
		}
		m.before, m.after = nil, nil
		if before {
			m.before = crash
		} else {
			m.after = crash
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			m.service.Run(run)
		}()
		if m.service.WaitShare(run) == nil {
			die()
		}
		<-done
		if ctx.Err() != nil {
			t.Fatal(ctx.Err())
		}
		m.restart(t)
	}
	if crashes < 8 {
		t.Errorf("%d crashes, want one before and one after each of four statements", crashes)
	}
	for _, x := range net.members[1:] {
		if err := x.service.WaitShare(ctx); err != nil {
			t.Fatal(err)
		}
	}
	c := m.ledger.Ceremony()
	for i, d := range c.Dealers {
		if !d.In || len(c.Complaints(i)) > 0 {
			t.Errorf("dealer %d in the key: %v, complaints: %v", i+1, d.In, c.Complaints(i))
		}
	}
	if !decrypts(t, m.ledger.NetworkKey(0), m, net.members[1], net.members[2]) {
		t.Error("the key doesn't decrypt")
	}
}

func TestAnObserverTakesNoPart(t *testing.T) {
	net := newNetwork(t, 4, time.Minute)
	net.genesis.Members[3].Validator = false
	l, err := ledger.Open(net.genesis, ledger.NewMemory())
	if err != nil {
		t.Fatal(err)
	}
	m := net.members[3]
	m.ledger = l
	m.before = func() error { t.Error("an observer spoke"); return errCrash }
	m.start(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.service.Run(ctx); err != nil {
		t.Error(err)
	}
}

func FuzzDecodeDealRequest(f *testing.F) {
	f.Add((&release.DealRequest{Gen: 1, Attempt: 2, Receiver: 3}).Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		q, err := release.DecodeDealRequest(b)
		if err == nil && string(q.Encode()) != string(b) {
			t.Errorf("%x decodes, but encodes to %x", b, q.Encode())
		}
	})
}

// dealContext is the associated data of a sealed deal, as spec/release.md has it.
func dealContext(network key.Network, gen, attempt uint32, dealer, receiver uint16) []byte {
	var w wire.Writer
	w.U32(gen)
	w.U32(attempt)
	w.U16(dealer)
	w.U16(receiver)
	h := wire.Sum("vitalog/v1/deal", network[:], w.Done())
	return h[:]
}
