package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"vitalog/exchange"
	"vitalog/gateway"
	"vitalog/keyring"
	"vitalog/node"
	"vitalog/op"
)

// network is validators, each a process of its own, so that it can be killed. Everything that they write, their logs and temporary
// files too, lies under dir.
type network struct {
	t     *testing.T
	dir   string
	up    []*exec.Cmd
	rings []*keyring.Ring // of tokens for the doors
}

// patience is how long anything in these tests may take before something must be broken.
const patience = 5 * time.Minute

// foundNetwork founds a network of so many. configure, if there is one, changes how the members are configured.
func foundNetwork(t *testing.T, members int, configure func(c *node.Config)) *network {
	n := &network{t: t, dir: t.TempDir(), up: make([]*exec.Cmd, members)}
	var founders []node.Founder
	for i := range n.up {
		founders = append(founders, node.Founder{Dir: n.member(i), Name: fmt.Sprint("Member ", i), Kind: op.Provider, Validator: true})
	}
	var err error
	if n.rings, err = node.Found("ordeal", op.DefaultParams, founders); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(n.dir, "tmp"), 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range n.up {
		if configure != nil {
			c, err := node.Load(n.member(i))
			if err != nil {
				t.Fatal(err)
			}
			configure(c)
			if err := c.Save(n.member(i)); err != nil {
				t.Fatal(err)
			}
		}
		n.start(i)
	}
	t.Cleanup(func() {
		for i := range n.up {
			n.kill(i)
		}
		if t.Failed() {
			for i := range n.up {
				b, _ := os.ReadFile(n.log(i))
				t.Logf("the last words of member %d:\n%s", i, b[max(0, len(b)-2000):])
			}
		}
	})
	for i := range n.up {
		n.await(i)
	}
	return n
}

func (n *network) member(i int) string { return filepath.Join(n.dir, fmt.Sprint("member", i)) }

func (n *network) log(i int) string { return filepath.Join(n.dir, fmt.Sprint("member", i, ".log")) }

// command is the program with what every run of it shares.
func (n *network) command(args ...string) *exec.Cmd {
	c := exec.Command("vitalog", args...)
	c.Env = append(os.Environ(), "HOME="+n.dir, "TMPDIR="+filepath.Join(n.dir, "tmp"))
	return c
}

// start starts a member's process.
func (n *network) start(i int) {
	n.t.Helper()
	log, err := os.OpenFile(n.log(i), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		n.t.Fatal(err)
	}
	defer log.Close()
	c := n.command("up", "--dir", n.member(i))
	c.Stdout, c.Stderr = log, log
	if err := c.Start(); err != nil {
		n.t.Fatal(err)
	}
	n.up[i] = c
}

// await waits until a member can do its work.
func (n *network) await(i int) {
	n.t.Helper()
	if out, err := n.command("status", "--dir", n.member(i), "--wait", patience.String()).CombinedOutput(); err != nil {
		n.t.Fatalf("member %d is not ready: %v\n%s", i, err, out)
	}
}

// whole waits until a member has fetched everything that the ledger names.
func (n *network) whole(i int) {
	n.t.Helper()
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	for began := time.Now(); ; <-again.C {
		out, err := n.command("status", "--dir", n.member(i), "--json").Output()
		var s status
		if err == nil {
			err = json.Unmarshal(out, &s)
		}
		if err == nil && s.Missing == 0 {
			return
		}
		if time.Since(began) > patience {
			n.t.Fatalf("member %d still lacks %d: %v", i, s.Missing, err)
		}
	}
}

// kill ends a member's process as a power cut does.
func (n *network) kill(i int) {
	if c := n.up[i]; c != nil {
		n.up[i] = nil
		_ = c.Process.Signal(syscall.SIGKILL)
		_ = c.Wait()
	}
}

// stop ends all processes in good order.
func (n *network) stop() {
	n.t.Helper()
	for i, c := range n.up {
		n.up[i] = nil
		if err := errors.Join(c.Process.Signal(syscall.SIGTERM), c.Wait()); err != nil {
			n.t.Errorf("stopping member %d: %v", i, err)
		}
	}
}

// ask sends a request to a member's FHIR endpoint and wants success.
func (n *network) ask(i int, method, path string, body []byte, headers ...string) []byte {
	n.t.Helper()
	c, err := node.Load(n.member(i))
	if err != nil {
		n.t.Fatal(err)
	}
	who := exchange.Asker{Practitioner: "ordeal", Name: "Dr. Ordeal", Role: "physician", Purpose: exchange.Treat}
	token, err := gateway.IssueToken(n.rings[i].Tokens(), fmt.Sprint("Member ", i), c.URL()+"/fhir", who, time.Minute, time.Now())
	if err != nil {
		n.t.Fatal(err)
	}
	r, err := http.NewRequest(method, c.URL()+"/fhir"+path, bytes.NewReader(body))
	if err != nil {
		n.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if body != nil {
		r.Header.Set("Content-Type", "application/fhir+json")
	}
	for h := 0; h < len(headers); h += 2 {
		r.Header.Set(headers[h], headers[h+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		n.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	if resp.StatusCode > 299 {
		n.t.Fatalf("%s %s at member %d: %s: %.1000s", method, path, i, resp.Status, b)
	}
	return b
}

// watched is a run of the program whose lines of JSON are counted as they come.
type watched struct {
	cmd    *exec.Cmd
	errors bytes.Buffer
	ended  chan error

	mu    sync.Mutex
	lines []map[string]any
	more  chan struct{} // closed and replaced with each line
}

func (n *network) watch(args ...string) *watched {
	n.t.Helper()
	w := &watched{cmd: n.command(args...), ended: make(chan error, 1), more: make(chan struct{})}
	w.cmd.Stderr = &w.errors
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		n.t.Fatal(err)
	}
	if err := w.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	go func() {
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var line map[string]any
			if json.Unmarshal(lines.Bytes(), &line) == nil {
				w.mu.Lock()
				w.lines = append(w.lines, line)
				close(w.more)
				w.more = make(chan struct{})
				w.mu.Unlock()
			}
		}
		w.ended <- w.cmd.Wait()
	}()
	n.t.Cleanup(func() { _ = w.cmd.Process.Kill() })
	return w
}

// until waits for lines to be enough. It fails the test if the run ends before, or if nothing more comes.
func (n *network) until(w *watched, enough func(lines []map[string]any) bool) {
	n.t.Helper()
	for {
		w.mu.Lock()
		done, more := enough(w.lines), w.more
		w.mu.Unlock()
		if done {
			return
		}
		select {
		case <-more:
		case err := <-w.ended:
			n.t.Fatalf("the run ended early: %v\n%s", err, w.errors.String())
		case <-time.After(patience):
			n.t.Fatalf("nothing more comes\n%s", w.errors.String())
		}
	}
}
