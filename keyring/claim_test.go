package keyring_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"vitalog/grant"
	"vitalog/key"
	"vitalog/keyring"
	"vitalog/op"
	"vitalog/section"
	"vitalog/wire"
)

// claimVector is a claim whose every key can be made again, but for what is sealed, which opens.
type claimVector struct {
	Words   string               `json:"words"`   // the patient's root
	Custody string               `json:"custody"` // the root in custody
	Code    string               `json:"code"`    // of the card
	Network key.Network          `json:"network"`
	Sign    key.Verifier         `json:"custodianSign"`
	Seed    string               `json:"custodianExchangeSeed"`
	Chart   string               `json:"chart"`
	Reply   wire.Hash            `json:"reply"` // hash of the key that the answer is sealed to
	Epoch   uint32               `json:"epoch"` // the last of the custody's, in all sections
	Keys    map[string]claimKeys `json:"keys"`  // by section
	Claim   string               `json:"claim"`
	Answer  string               `json:"answer"` // hands the root over
	Locks   string               `json:"locks"`  // of labs, signed for member 0
}

type claimKeys struct {
	Log      key.Log      `json:"log"`
	Owner    key.Verifier `json:"owner"`
	Exchange wire.Hash    `json:"exchange"`
	Before   wire.Hash    `json:"readerBefore"` // of the last epoch of the custody
	After    wire.Hash    `json:"readerAfter"`  // of the first of the patient's own
}

func TestTheVectorsOfAClaimHold(t *testing.T) {
	path := filepath.Join("..", "spec", "testdata", "claim.json")
	sign, exchange := key.NewSigning([32]byte{1}), key.NewDecapsulating([32]byte{2})
	g := &op.Genesis{Version: op.Version, Name: "claim", Params: op.DefaultParams, Members: []op.Member{{Name: "General Hospital", Kind: op.Provider, Validator: true, Sign: sign.Public()}}}
	custody := [32]byte{3, 1, 4}
	var v claimVector
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &v)
	}
	if *update {
		v, err = claimVector{Words: strings.Repeat("abandon ", 23) + "art", Epoch: 2}, nil
	}
	if err != nil {
		t.Fatal(err)
	}
	keys := claimant(t, g, v.Words)
	c := keyring.NewClaim(custody)
	for _, s := range section.Clinical() {
		c.Epochs[s] = v.Epoch
	}
	mine := keys.With(c)
	if *update {
		card, err := grant.NewClaimCard(g.Network(), 0, c.Chart())
		if err != nil {
			t.Fatal(err)
		}
		q := grant.NewClaim(card, keys.ClaimKey(c.Chart()).Exchange())
		sealed, err := q.Seal(exchange.Exchange(), g.Network(), 0)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := q.Answered(g.Network(), sign, grant.Handed, custody)
		if err != nil {
			t.Fatal(err)
		}
		v.Code, v.Claim, v.Answer = card.Code(), hex.EncodeToString(sealed), hex.EncodeToString(answer)
	}
	locks := &grant.Locks{Chart: c.Chart(), Log: mine.Log(section.Labs), Owner: mine.Private(section.Labs).Exchange(), At: 1_800_000_000_000, Entries: []uint64{2, 3, 5}}
	asked, err := locks.Sign(mine.Owner(section.Labs), g.Network(), 0)
	if err != nil {
		t.Fatal(err)
	}
	got := claimVector{Words: v.Words, Custody: hex.EncodeToString(custody[:]), Code: v.Code, Network: g.Network(), Sign: sign.Public(), Seed: hex.EncodeToString(append([]byte{2}, make([]byte, 31)...)), Chart: mine.ChartID(),
		Reply: keys.ClaimKey(c.Chart()).Exchange().Hash(), Epoch: v.Epoch, Keys: map[string]claimKeys{}, Claim: v.Claim, Answer: v.Answer, Locks: hex.EncodeToString(asked)}
	for _, s := range []section.Section{section.Labs, section.Inbox, section.Index} {
		got.Keys[s.String()] = claimKeys{mine.Log(s), mine.Owner(s).Public(), mine.Private(s).Exchange().Hash(), mine.ReaderPublic(s, v.Epoch).Hash(), mine.ReaderPublic(s, v.Epoch+1).Hash()}
	}
	if *update {
		b, err := json.MarshalIndent(got, "", "  ")
		if err == nil {
			err = os.WriteFile(path, append(b, '\n'), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	if !reflect.DeepEqual(got, v) {
		t.Errorf("got %+v, want %+v", got, v)
	}
	card, err := grant.ParseClaimCard(v.Code)
	if err != nil {
		t.Fatal(err)
	}
	q, err := grant.OpenClaim(exchange, g.Network(), 0, unhex(t, v.Claim))
	if err != nil || q.Card() != card.Hash() || q.Chart != c.Chart() || q.Reply.Hash() != v.Reply {
		t.Errorf("the claim: %v, %v", q, err)
	}
	if out, root, err := q.OpenAnswered(keys.ClaimKey(c.Chart()), g, 0, unhex(t, v.Answer)); err != nil || out != grant.Handed || root != custody {
		t.Errorf("the answer: %v, %v", out, err)
	}
}

func claimant(t *testing.T, g *op.Genesis, words string) *keyring.Patient {
	t.Helper()
	r, err := keyring.CreatePatient(filepath.Join(t.TempDir(), "ring"), []byte("passphrase"), words)
	if err == nil {
		err = r.Join(g.Network())
	}
	if err != nil {
		t.Fatal(err)
	}
	keys, err := r.Own()
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestAClaimedChartIsReadWithOldKeysAndWrittenWithNew(t *testing.T) {
	g := &op.Genesis{Version: op.Version, Name: "claim", Params: op.DefaultParams}
	keys := claimant(t, g, "")
	c := keyring.NewClaim([32]byte{5})
	for _, s := range section.Clinical() {
		c.Epochs[s] = 3
	}
	b := c.Encode()
	again, err := keyring.DecodeClaim(b)
	if err != nil || again.Root() != c.Root() || !reflect.DeepEqual(again.Epochs, c.Epochs) {
		t.Errorf("read back: %v, %v", again, err)
	}
	for name, odd := range map[string][]byte{"short": b[:len(b)-1], "long": append(b, 0), "version": append([]byte{2}, b[1:]...), "nothing": nil} {
		if _, err := keyring.DecodeClaim(odd); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	mine, old := keys.With(c), c.Custody(g.Network())
	for _, s := range section.All() {
		if s == section.Index {
			if mine.Log(s) != keys.Log(s) || mine.Owner(s).Public() != keys.Owner(s).Public() {
				t.Error("the index is not the patient's own")
			}
			continue
		}
		if mine.Log(s) != old.Log(s) || mine.Owner(s).Public() == old.Owner(s).Public() || mine.Owner(s).Public() == keys.Owner(s).Public() {
			t.Errorf("%v: the log stays, its owner key is new and not that of a log of the patient's own", s)
		}
		for name, to := range map[string]*key.Exchange{"before": old.Private(s).Exchange(), "after": mine.Private(s).Exchange()} {
			sealed, err := to.Seal("test", nil, []byte(name))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := mine.Private(s).Open("test", nil, sealed); err != nil || string(got) != name {
				t.Errorf("%v: sealed %s: %q, %v", s, name, got, err)
			}
			if _, err := mine.Private(s).Open("other", nil, sealed); !errors.Is(err, key.ErrSealed) {
				t.Errorf("%v: for another use: %v", s, err)
			}
		}
	}
	labs := section.Labs
	if mine.ReaderPublic(labs, 3).Hash() != old.ReaderPublic(labs, 3).Hash() || mine.ReaderPublic(labs, 4).Hash() == old.ReaderPublic(labs, 4).Hash() {
		t.Error("reader keys change with the epoch after the claim")
	}
}
