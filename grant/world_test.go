package grant_test

import (
	"bytes"
	"crypto/sha256"
	"testing"

	"vitalog/consent"
	"vitalog/grant"
	"vitalog/key"
	"vitalog/op"
	"vitalog/section"
)

// world is a network of two members and one patient, the same in every run.
type world struct {
	genesis  *op.Genesis
	network  key.Network
	signers  []*key.Signing       // of the members
	exchange []*key.Decapsulating // of the members
	labs     *key.SectionKeys     // of the patient
	inbox    *key.SectionKeys
	grantee  *key.Signing // of member 1, for labs and TREAT
}

func seed(name string) [32]byte { return sha256.Sum256([]byte("test " + name)) }

func newWorld() *world {
	w := &world{grantee: key.NewSigning(seed("grantee"))}
	for _, name := range []string{"member 0", "member 1"} {
		w.signers = append(w.signers, key.NewSigning(seed(name)))
		w.exchange = append(w.exchange, key.NewDecapsulating(seed(name+" exchange")))
	}
	w.genesis = &op.Genesis{Version: op.Version, Name: "test", Params: op.DefaultParams, Members: []op.Member{
		{Name: "General Hospital", Kind: op.Provider, Validator: true, Sign: w.signers[0].Public()},
		{Name: "Bright Laboratory", Kind: op.Lab, Validator: true, Sign: w.signers[1].Public()},
	}}
	w.network = w.genesis.Network()
	root := key.RootFrom(seed("patient"))
	w.labs, w.inbox = root.Section(uint8(section.Labs)), root.Section(uint8(section.Inbox))
	return w
}

func (w *world) message() *grant.Message {
	return &grant.Message{
		Network: w.network, Log: w.labs.Log(w.network), Section: section.Labs, Purpose: "TREAT", Patient: "b7f1c9e2",
		Owner: *w.labs.Private.Exchange(), Custodial: true,
		Handle: grant.Handle{Inbox: w.inbox.Log(w.network), Key: grant.Hash(w.inbox.Private.Exchange()[:])},
		Label:  "Dr. Ibáñez, until Easter",
		Terms: consent.Terms{
			Key: w.grantee.Public(), Rights: consent.Read | consent.Write, Ranges: []consent.Range{{From: 0, To: 9}, {From: 12, To: consent.Forever}},
			From: 1_760_000_000_000, Until: 1_770_000_000_000, Uses: 20, Parent: 3,
		},
	}
}

func (w *world) seeds() []grant.Seed {
	return []grant.Seed{grant.NewSeed(1, w.labs.ReaderSeed(1)), grant.NewSeed(3, w.labs.ReaderSeed(3))}
}

func (w *world) introduction(t testing.TB, log key.Log) *grant.Introduction {
	i, err := grant.Introduce(w.network, 1, w.signers[1], log, "TREAT", w.grantee.Public())
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func (w *world) request(t testing.TB) *grant.Request {
	return &grant.Request{
		ID: grant.RequestID{1, 2, 3}, Network: w.network, Inbox: w.inbox.Log(w.network), Member: 1, Purpose: "TREAT", Rights: consent.Read,
		Sections: []section.Section{section.Medications, section.Labs}, Introductions: []grant.Introduction{*w.introduction(t, w.labs.Log(w.network))},
		From: 1_700_000_000_000, Until: 1_760_000_000_000, Lasts: 7 * 86_400_000, Uses: 5,
		Practitioner: "practitioner-17", Name: "Ana Ibáñez", Role: "haematologist", Organisation: "Coagulation clinic", Reason: "Your INR was high.\nI would like to see why.",
	}
}

func (w *world) detail() *grant.Detail {
	return &grant.Detail{
		Practitioner: "practitioner-17", Name: "Ana Ibáñez", Role: "haematologist", Member: 1, Organisation: "Coagulation clinic", Purpose: "TREAT",
		Reason: "visit of today", Request: grant.RequestID{1, 2, 3},
	}
}

func (w *world) use() grant.Use {
	return grant.Use{Network: w.network, Log: w.labs.Log(w.network), Session: seed("session"), Grantee: w.grantee.Public()}
}

func (w *world) link() *grant.Link {
	l := grant.NewLink(seed("link"), "402958")
	l.Network, l.Log, l.ID = w.network, w.labs.Log(w.network), seed("token")
	l.Owner, l.File, l.Size = *w.labs.Private.Exchange(), seed("file"), 1_200
	return l
}

func (w *world) answer() *grant.Answer {
	return &grant.Answer{
		Request: grant.RequestID{1, 2, 3}, Granted: []grant.Given{{Section: section.Medications, Log: key.Log{7}}, {Section: section.Labs, Log: w.labs.Log(w.network), Entry: 12}},
		Denied: []section.Section{section.HIV}, Note: "Until Easter.",
	}
}

// pad is the padding of the spec, written once more.
func pad(plaintext []byte) []byte {
	n := len(plaintext)
	out := append([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, plaintext...)
	for len(out)%512 != 0 {
		out = append(out, 0)
	}
	return out
}

func unpad(padded []byte) []byte {
	n := int(padded[0])<<24 | int(padded[1])<<16 | int(padded[2])<<8 | int(padded[3])
	return padded[4 : 4+n]
}

// raw opens a sealed message without the package.
func raw(t testing.TB, o key.Opener, info string, aad, sealed []byte) []byte {
	t.Helper()
	b, err := o.Open(info, aad, sealed)
	if err != nil {
		t.Fatal(err)
	}
	return unpad(b)
}

func cat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
