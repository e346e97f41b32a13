package grant_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"vitalog/grant"
	"vitalog/key"
)

func TestALinkOpensForItsMemberGrantAndPasscodeAlone(t *testing.T) {
	w := newWorld()
	l, to := w.link(), w.exchange[1]
	k := l.Key().Public()
	sealed, err := l.Seal(to.Exchange())
	if err != nil {
		t.Fatal(err)
	}
	got, err := grant.OpenLink(to, w.network, l.Log, k, sealed)
	if err != nil {
		t.Fatal(err)
	}
	if got.ID != l.ID || got.Owner != l.Owner || got.File != l.File || got.Size != l.Size || got.Key().Public() != k {
		t.Error("what opens is not what was sealed")
	}
	if !got.Opens("402958") || got.Opens("402959") || got.Opens("") {
		t.Error("the passcode is another")
	}
	if said := fmt.Sprintf("%v %+v %#v", got, got, got); strings.Contains(said, "402958") {
		t.Errorf("it prints its passcode: %s", said)
	}
	other := key.Log{9}
	for name, open := range map[string]func() (*grant.Link, error){
		"another member": func() (*grant.Link, error) { return grant.OpenLink(w.exchange[0], w.network, l.Log, k, sealed) },
		"another log":    func() (*grant.Link, error) { return grant.OpenLink(to, w.network, other, k, sealed) },
		"another key": func() (*grant.Link, error) {
			return grant.OpenLink(to, w.network, l.Log, w.grantee.Public(), sealed)
		},
	} {
		if _, err := open(); !errors.Is(err, key.ErrSealed) {
			t.Errorf("%s: got %v, want %v", name, err, key.ErrSealed)
		}
	}
	for _, short := range []string{"", "12345", "1234\n6", strings.Repeat("1", 65)} {
		x := grant.NewLink(seed("link"), short)
		x.Owner, x.Size = l.Owner, 1
		if _, err := x.Seal(to.Exchange()); err == nil {
			t.Errorf("the passcode %q is taken", short)
		}
	}
}
