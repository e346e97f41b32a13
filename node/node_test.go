package node_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/keyring"
	"vitalog/node"
	"vitalog/op"
	"vitalog/section"
)

const passphrase = "a member's passphrase"

// found makes the directory of a network of one.
func found(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "member")
	if _, err := node.Found("One", op.DefaultParams, []node.Founder{{Dir: dir, Name: "Only Hospital", Kind: op.Provider, Validator: true, Passphrase: []byte(passphrase)}}); err != nil {
		t.Fatal(err)
	}
	return dir
}

func start(dir, pass string) (*node.Node, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	n, err := node.Start(ctx, dir, []byte(pass), node.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	return n, n.WaitReady(ctx)
}

func TestAMemberAloneMakesItsKeyAndKeepsWhatItAcknowledged(t *testing.T) {
	dir := found(t)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	n, err := start(dir, passphrase)
	if err != nil {
		t.Fatal(err)
	}
	if k := n.Chain.Ledger().NetworkKey(0); k.K != 1 || len(k.Holders) != 1 {
		t.Errorf("a network of one needs %d of %d shares", k.K, len(k.Holders))
	}
	chart, err := n.Member.Enrol(ctx)
	if err != nil {
		t.Fatal(err)
	}
	r, err := fhir.Parse([]byte(`{"resourceType":"Observation","status":"final","code":{"text":"pulse"},"valueQuantity":{"value":60.0}}`))
	if err != nil {
		t.Fatal(err)
	}
	who := exchange.Asker{Practitioner: "p", Name: "P", Role: "physician", Purpose: exchange.Treat}
	if _, err := n.Member.Publish(ctx, who, chart, []exchange.Draft{{Resource: r, ID: "pulse-1", Section: section.Vitals, Group: "a"}}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		resp, err := http.Get(n.Config.URL() + path)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s answers %s", path, resp.Status)
		}
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err = start(dir, passphrase); err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	opened, err := n.Member.Open(ctx, who, chart, exchange.Want{Sections: []section.Section{section.Vitals}})
	if err != nil {
		t.Fatal(err)
	}
	if opened.Chart.Get("Observation", "pulse-1") == nil {
		t.Error("what was acknowledged is not there after a restart")
	}
}

// A port that somebody has is named, and everything that was opened before is let go of: the member starts when the port is free.
func TestATakenPortIsNamedAndNothingStaysOpen(t *testing.T) {
	dir := found(t)
	config, err := node.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, address := range map[string]string{"software": config.API, "members": config.Peer, "engine": config.Consensus} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		n, err := start(dir, passphrase)
		if err == nil {
			n.Close()
			t.Fatalf("%s: it started on a port that is taken", name)
		}
		if _, port, _ := net.SplitHostPort(address); !strings.Contains(err.Error(), port) {
			t.Errorf("%s: %q does not name the port %s", name, err, port)
		}
		l.Close()
	}
	n, err := start(dir, passphrase)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := n.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	}
}

// The consensus engine leaves a few goroutines of its own behind; this program's all end.
func TestAClosedMemberLeavesNoGoroutine(t *testing.T) {
	dir := found(t)
	n, err := start(dir, passphrase)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Member.Enrol(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	ours := func() (out []string) {
		stacks := make([]byte, 4<<20)
		all := strings.Split(string(stacks[:runtime.Stack(stacks, true)]), "\n\n")
		for _, g := range all[1:] { // the first is this one
			if strings.Contains(g, "\nvitalog/") && !strings.Contains(g, "vitalog/node_test") {
				out = append(out, g)
			}
		}
		return out
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(10 * time.Second)
	for len(ours()) > 0 {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("after closing:\n%s", strings.Join(ours(), "\n\n"))
		}
	}
}

func TestADirectoryIsRefusedWithTheReason(t *testing.T) {
	edit := func(old, new string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			path := filepath.Join(dir, node.ConfigFile)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			changed := strings.Replace(string(b), old, new, 1)
			if changed == string(b) {
				t.Fatalf("%q is not in the configuration", old)
			}
			if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		name, want string
		spoil      func(t *testing.T, dir string)
	}{
		{"a newer format", "format 3", edit("format = 2", "format = 3")},
		{"plain HTTP off localhost", "not localhost", edit(`api = "localhost`, `api = "192.0.2.1`)},
		{"an unknown setting", "colour", edit("log_level", "colour = \"red\"\nlog_level")},
		{"no configuration", "vitalog init", func(t *testing.T, dir string) { os.Remove(filepath.Join(dir, node.ConfigFile)) }},
		{"a newer genesis", "newer program", func(t *testing.T, dir string) {
			path := filepath.Join(dir, node.GenesisFile)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(strings.Replace(string(b), `"version": 1`, `"version": 2`, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		{"somebody else's keyring", "no member in the genesis", func(t *testing.T, dir string) {
			path := filepath.Join(dir, node.KeyringFile)
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if _, err := keyring.Create(path, []byte(passphrase)); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := found(t)
			c.spoil(t, dir)
			n, err := start(dir, passphrase)
			if err == nil {
				n.Close()
				t.Fatal("it started")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("the reason is %q, want %q in it", err, c.want)
			}
		})
	}
}

func TestAWrongPassphraseOpensNothing(t *testing.T) {
	if _, err := start(found(t), "another passphrase"); !errors.Is(err, keyring.ErrLocked) {
		t.Errorf("got %v, want ErrLocked", err)
	}
}

func TestADirectoryWithAMemberIsNotFoundedAgain(t *testing.T) {
	dir := found(t)
	_, err := node.Found("Again", op.DefaultParams, []node.Founder{{Dir: dir, Name: "Other", Kind: op.Lab, Validator: true, Passphrase: []byte(passphrase)}})
	if err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("got %v", err)
	}
}
