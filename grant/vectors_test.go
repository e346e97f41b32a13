package grant_test

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"vitalog/consent"
	"vitalog/grant"
	"vitalog/key"
)

var update = flag.Bool("update", false, "write spec/testdata/grant.json, access.json and outbox.json anew")

// vector is one sealed message: who opens it, under which context, and what it says. Values are in hex where they are bytes.
type vector struct {
	Name      string         `json:"name"`
	Info      string         `json:"info"`
	Seed      string         `json:"recipientSeed"` // of the X-Wing key that opens it
	AAD       string         `json:"aad"`
	Plaintext string         `json:"plaintext"` // without padding
	Sealed    string         `json:"sealed"`
	Says      map[string]any `json:"says"`
}

func TestTheVectorsHold(t *testing.T) {
	w := newWorld()
	root := key.RootFrom(seed("patient"))
	labs, inbox := w.labs.Log(w.network), w.inbox.Log(w.network)
	labsSeed := key.Derive(secretOf(root), "vitalog/v1/root/exchange", []byte{5})
	inboxSeed := key.Derive(secretOf(root), "vitalog/v1/root/exchange", []byte{18})
	member1 := seed("member 1 exchange")
	m, q, d, u, a := w.message(), w.request(t), w.detail(), w.use(), w.answer()

	files := map[string][]vector{
		"grant.json": {
			{Name: "message", Info: "vitalog/v1/grant", Seed: hexOf(member1[:]), AAD: hexOf(m.Network[:], m.Log[:], m.Terms.Key[:]), Says: messageText(m, w.seeds())},
			{Name: "request", Info: "vitalog/v1/request", Seed: hexOf(inboxSeed[:]), AAD: hexOf(w.network[:], inbox[:]), Says: requestText(q)},
			{Name: "answer", Info: "vitalog/v1/answer", Seed: hexOf(member1[:]), AAD: hexOf(w.network[:], inbox[:]), Says: answerText(a)},
		},
		"access.json": {
			{Name: "detail", Info: "vitalog/v1/detail", Seed: hexOf(labsSeed[:]), AAD: hexOf(u.Network[:], labs[:], u.Session[:], u.Grantee[:]), Says: detailText(d)},
		},
	}
	seal := map[string]func() ([]byte, error){
		"message": func() ([]byte, error) { return m.Seal(w.exchange[1].Exchange(), w.seeds()) },
		"request": func() ([]byte, error) { return q.Seal(w.inbox.Private.Exchange(), w.signers[1]) },
		"answer":  func() ([]byte, error) { return a.Seal(w.exchange[1].Exchange(), w.inbox.Owner, w.network, inbox) },
		"detail":  func() ([]byte, error) { return d.Seal(w.labs.Private.Exchange(), w.signers[1], u) },
	}
	open := map[string]func(sealed []byte) (map[string]any, error){
		"message": func(b []byte) (map[string]any, error) {
			m, seeds, err := grant.Open(w.exchange[1], m.Network, m.Log, m.Terms.Key, b)
			if err != nil {
				return nil, err
			}
			return messageText(m, seeds), nil
		},
		"request": func(b []byte) (map[string]any, error) {
			q, err := grant.OpenRequest(w.inbox.Private, w.genesis, inbox, b)
			if err != nil {
				return nil, err
			}
			return requestText(q), nil
		},
		"answer": func(b []byte) (map[string]any, error) {
			a, err := grant.OpenAnswer(w.exchange[1], w.network, inbox, w.inbox.Owner.Public(), b)
			if err != nil {
				return nil, err
			}
			return answerText(a), nil
		},
		"detail": func(b []byte) (map[string]any, error) {
			d, err := grant.OpenDetail(w.labs.Private, w.genesis, u, b)
			if err != nil {
				return nil, err
			}
			return detailText(d), nil
		},
	}

	for file, fresh := range files {
		path := filepath.Join("..", "spec", "testdata", file)
		if *update {
			for i := range fresh {
				v := &fresh[i]
				sealed, err := seal[v.Name]()
				if err != nil {
					t.Fatal(err)
				}
				v.Sealed, v.Plaintext = hexOf(sealed), hexOf(v.plain(t, sealed))
			}
			b, err := json.MarshalIndent(fresh, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, append(b, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var stored []vector
		if err := json.Unmarshal(b, &stored); err != nil {
			t.Fatal(err)
		}
		if len(stored) != len(fresh) {
			t.Fatalf("%s: %d vectors, want %d", file, len(stored), len(fresh))
		}
		for i, v := range stored {
			want := fresh[i]
			if v.Name != want.Name || v.Seed != want.Seed || v.AAD != want.AAD || !sameJSON(t, v.Says, want.Says) {
				t.Errorf("%s: %s is for another world: got %+v", file, want.Name, v)
				continue
			}
			sealed := unhex(t, v.Sealed)
			if got := hexOf(v.plain(t, sealed)); got != v.Plaintext {
				t.Errorf("%s: %s: got plaintext %s, want %s", file, v.Name, got, v.Plaintext)
			}
			says, err := open[v.Name](sealed)
			if err != nil || !sameJSON(t, says, v.Says) {
				t.Errorf("%s: %s: got %v, %v, want %v", file, v.Name, says, err, v.Says)
			}
			again, err := seal[v.Name]()
			if err != nil || hexOf(v.plain(t, again)) != v.Plaintext {
				t.Errorf("%s: %s: encodes otherwise than the vector: %v", file, v.Name, err)
			}
		}
	}
}

func (v *vector) plain(t *testing.T, sealed []byte) []byte {
	return raw(t, key.NewDecapsulating([32]byte(unhex(t, v.Seed))), v.Info, unhex(t, v.AAD), sealed)
}

func messageText(m *grant.Message, seeds []grant.Seed) map[string]any {
	readers := map[string]string{}
	for _, s := range seeds {
		h := s.Reader().Exchange().Hash()
		readers[string(rune('0'+s.Epoch))] = h.String()
	}
	return map[string]any{
		"network": m.Network, "log": m.Log, "section": int(m.Section), "purpose": m.Purpose, "patient": m.Patient, "owner": hexOf(m.Owner[:]),
		"custodial": m.Custodial, "handle": m.Handle.String(), "label": m.Label, "terms": termsText(&m.Terms), "readerKeyHashes": readers,
	}
}

func termsText(x *consent.Terms) map[string]any {
	var ranges [][2]string
	for _, r := range x.Ranges {
		ranges = append(ranges, [2]string{hexOf(u64(r.From)), hexOf(u64(r.To))})
	}
	return map[string]any{"key": x.Key, "rights": x.Rights.String(), "ranges": ranges, "from": x.From, "until": x.Until, "uses": x.Uses, "parent": x.Parent}
}

func requestText(q *grant.Request) map[string]any {
	var known []map[string]any
	for _, i := range q.Introductions {
		known = append(known, map[string]any{"member": i.Member, "log": i.Log, "purpose": i.Purpose, "grantee": i.Grantee, "signature": hexOf(i.Sig[:])})
	}
	return map[string]any{
		"id": hexOf(q.ID[:]), "network": q.Network, "inbox": q.Inbox, "member": q.Member, "purpose": q.Purpose, "rights": q.Rights.String(),
		"sections": numbers(q.Sections), "introductions": known, "from": q.From, "until": q.Until, "lasts": q.Lasts, "uses": q.Uses,
		"practitioner": q.Practitioner, "name": q.Name, "role": q.Role, "organisation": q.Organisation, "reason": q.Reason,
	}
}

func detailText(d *grant.Detail) map[string]any {
	return map[string]any{
		"practitioner": d.Practitioner, "name": d.Name, "role": d.Role, "member": d.Member, "organisation": d.Organisation, "purpose": d.Purpose,
		"reason": d.Reason, "request": hexOf(d.Request[:]), "machine": d.Machine,
	}
}

func answerText(a *grant.Answer) map[string]any {
	var given []map[string]any
	for _, g := range a.Granted {
		given = append(given, map[string]any{"section": int(g.Section), "log": g.Log, "entry": g.Entry})
	}
	return map[string]any{"request": hexOf(a.Request[:]), "granted": given, "denied": numbers(a.Denied), "note": a.Note}
}

func numbers[S ~uint8](list []S) []int {
	var out []int
	for _, s := range list {
		out = append(out, int(s))
	}
	return out
}

func secretOf(r *key.Root) []byte {
	s := r.Reveal()
	return s[:]
}

func u64(x uint64) []byte {
	return []byte{byte(x >> 56), byte(x >> 48), byte(x >> 40), byte(x >> 32), byte(x >> 24), byte(x >> 16), byte(x >> 8), byte(x)}
}

func hexOf(parts ...[]byte) string { return hex.EncodeToString(cat(parts...)) }

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func sameJSON(t *testing.T, a, b any) bool {
	t.Helper()
	var x, y any
	for _, c := range []struct{ from, to any }{{a, &x}, {b, &y}} {
		j, err := json.Marshal(c.from)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(j, c.to); err != nil {
			t.Fatal(err)
		}
	}
	return reflect.DeepEqual(x, y)
}
