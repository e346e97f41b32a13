// Package mortal has a process end itself at a step of what its store does with a bucket, as kill -9 would, for tests.
//
// It promises that each request to the S3 server is two steps, one before it gets there, so that it failed, and one when it was answered, so that it happened and
// nobody knows; that what the store notes of its packs is a step before it is on the disk, and so are the files that come and go with them. It refuses
// to count before it is armed: what a test does between the steps is none.
//
//	steps, _ := mortal.New("2 PUT happened", os.Stdout)  says "killed PUT happened" when it comes to the second of these, and dies
package mortal

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Steps are those of one process. Its methods are safe for concurrent use.
type Steps struct {
	says io.Writer
	nth  int // of what, at which it dies
	what string

	mu     sync.Mutex
	armed  bool
	passed map[string]int
}

// New is for a process that dies at a step: a number, from 1, and the kind of steps that are counted. At 0 of any it lives.
func New(at string, says io.Writer) (*Steps, error) {
	number, what, _ := strings.Cut(at, " ")
	nth, err := strconv.Atoi(number)
	return &Steps{says: says, nth: nth, what: what, passed: map[string]int{}}, err
}

// Arm has steps count from now on, or not.
func (s *Steps) Arm(armed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.armed = armed
}

// Passed tells how many steps of each kind there were.
func (s *Steps) Passed() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.passed)
}

func (s *Steps) step(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.armed {
		return
	}
	s.passed[what]++
	if what == s.what && s.passed[what] == s.nth {
		fmt.Fprintln(s.says, "killed", what)
		if p, err := os.FindProcess(os.Getpid()); err == nil {
			_ = p.Kill()
		}
		select {} // nothing more is done
	}
}

// notes are the keys of what a store notes, each by what is written in one step with it. The first that fits names the step.
var notes = []struct {
	step string
	keys []string
}{
	{"before a pack is noted", []string{"blobs/k", "blobs/x", "blobs/p"}}, // and pardoned, with the places of its items
	{"before a pack is forgotten", []string{"blobs/k", "blobs/x"}},        // and condemned
	{"before it is noted that a pack has what was deleted", []string{"blobs/k"}},
	{"before it is noted what is destroyed", []string{"blobs/t"}},
	{"before it is noted whether objects have what was destroyed", []string{"blobs/c"}},
	{"before it is noted whether files have what was destroyed", []string{"blobs/d"}},
	{"before a pack's number is taken", []string{"blobs/n"}},
	{"before an object is condemned, or noted as gone", []string{"blobs/x"}},
	{"before it is noted that a pack waits no more", []string{"blobs/w"}},
	{"before a ciphertext is noted as the member's own", []string{"blobs/a"}},
	{"before a reading is noted", []string{"blobs/s"}},
	{"before a flush is noted", []string{"blobs/f"}},
}

// Kinds are all that a store's steps can be.
func Kinds() (all []string) {
	for _, n := range notes {
		all = append(all, n.step)
	}
	for _, request := range []string{"PUT", "GET after PUT", "GET", "LIST", "DELETE"} {
		all = append(all, request+" fails", request+" happened")
	}
	return append(all, "before a copy of a pack is there", "before a copy of a pack is removed", "before a file is removed")
}

// Disk is the machine's.
func (s *Steps) Disk() vfs.FS { return disk{vfs.Default, s} }

type disk struct {
	vfs.FS
	s *Steps
}

func (d disk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := d.FS.Create(name, c)
	if err == nil && strings.HasSuffix(name, ".log") { // of a key-value store: what is in it is durable
		f = journal{f, d.s}
	}
	return f, err
}

func (d disk) Remove(name string) error {
	switch {
	case strings.Contains(name, "/objects/"):
		d.s.step("before a file is removed")
	case strings.Contains(name, "/waiting/"):
		d.s.step("before a copy of a pack is removed")
	}
	return d.FS.Remove(name)
}

func (d disk) Rename(from, to string) error {
	if strings.Contains(to, "/waiting/") {
		d.s.step("before a copy of a pack is there")
	}
	return d.FS.Rename(from, to)
}

type journal struct {
	vfs.File
	s *Steps
}

func (j journal) Write(b []byte) (int, error) {
	for _, n := range notes {
		if !slices.ContainsFunc(n.keys, func(key string) bool { return !bytes.Contains(b, []byte(key)) }) {
			j.s.step(n.step)
			break
		}
	}
	return j.File.Write(b)
}

// Before is the address of a door before an S3 server. It is open as long as the process lives.
func (s *Steps) Before(server string) (address string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	var put atomic.Pointer[string] // the path of what was put last
	what := func(r *http.Request) string {
		switch {
		case r.Method == http.MethodPut:
			put.Store(&r.URL.Path)
		case r.Method == http.MethodGet && r.URL.Query().Has("list-type"):
			return "LIST"
		case r.Method == http.MethodGet && put.Load() != nil && *put.Load() == r.URL.Path:
			return "GET after PUT"
		}
		return r.Method
	}
	through := &httputil.ReverseProxy{ErrorLog: log.New(io.Discard, "", 0),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: server})
			r.Out.Host = r.In.Host // which is signed
		},
		ModifyResponse: func(r *http.Response) error {
			b, err := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(b))
			s.step(what(r.Request) + " happened")
			if r.Request.Method == http.MethodGet {
				put.Store(nil)
			}
			return err
		}}
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.step(what(r) + " fails")
		through.ServeHTTP(w, r)
	}))
	return l.Addr().String(), nil
}
