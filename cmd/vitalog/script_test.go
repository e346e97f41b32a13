package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"vitalog/kv"
	"vitalog/node"
)

func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"vitalog": main}) }

// Each story has ports of its own, which no other test looks in.
const (
	firstPort     = 14_000
	portsOfAStory = 100
)

var stories atomic.Int32

// TestStories runs testdata/script on the real program: each story in its own directory, with real members where it starts them.
func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", filepath.Join(e.WorkDir, "home"))
			last := firstPort + int(stories.Add(portsOfAStory))
			e.Setenv(node.PortsVariable, fmt.Sprintf("%d-%d", last-portsOfAStory, last-1)) // another story founds while this one's members don't run yet
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"code": code, "capture": capture, "flip": flip, "damage": damage, "older": older, "scan": scan, "port": port, "fetch": fetch},
	})
}

// code N command… runs a command that must end with exit code N.
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N command…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("%s: want exit code %d, got %d", strings.Join(args[1:], " "), want, got)
	}
}

// capture NAME REGEXP sets a variable to the first group of what the last command printed.
func capture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: capture NAME REGEXP")
	}
	m := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if len(m) < 2 {
		ts.Fatalf("standard output has no %s", args[1])
	}
	ts.Setenv(args[0], m[1])
}

// flip FILE N turns a bit of byte N over; -1 is the last one.
func flip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: flip FILE N")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	path := ts.MkAbs(args[0])
	b, err := os.ReadFile(path)
	ts.Check(err)
	if n < 0 {
		n += len(b)
	}
	b[n] ^= 1
	ts.Check(os.WriteFile(path, b, 0o600))
}

// damage DIR turns a bit over in the only file under DIR.
func damage(ts *testscript.TestScript, neg bool, args []string) {
	var found []string
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			found = append(found, path)
		}
		return err
	}))
	if neg || len(found) != 1 {
		ts.Fatalf("damage %s: want one file, got %q", args[0], found)
	}
	flip(ts, false, []string{found[0], "1000"})
}

// older DIR gives the store of the member in DIR the layout before the one that this program reads.
func older(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: older DIR")
	}
	db, err := kv.Open(filepath.Join(ts.MkAbs(args[0]), "data", "db"))
	ts.Check(err)
	ts.Check(db.Write([]kv.Change{{Key: []byte("\x00format"), Value: binary.BigEndian.AppendUint16(nil, kv.Format-1)}}))
	ts.Check(db.Close())
}

// port NAME sets a variable to a port that nobody listens on.
func port(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: port NAME")
	}
	l, err := net.Listen("tcp", "localhost:0")
	ts.Check(err)
	ts.Setenv(args[0], strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
	ts.Check(l.Close())
}

// fetch FILE URL [HOST] gets a file, under another host's name if one is given. It waits for a server that is being started.
func fetch(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: fetch FILE URL [HOST]")
	}
	req, err := http.NewRequest(http.MethodGet, args[1], nil)
	ts.Check(err)
	if len(args) == 3 {
		req.Host = args[2]
	}
	var resp *http.Response
	again, last := time.NewTicker(20*time.Millisecond), time.Now().Add(time.Minute)
	defer again.Stop()
	for resp, err = http.DefaultClient.Do(req); errors.Is(err, syscall.ECONNREFUSED) && time.Now().Before(last); resp, err = http.DefaultClient.Do(req) {
		<-again.C
	}
	ts.Check(err)
	defer resp.Body.Close()
	if ok := resp.StatusCode == http.StatusOK; ok == neg {
		ts.Fatalf("%s: %s", args[1], resp.Status)
	}
	b, err := io.ReadAll(resp.Body)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o600))
}

// scan FILE PATIENT writes a document of 60 KB, which no compression makes small.
func scan(ts *testscript.TestScript, _ bool, args []string) {
	b := make([]byte, 60_000)
	rand.Read(b)
	doc := fmt.Sprintf(`{"resourceType":"DocumentReference","status":"current","subject":{"reference":"Patient/%s"},"content":[{"attachment":{"contentType":"image/png","data":"%s"}}]}`,
		args[1], base64.StdEncoding.EncodeToString(b))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(doc), 0o600))
}

// commands calls f with every command of the program.
func commands(f func(*cobra.Command)) {
	p := &program{in: bufio.NewReader(&bytes.Buffer{}), out: io.Discard, talk: io.Discard}
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		f(c)
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(p.root())
}

func TestEveryCommandHelpsWithAnExampleOfItself(t *testing.T) {
	commands(func(c *cobra.Command) {
		if c.Short == "" || !strings.Contains(c.Example, c.CommandPath()) {
			t.Errorf("%s: short %q, example %q: want both, the example with the command in it", c.CommandPath(), c.Short, c.Example)
		}
	})
}

func TestNoFlagTakesASecretAsItsValue(t *testing.T) {
	commands(func(c *cobra.Command) {
		for _, name := range []string{"passphrase", "password", "words", "seed", "token"} {
			if c.Flags().Lookup(name) != nil {
				t.Errorf("%s has a flag --%s: every process of the machine could read its value", c.CommandPath(), name)
			}
		}
	})
}
