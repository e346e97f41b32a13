package grant_test

import (
	"errors"
	"strings"
	"testing"

	"vitalog/grant"
	"vitalog/key"
	"vitalog/op"
)

func (w *world) claim(t testing.TB) *grant.Claim {
	card, err := grant.NewClaimCard(w.network, 1, chartID)
	if err != nil {
		t.Fatal(err)
	}
	return grant.NewClaim(card, w.inbox.Private.Exchange())
}

func (w *world) locks() *grant.Locks {
	return &grant.Locks{Chart: chartID, Log: w.labs.Log(w.network), Owner: w.labs.Private.Exchange(), At: 1_760_000_000_000, Entries: []uint64{2, 3, 9}}
}

func (w *world) owners(*grant.Locks) ([]key.Verifier, error) {
	return []key.Verifier{w.inbox.Owner.Public(), w.labs.Owner.Public()}, nil
}

func TestAClaimOpensForItsCustodianAloneAndItsAnswerForWhoAsked(t *testing.T) {
	w := newWorld()
	q := w.claim(t)
	sealed, err := q.Seal(w.exchange[1].Exchange(), w.network, 1)
	if err != nil {
		t.Fatal(err)
	}
	got, err := grant.OpenClaim(w.exchange[1], w.network, 1, sealed)
	if err != nil || got.Chart != chartID || got.Card() != q.Card() || *got.Reply != *q.Reply || got.Digest != q.Digest {
		t.Fatalf("got %v, %v", got, err)
	}
	for name, open := range map[string]func() (*grant.Claim, error){
		"another member's key":    func() (*grant.Claim, error) { return grant.OpenClaim(w.exchange[0], w.network, 1, sealed) },
		"another member's number": func() (*grant.Claim, error) { return grant.OpenClaim(w.exchange[1], w.network, 0, sealed) },
		"another network":         func() (*grant.Claim, error) { return grant.OpenClaim(w.exchange[1], key.Network{9}, 1, sealed) },
	} {
		if _, err := open(); !errors.Is(err, key.ErrSealed) {
			t.Errorf("%s: %v", name, err)
		}
	}

	root := [32]byte{7}
	answer, err := got.Answered(w.network, w.signers[1], grant.Handed, root)
	if err != nil {
		t.Fatal(err)
	}
	if out, r, err := q.OpenAnswered(w.inbox.Private, w.genesis, 1, answer); err != nil || out != grant.Handed || r != root {
		t.Errorf("got %v, %v", out, err)
	}
	if _, _, err := q.OpenAnswered(w.labs.Private, w.genesis, 1, answer); !errors.Is(err, key.ErrSealed) {
		t.Errorf("another reply key: %v", err)
	}
	again := w.claim(t)
	if _, err := again.Seal(w.exchange[1].Exchange(), w.network, 1); err != nil {
		t.Fatal(err)
	}
	if _, _, err := again.OpenAnswered(w.inbox.Private, w.genesis, 1, answer); !errors.Is(err, key.ErrSealed) {
		t.Errorf("the answer to another claim: %v", err)
	}
	forged, err := got.Answered(w.network, w.signers[0], grant.Handed, root)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := q.OpenAnswered(w.inbox.Private, w.genesis, 1, forged); !errors.Is(err, op.ErrSignature) {
		t.Errorf("an answer that another member signed: %v", err)
	}
	for o, root := range map[grant.Outcome][32]byte{grant.Handed: {}, grant.NotGood: {7}, 9: {}} {
		odd, err := got.Answered(w.network, w.signers[1], o, root)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := q.OpenAnswered(w.inbox.Private, w.genesis, 1, odd); err == nil || !strings.Contains(err.Error(), "a root or none") {
			t.Errorf("%v with root %v: %v", o, root != [32]byte{}, err)
		}
	}
}

func TestLocksAreAskedForByAnOwner(t *testing.T) {
	w := newWorld()
	b, err := w.locks().Sign(w.labs.Owner, w.network, 1)
	if err != nil {
		t.Fatal(err)
	}
	if l, err := grant.DecodeLocks(b, w.network, 1, w.owners); err != nil || l.Chart != chartID || len(l.Entries) != 3 {
		t.Errorf("got %+v, %v", l, err)
	}
	if _, err := grant.DecodeLocks(b, w.network, 0, w.owners); !errors.Is(err, op.ErrSignature) {
		t.Errorf("for another member: %v", err)
	}
	if b, err = w.locks().Sign(w.grantee, w.network, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := grant.DecodeLocks(b, w.network, 1, w.owners); !errors.Is(err, op.ErrSignature) {
		t.Errorf("by a grantee: %v", err)
	}
	for name, entries := range map[string][]uint64{"none": {}, "out of order": {3, 2}, "twice": {3, 3}, "too many": make([]uint64, 101)} {
		l := w.locks()
		l.Entries = entries
		if _, err := l.Sign(w.labs.Owner, w.network, 1); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
