package grant_test

import (
	"bytes"
	"testing"

	"vitalog/grant"
	"vitalog/key"
	"vitalog/wire"
)

// Whatever opens must be the only encoding of what it says: sealed again, the plaintext is the same.

func FuzzMessage(f *testing.F) {
	w := newWorld()
	m := w.message()
	aad := cat(m.Network[:], m.Log[:], m.Terms.Key[:])
	to := w.exchange[1]
	sealed, _ := m.Seal(to.Exchange(), w.seeds())
	f.Add(raw(f, to, "vitalog/v1/grant", aad, sealed))
	f.Fuzz(func(t *testing.T, plain []byte) {
		got, seeds, err := grant.Open(to, m.Network, m.Log, m.Terms.Key, reseal(t, to, "vitalog/v1/grant", aad, plain))
		if err != nil {
			return
		}
		again, err := got.Seal(to.Exchange(), seeds)
		if err != nil {
			t.Fatal(err)
		}
		same(t, raw(t, to, "vitalog/v1/grant", aad, again), plain)
	})
}

func FuzzRequest(f *testing.F) {
	w := newWorld()
	q := w.request(f)
	to := w.inbox.Private
	aad := cat(q.Network[:], q.Inbox[:])
	sealed, _ := q.Seal(to.Exchange(), w.signers[1])
	f.Add(unsigned(raw(f, to, "vitalog/v1/request", aad, sealed)))
	f.Fuzz(func(t *testing.T, body []byte) {
		d := wire.Sum("vitalog/v1/request", body)
		plain := sign(body, w.signers[1], d)
		got, err := grant.OpenRequest(to, w.genesis, q.Inbox, reseal(t, to, "vitalog/v1/request", aad, plain))
		if err != nil {
			return
		}
		again, err := got.Seal(to.Exchange(), w.signers[1])
		if err != nil {
			t.Fatal(err)
		}
		same(t, raw(t, to, "vitalog/v1/request", aad, again), plain)
	})
}

func FuzzDetail(f *testing.F) {
	w := newWorld()
	u, to := w.use(), w.labs.Private
	aad := cat(u.Network[:], u.Log[:], u.Session[:], u.Grantee[:])
	sealed, _ := w.detail().Seal(to.Exchange(), w.signers[1], u)
	f.Add(unsigned(raw(f, to, "vitalog/v1/detail", aad, sealed)))
	f.Fuzz(func(t *testing.T, body []byte) {
		d := wire.Sum("vitalog/v1/detail", u.Network[:], u.Log[:], u.Session[:], u.Grantee[:], body)
		plain := sign(body, w.signers[1], d)
		got, err := grant.OpenDetail(to, w.genesis, u, reseal(t, to, "vitalog/v1/detail", aad, plain))
		if err != nil {
			return
		}
		again, err := got.Seal(to.Exchange(), w.signers[1], u)
		if err != nil {
			t.Fatal(err)
		}
		same(t, raw(t, to, "vitalog/v1/detail", aad, again), plain)
	})
}

func FuzzFurther(f *testing.F) {
	w := newWorld()
	b, err := w.further(f).Encode(w.network)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := grant.DecodeFurther(w.network, b)
		if err != nil {
			return
		}
		again, err := got.Encode(w.network)
		if err != nil {
			t.Fatal(err)
		}
		same(t, again, b)
	})
}

func FuzzAnswer(f *testing.F) {
	w := newWorld()
	inbox, to := w.inbox.Log(w.network), w.exchange[1]
	aad := cat(w.network[:], inbox[:])
	sealed, _ := w.answer().Seal(to.Exchange(), w.inbox.Owner, w.network, inbox)
	f.Add(unsigned(raw(f, to, "vitalog/v1/answer", aad, sealed)))
	f.Fuzz(func(t *testing.T, body []byte) {
		d := wire.Sum("vitalog/v1/answer", w.network[:], inbox[:], body)
		plain := sign(body, w.inbox.Owner, d)
		got, err := grant.OpenAnswer(to, w.network, inbox, w.inbox.Owner.Public(), reseal(t, to, "vitalog/v1/answer", aad, plain))
		if err != nil {
			return
		}
		again, err := got.Seal(to.Exchange(), w.inbox.Owner, w.network, inbox)
		if err != nil {
			t.Fatal(err)
		}
		same(t, raw(t, to, "vitalog/v1/answer", aad, again), plain)
	})
}

func FuzzIntroduction(f *testing.F) {
	w := newWorld()
	f.Add(w.introduction(f, key.Log{1}).Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if i, err := grant.DecodeIntroduction(b); err == nil {
			same(t, i.Encode(), b)
		}
	})
}

func FuzzMailbox(f *testing.F) {
	w := newWorld()
	m := &grant.Mailbox{Letters: []grant.Letter{{Key: w.grantee.Public(), Sealed: []byte("sealed")}}}
	f.Add(m.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := grant.DecodeMailbox(b); err == nil {
			same(t, m.Encode(), b)
		}
	})
}

func FuzzSeeds(f *testing.F) {
	f.Add(grant.EncodeSeeds(newWorld().seeds()))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := grant.DecodeSeeds(b); err == nil {
			same(t, grant.EncodeSeeds(s), b)
		}
	})
}

func FuzzHandle(f *testing.F) {
	handle := newWorld().message().Handle.String()
	f.Add(handle)
	f.Add(handle[:20] + "\r\n" + handle[20:])
	f.Fuzz(func(t *testing.T, text string) {
		if h, err := grant.ParseHandle(text); err == nil && h.String() != text {
			t.Errorf("%q reads as %q", text, h)
		}
	})
}

func reseal(t *testing.T, to *key.Decapsulating, info string, aad, plain []byte) []byte {
	t.Helper()
	sealed, err := to.Exchange().Seal(info, aad, pad(plain))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func unsigned(plain []byte) []byte { return plain[:len(plain)-len(key.Signature{})] }

func sign(body []byte, s key.Signer, d wire.Hash) []byte {
	sig := s.Sign(d[:])
	return cat(body, sig[:])
}

func same(t *testing.T, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("decoded and encoded again: got %x, want %x", got, want)
	}
}

func FuzzClaim(f *testing.F) {
	w := newWorld()
	to, aad := w.exchange[1], cat(w.network[:], []byte{0, 1})
	sealed, err := w.claim(f).Seal(to.Exchange(), w.network, 1)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw(f, to, "vitalog/v1/claim", aad, sealed))
	f.Fuzz(func(t *testing.T, plain []byte) {
		got, err := grant.OpenClaim(to, w.network, 1, reseal(t, to, "vitalog/v1/claim", aad, plain))
		if err != nil {
			return
		}
		again, err := got.Seal(to.Exchange(), w.network, 1)
		if err != nil {
			t.Fatal(err)
		}
		same(t, raw(t, to, "vitalog/v1/claim", aad, again), plain)
	})
}

func FuzzAnswered(f *testing.F) {
	w := newWorld()
	q, reply := w.claim(f), w.inbox.Private
	if _, err := q.Seal(w.exchange[1].Exchange(), w.network, 1); err != nil {
		f.Fatal(err)
	}
	aad := cat(w.network[:], q.Digest[:])
	for o, root := range map[grant.Outcome][32]byte{grant.Handed: {1}, grant.Used: {}} {
		sealed, err := q.Answered(w.network, w.signers[1], o, root)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(unsigned(raw(f, reply, "vitalog/v1/claim/answer", aad, sealed)))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		plain := sign(body, w.signers[1], wire.Sum("vitalog/v1/claim/answer", w.network[:], q.Digest[:], body))
		out, root, err := q.OpenAnswered(reply, w.genesis, 1, reseal(t, reply, "vitalog/v1/claim/answer", aad, plain))
		if err != nil {
			return
		}
		again, err := q.Answered(w.network, w.signers[1], out, root)
		if err != nil {
			t.Fatal(err)
		}
		same(t, raw(t, reply, "vitalog/v1/claim/answer", aad, again), plain)
	})
}

func FuzzLocks(f *testing.F) {
	w := newWorld()
	b, err := w.locks().Sign(w.labs.Owner, w.network, 1)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(unsigned(b))
	f.Fuzz(func(t *testing.T, body []byte) {
		b := sign(body, w.labs.Owner, wire.Sum("vitalog/v1/claim/locks", w.network[:], []byte{0, 1}, body))
		l, err := grant.DecodeLocks(b, w.network, 1, w.owners)
		if err != nil {
			return
		}
		again, err := l.Sign(w.labs.Owner, w.network, 1)
		if err != nil {
			t.Fatal(err)
		}
		same(t, again, b)
	})
}

func FuzzLink(f *testing.F) {
	w := newWorld()
	l, to := w.link(), w.exchange[1]
	k := l.Key().Public()
	aad := cat(l.Network[:], l.Log[:], k[:])
	sealed, err := l.Seal(to.Exchange())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw(f, to, "vitalog/v1/health-link", aad, sealed))
	f.Fuzz(func(t *testing.T, plain []byte) {
		got, err := grant.OpenLink(to, l.Network, l.Log, k, reseal(t, to, "vitalog/v1/health-link", aad, plain))
		if err != nil {
			return
		}
		again, err := got.Seal(to.Exchange())
		if err != nil {
			t.Fatal(err)
		}
		same(t, raw(t, to, "vitalog/v1/health-link", aad, again), plain)
	})
}

func FuzzGiven(f *testing.F) {
	f.Add(grant.EncodeGiven([][]byte{[]byte("lock"), nil}), 2)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		if n < 0 || n > grant.MaxLocks {
			return
		}
		if locks, err := grant.DecodeGiven(b, n); err == nil {
			same(t, grant.EncodeGiven(locks), b)
		}
	})
}
