package grant_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"vitalog/grant"
	"vitalog/key"
	"vitalog/op"
	"vitalog/section"
	"vitalog/wire"
)

func TestARequestReachesItsInboxSignedByWhoAsks(t *testing.T) {
	w := newWorld()
	q := w.request(t)
	sealed, err := q.Seal(w.inbox.Private.Exchange(), w.signers[1])
	if err != nil {
		t.Fatal(err)
	}
	got, err := grant.OpenRequest(w.inbox.Private, w.genesis, q.Inbox, sealed)
	if err != nil || !reflect.DeepEqual(got, q) {
		t.Fatalf("got %+v, %v, want %+v", got, err, q)
	}
	if _, err := grant.OpenRequest(w.inbox.Private, w.genesis, key.Log{1}, sealed); !errors.Is(err, key.ErrSealed) {
		t.Errorf("another inbox: got %v, want %v", err, key.ErrSealed)
	}
	if _, err := grant.OpenRequest(w.labs.Private, w.genesis, q.Inbox, sealed); !errors.Is(err, key.ErrSealed) {
		t.Errorf("another owner: got %v, want %v", err, key.ErrSealed)
	}
}

func TestARequestInTheNameOfAnotherMemberIsRefused(t *testing.T) {
	w := newWorld()
	q := w.request(t)
	sealed, err := q.Seal(w.inbox.Private.Exchange(), w.signers[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := grant.OpenRequest(w.inbox.Private, w.genesis, q.Inbox, sealed); !errors.Is(err, op.ErrSignature) {
		t.Errorf("signed by member 0: got %v, want %v", err, op.ErrSignature)
	}
	q.Introductions[0].Grantee[0] ^= 1
	if sealed, err = q.Seal(w.inbox.Private.Exchange(), w.signers[1]); err != nil {
		t.Fatal(err)
	}
	if _, err := grant.OpenRequest(w.inbox.Private, w.genesis, q.Inbox, sealed); !errors.Is(err, op.ErrSignature) {
		t.Errorf("forged introduction: got %v, want %v", err, op.ErrSignature)
	}
}

func TestARequestKnowsWhatItAsksFor(t *testing.T) {
	w := newWorld()
	for name, alter := range map[string]func(*grant.Request){
		"no section":                      func(q *grant.Request) { q.Sections = nil },
		"sections out of order":           func(q *grant.Request) { q.Sections = []section.Section{section.Labs, section.Medications} },
		"a section twice":                 func(q *grant.Request) { q.Sections = []section.Section{section.Labs, section.Labs} },
		"introduction of another member":  func(q *grant.Request) { q.Introductions[0].Member = 0 },
		"introduction for something else": func(q *grant.Request) { q.Introductions[0].Purpose = "HRESCH" },
		"a log twice":                     func(q *grant.Request) { q.Introductions = append(q.Introductions, q.Introductions[0]) },
		"a period backwards":              func(q *grant.Request) { q.Until = q.From },
		"a name of two lines":             func(q *grant.Request) { q.Name = "a\nb" },
		"a novel":                         func(q *grant.Request) { q.Reason = strings.Repeat("x", grant.MaxReason+1) },
	} {
		q := w.request(t)
		alter(q)
		if _, err := q.Seal(w.inbox.Private.Exchange(), w.signers[1]); err == nil {
			t.Errorf("%s: sealed", name)
		}
	}
	q := w.request(t)
	q.Introductions = []grant.Introduction{} // knows none of the logs
	if _, err := q.Seal(w.inbox.Private.Exchange(), w.signers[1]); err != nil {
		t.Errorf("no introductions: %v", err)
	}
	if a, b := grant.NewRequestID(), grant.NewRequestID(); a == b {
		t.Error("two requests have one id")
	}
}

func TestADetailBelongsToOneAccess(t *testing.T) {
	w := newWorld()
	d, u := w.detail(), w.use()
	sealed, err := d.Seal(w.labs.Private.Exchange(), w.signers[1], u)
	if err != nil {
		t.Fatal(err)
	}
	got, err := grant.OpenDetail(w.labs.Private, w.genesis, u, sealed)
	if err != nil || *got != *d {
		t.Fatalf("got %+v, %v, want %+v", got, err, d)
	}
	for name, alter := range map[string]func(*grant.Use){
		"log": func(u *grant.Use) { u.Log[0] ^= 1 }, "session": func(u *grant.Use) { u.Session[0] ^= 1 }, "key": func(u *grant.Use) { u.Grantee[0] ^= 1 },
	} {
		other := u
		alter(&other)
		if _, err := grant.OpenDetail(w.labs.Private, w.genesis, other, sealed); !errors.Is(err, key.ErrSealed) {
			t.Errorf("another %s: got %v, want %v", name, err, key.ErrSealed)
		}
	}
	elsewhere := *w.genesis
	elsewhere.Name = "another network"
	if _, err := grant.OpenDetail(w.labs.Private, &elsewhere, u, sealed); !errors.Is(err, op.ErrNetwork) {
		t.Errorf("another network: got %v, want %v", err, op.ErrNetwork)
	}
	plain := raw(t, w.labs.Private, "vitalog/v1/detail", cat(u.Network[:], u.Log[:], u.Session[:], u.Grantee[:]), sealed)
	u.Session[0] ^= 1
	moved, err := w.labs.Private.Exchange().Seal("vitalog/v1/detail", cat(u.Network[:], u.Log[:], u.Session[:], u.Grantee[:]), pad(plain))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := grant.OpenDetail(w.labs.Private, w.genesis, u, moved); !errors.Is(err, op.ErrSignature) {
		t.Errorf("sealed again for another access: got %v, want %v", err, op.ErrSignature)
	}
}

func TestADetailInTheNameOfAnotherMemberIsRefused(t *testing.T) {
	w := newWorld()
	sealed, err := w.detail().Seal(w.labs.Private.Exchange(), w.signers[0], w.use())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := grant.OpenDetail(w.labs.Private, w.genesis, w.use(), sealed); !errors.Is(err, op.ErrSignature) {
		t.Errorf("got %v, want %v", err, op.ErrSignature)
	}
}

func TestADetailNamesEitherAPersonOrAMachine(t *testing.T) {
	w := newWorld()
	for _, c := range []struct {
		practitioner string
		machine, ok  bool
	}{{"p", false, true}, {"", true, true}, {"p", true, false}, {"", false, false}} {
		d := w.detail()
		d.Practitioner, d.Machine = c.practitioner, c.machine
		if _, err := d.Seal(w.labs.Private.Exchange(), w.signers[1], w.use()); (err == nil) != c.ok {
			t.Errorf("practitioner %q, machine %v: got %v", c.practitioner, c.machine, err)
		}
	}
}

func TestTheLengthOfASealedDetailTellsNoName(t *testing.T) {
	w := newWorld()
	var lengths []int
	for _, name := range []string{"Li", "Wolfeschlegelsteinhausenbergerdorff"} {
		d := w.detail()
		d.Name = name
		sealed, err := d.Seal(w.labs.Private.Exchange(), w.signers[1], w.use())
		if err != nil {
			t.Fatal(err)
		}
		lengths = append(lengths, len(sealed))
	}
	if lengths[0] != lengths[1] {
		t.Errorf("got %d and %d bytes, want the same", lengths[0], lengths[1])
	}
}

func TestAnAnswerIsBelievedOnlyFromTheOwnerOfTheInbox(t *testing.T) {
	w := newWorld()
	a, inbox := w.answer(), w.inbox.Log(w.network)
	sealed, err := a.Seal(w.exchange[1].Exchange(), w.inbox.Owner, w.network, inbox)
	if err != nil {
		t.Fatal(err)
	}
	got, err := grant.OpenAnswer(w.exchange[1], w.network, inbox, w.inbox.Owner.Public(), sealed)
	if err != nil || !reflect.DeepEqual(got, a) {
		t.Fatalf("got %+v, %v, want %+v", got, err, a)
	}
	if _, err := grant.OpenAnswer(w.exchange[1], w.network, inbox, w.labs.Owner.Public(), sealed); err == nil {
		t.Error("an answer of another log's owner is believed")
	}
	if _, err := grant.OpenAnswer(w.exchange[1], w.network, key.Log{1}, w.inbox.Owner.Public(), sealed); !errors.Is(err, key.ErrSealed) {
		t.Errorf("another inbox: got %v, want %v", err, key.ErrSealed)
	}
	a.Granted[0], a.Granted[1] = a.Granted[1], a.Granted[0]
	if _, err := a.Seal(w.exchange[1].Exchange(), w.inbox.Owner, w.network, inbox); !errors.Is(err, wire.ErrNonCanonical) {
		t.Errorf("sections out of order: got %v, want %v", err, wire.ErrNonCanonical)
	}
}

func TestADetailOfAPersonIsSignedByTheKeyThatReads(t *testing.T) {
	w := newWorld()
	proxy := key.NewSigning(seed("proxy"))
	u := w.use()
	u.Grantee = proxy.Public()
	d := &grant.Detail{Practitioner: "5d00", Name: "Ana Ruiz", Member: grant.NoMember, Purpose: "FAMRQT"}
	sealed, err := d.Seal(w.labs.Private.Exchange(), proxy, u)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := grant.OpenDetail(w.labs.Private, w.genesis, u, sealed); err != nil || *got != *d {
		t.Errorf("got %+v, %v, want %+v", got, err, d)
	}
	if sealed, err = d.Seal(w.labs.Private.Exchange(), w.signers[1], u); err != nil {
		t.Fatal(err)
	}
	if _, err := grant.OpenDetail(w.labs.Private, w.genesis, u, sealed); !errors.Is(err, op.ErrSignature) {
		t.Errorf("a member's signature for a person: %v, want %v", err, op.ErrSignature)
	}
}
