package release_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"slices"
	"testing"

	"vitalog/key"
	"vitalog/op"
	"vitalog/release"
	"vitalog/threshold"
	"vitalog/wire"
)

var update = flag.Bool("update", false, "write spec/testdata/release.json anew: sealing is randomised, so this changes the artifacts")

const vectorFile = "../spec/testdata/release.json"

// vectors are a request, and a reply with the key that opens it.
type vectors struct {
	Network     key.Network `json:"network"`
	Member      int         `json:"member"`
	SessionSeed string      `json:"sessionSeed"` // of the session key
	Log         key.Log     `json:"log"`
	Number      uint64      `json:"number"`
	Detail      string      `json:"detail"`
	Entries     []uint64    `json:"entries"`
	Request     string      `json:"request"`
	Access      wire.Hash   `json:"access"`
	Gen         uint32      `json:"generation"`
	Set         uint32      `json:"shareSet"`
	Given       []vecGiven  `json:"partials"`
	Reply       string      `json:"reply"`
}

type vecGiven struct {
	Number uint64 `json:"number"`
	Part   string `json:"partial"`
}

var sessionSeed = [32]byte{2}

func sample() *release.Request {
	return &release.Request{Log: key.Log{0x5f}, Number: 12, Session: *key.NewDecapsulating(sessionSeed).Exchange(), Detail: []byte("sealed to the patient"), Entries: []uint64{3, 4}}
}

func TestPublishedVectorsOpenAndEncodeToTheSameBytes(t *testing.T) {
	if *update {
		writeVectors(t)
	}
	raw, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	q, err := release.DecodeRequest(unhex(t, v.Request))
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(q.Encode()); got != v.Request {
		t.Errorf("request = %s, want %s", got, v.Request)
	}
	if q.Log != v.Log || q.Number != v.Number || hex.EncodeToString(q.Detail) != v.Detail || !slices.Equal(q.Entries, v.Entries) {
		t.Errorf("request says %v %d %x %v", q.Log, q.Number, q.Detail, q.Entries)
	}
	session := key.NewDecapsulating([32]byte(unhex(t, v.SessionSeed)))
	if q.Session != *session.Exchange() {
		t.Error("request names another session key")
	}
	p, err := release.DecodeReply(unhex(t, v.Reply))
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(p.Encode()); got != v.Reply {
		t.Errorf("reply encodes to %s, want %s", got, v.Reply)
	}
	if len(p.Groups) != 1 || p.Groups[0].Gen != v.Gen || p.Groups[0].Set != v.Set {
		t.Fatalf("reply has %d groups, want one of generation %d and set %d", len(p.Groups), v.Gen, v.Set)
	}
	given, err := p.Groups[0].Open(session, v.Access, v.Member)
	if err != nil {
		t.Fatal(err)
	}
	if len(given) != len(v.Given) {
		t.Fatalf("%d partials, want %d", len(given), len(v.Given))
	}
	for i, g := range given {
		if g.Number != v.Given[i].Number || hex.EncodeToString(g.Part[:]) != v.Given[i].Part {
			t.Errorf("partial %d: got entry %d %x", i, g.Number, g.Part)
		}
	}
}

func writeVectors(t *testing.T) {
	t.Helper()
	q, session := sample(), key.NewDecapsulating(sessionSeed)
	v := vectors{Network: key.Network{7}, Member: 2, SessionSeed: hex.EncodeToString(sessionSeed[:]),
		Log: q.Log, Number: q.Number, Detail: hex.EncodeToString(q.Detail), Entries: q.Entries, Request: hex.EncodeToString(q.Encode()), Access: wire.Hash{0xac}, Gen: 1, Set: 1}
	share := threshold.Scalar{31: 5}
	var given []release.Given
	for n := range uint64(2) {
		part, err := threshold.Partial(&share, wire.Sum("vitalog/v1/example", wire.U64(n)))
		if err != nil {
			t.Fatal(err)
		}
		given = append(given, release.Given{Number: 3 + n, Part: part})
		v.Given = append(v.Given, vecGiven{3 + n, hex.EncodeToString(part[:])})
	}
	g, err := release.SealGroup(session.Exchange(), v.Access, v.Gen, v.Set, v.Member, given)
	if err != nil {
		t.Fatal(err)
	}
	v.Reply = hex.EncodeToString((&release.Reply{Groups: []release.Group{g}}).Encode())
	out, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(vectorFile, append(out, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestPartialsOpenOnlyForTheirAccessSetMemberAndSession(t *testing.T) {
	session := key.NewDecapsulating(sessionSeed)
	g, err := release.SealGroup(session.Exchange(), wire.Hash{1}, 1, 1, 2, []release.Given{{Number: 3}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Open(session, wire.Hash{1}, 2); err != nil {
		t.Fatal(err)
	}
	gen, set := g, g
	gen.Gen, set.Set = 2, 2
	for _, c := range []struct {
		name   string
		g      release.Group
		with   key.Opener
		access wire.Hash
		member int
	}{
		{"another access", g, session, wire.Hash{2}, 2},
		{"another generation", gen, session, wire.Hash{1}, 2},
		{"another share set", set, session, wire.Hash{1}, 2},
		{"another member", g, session, wire.Hash{1}, 3},
		{"another session", g, key.NewDecapsulating([32]byte{9}), wire.Hash{1}, 2},
	} {
		if _, err := c.g.Open(c.with, c.access, c.member); !errors.Is(err, key.ErrSealed) {
			t.Errorf("%s: got %v, want %v", c.name, err, key.ErrSealed)
		}
	}
}

func TestPartialsOutOfOrderAreRefused(t *testing.T) {
	session := key.NewDecapsulating(sessionSeed)
	for _, given := range [][]release.Given{{{Number: 3}, {Number: 3}}, {{Number: 4}, {Number: 3}}} {
		g, err := release.SealGroup(session.Exchange(), wire.Hash{1}, 1, 1, 2, given)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := g.Open(session, wire.Hash{1}, 2); !errors.Is(err, wire.ErrNonCanonical) {
			t.Errorf("got %v, want %v", err, wire.ErrNonCanonical)
		}
	}
}

func TestOversizedDetailIsRefused(t *testing.T) {
	q := sample()
	q.Detail = make([]byte, op.MaxSealed+1)
	if _, err := release.DecodeRequest(q.Encode()); !errors.Is(err, wire.ErrOversized) {
		t.Errorf("got %v, want %v", err, wire.ErrOversized)
	}
}

func FuzzDecodeRequest(f *testing.F) {
	f.Add(sample().Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		q, err := release.DecodeRequest(b)
		if err == nil && !bytes.Equal(q.Encode(), b) {
			t.Errorf("%x decodes, but encodes to %x", b, q.Encode())
		}
	})
}

func FuzzDecodeReply(f *testing.F) {
	f.Add((&release.Reply{Groups: []release.Group{{Gen: 1, Set: 1, Sealed: []byte("x")}, {Gen: 2, Set: 5}}}).Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := release.DecodeReply(b)
		if err == nil && !bytes.Equal(p.Encode(), b) {
			t.Errorf("%x decodes, but encodes to %x", b, p.Encode())
		}
	})
}

func FuzzOpenGroup(f *testing.F) {
	session := key.NewDecapsulating(sessionSeed)
	context := append(append(make([]byte, 32), 0, 0, 0, 1, 0, 0, 0, 1), 0, 0, 0, 2) // access, generation, set, member
	f.Add(append([]byte{0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 3}, make([]byte, 48)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		sealed, err := session.Exchange().Seal("vitalog/v1/partials", context, b)
		if err != nil {
			t.Fatal(err)
		}
		g := release.Group{Gen: 1, Set: 1, Sealed: sealed}
		given, err := g.Open(session, wire.Hash{}, 2)
		if err != nil {
			return
		}
		again, err := release.SealGroup(session.Exchange(), wire.Hash{}, 1, 1, 2, given)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := session.Open("vitalog/v1/partials", context, again.Sealed); err != nil || !bytes.Equal(got, b) {
			t.Errorf("%x decodes, but encodes to %x (%v)", b, got, err)
		}
	})
}
