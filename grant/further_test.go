package grant_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"vitalog/consent"
	"vitalog/grant"
	"vitalog/key"
	"vitalog/op"
)

// further is a reading of three entries of the labs that were open.
func (w *world) further(t testing.TB) *grant.Further {
	t.Helper()
	u := w.use()
	detail, err := w.detail().Seal(w.labs.Private.Exchange(), w.signers[1], u)
	if err != nil {
		t.Fatal(err)
	}
	body := &op.Access{Grant: 12, Further: true, Ranges: []consent.Range{{From: 3, To: 5}, {From: 9, To: 10}}, Session: u.Session, Detail: grant.Hash(detail)}
	o := op.Sign(w.network, w.grantee, u.Log, 1_765_000_000_000, body)
	return &grant.Further{Chart: "b7f1c9e2", Accesses: []grant.FurtherAccess{{Purpose: "TREAT", Size: 28, Detail: detail, Op: o}}}
}

// furtherVector is what lies in an outbox, once the keyring has opened it, and what it says.
type furtherVector struct {
	Network   key.Network  `json:"network"`
	Use       string       `json:"use"` // hex
	Chart     string       `json:"chart"`
	Purpose   string       `json:"purpose"`
	Size      uint64       `json:"size"`
	Log       key.Log      `json:"log"`
	Signer    key.Verifier `json:"signer"`
	Operation string       `json:"operation"` // hex of its id
}

func TestAFurtherUseReadsAsItWasWritten(t *testing.T) {
	w := newWorld()
	path := filepath.Join("..", "spec", "testdata", "outbox.json")
	if *update {
		b, err := w.further(t).Encode(w.network)
		if err != nil {
			t.Fatal(err)
		}
		if b, err = json.MarshalIndent(w.furtherVector(t, b), "", "  "); err != nil {
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
	var want furtherVector
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	if got := w.furtherVector(t, unhex(t, want.Use)); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func (w *world) furtherVector(t *testing.T, b []byte) furtherVector {
	f, err := grant.DecodeFurther(w.network, b)
	if err != nil {
		t.Fatal(err)
	}
	again, err := f.Encode(w.network)
	if err != nil {
		t.Fatal(err)
	}
	a := f.Accesses[0]
	if !a.Op.Verify() {
		t.Error("the operation's signature does not verify")
	}
	return furtherVector{w.network, hexOf(again), f.Chart, a.Purpose, a.Size, a.Op.Log, a.Op.Signer, a.Op.ID().String()}
}

func TestWhatIsNoFurtherUseIsNotTakenForOne(t *testing.T) {
	w := newWorld()
	for name, spoil := range map[string]func(f *grant.Further){
		"of no chart":            func(f *grant.Further) { f.Chart = "" },
		"of nothing":             func(f *grant.Further) { f.Accesses = nil },
		"for no purpose":         func(f *grant.Further) { f.Accesses[0].Purpose = "treat" },
		"with another's detail":  func(f *grant.Further) { f.Accesses[0].Detail = []byte("x") },
		"that waits for release": func(f *grant.Further) { f.Accesses[0].Op.Body.(*op.Access).Further = false },
		"by another operation":   func(f *grant.Further) { f.Accesses[0].Op.Body = &op.Revoke{} },
	} {
		f := w.further(t)
		if _, err := f.Encode(w.network); err != nil {
			t.Fatal(err)
		}
		spoil(f)
		if _, err := f.Encode(w.network); err == nil {
			t.Errorf("a use %s is encoded", name)
		}
	}
	b, err := w.further(t).Encode(w.network)
	if err != nil {
		t.Fatal(err)
	}
	b[0]++
	if _, err := grant.DecodeFurther(w.network, b); err == nil {
		t.Error("a newer version is read")
	}
	b[0]--
	if _, err := grant.DecodeFurther(w.network, append(b, 0)); err == nil {
		t.Error("bytes after the end are read")
	}
}
