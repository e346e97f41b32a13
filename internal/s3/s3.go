// Package s3 runs a real S3 server on this machine for tests, and puts a bad network before it.
//
// It promises versitygw, the version that server/go.mod names, as a process of its own that ends with the test. The server is built at its
// first use, by the Go toolchain, and kept in the user's cache; where that can't be, the test is skipped, or fails if CI is true.
//
//	s := s3.Start(t)
//	s.Keys("a", "b"); s.Bucket("records")
//	http://127.0.0.1:34567/records
package s3

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// Server is a running server. Its methods are for one goroutine.
type Server struct {
	Address string // 127.0.0.1:port

	t   testing.TB
	dir string
	in  io.WriteCloser
	out *bufio.Scanner
}

// Start starts a server that takes no keys yet and has no bucket.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{t: t, dir: t.TempDir()}
	c := exec.Command(build(t, "s3server", "."), s.dir)
	c.Stderr = t.Output()
	var failed [2]error
	s.in, failed[0] = c.StdinPipe()
	out, err := c.StdoutPipe()
	failed[1] = err
	if err := errors.Join(failed[0], failed[1], c.Start()); err != nil {
		t.Fatal(err)
	}
	s.out = bufio.NewScanner(out)
	t.Cleanup(func() {
		if err := errors.Join(s.in.Close(), c.Wait()); err != nil {
			t.Error("S3 server: ", err)
		}
	})
	for ok := false; !ok; { // versitygw has something to say first
		s.Address, ok = strings.CutPrefix(s.line(), "listening ")
	}
	return s
}

// Installed has this process find versitygw itself, the same version, as it does where that is installed.
func Installed(t testing.TB) {
	t.Helper()
	bin := t.TempDir()
	if err := os.Symlink(build(t, "versitygw", "github.com/versity/versitygw/cmd/versitygw"), filepath.Join(bin, "versitygw")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin)
}

// Keys has the server take these keys and no others, to which it answers as versitygw does: that there is no such user, with the status 404.
func (s *Server) Keys(id, secret string) { s.say("keys " + id + " " + secret) }

// NoKeys has the server refuse everybody as S3 does, with the status 403.
func (s *Server) NoKeys() { s.say("nokeys") }

// Bucket makes a bucket, and tells the directory where its objects are files, named by their keys.
func (s *Server) Bucket(name string) (dir string) {
	s.t.Helper()
	dir = filepath.Join(s.dir, "objects", name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		s.t.Fatal(err)
	}
	return dir
}

// Machine has this machine look for its keys nowhere but in a file of the test, which have writes.
func Machine(t testing.TB) (have func(id, secret string)) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "credentials")
	for name, value := range map[string]string{"AWS_SHARED_CREDENTIALS_FILE": file, "AWS_CONFIG_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_PROFILE": "", "AWS_REGION": "", "AWS_ENDPOINT_URL": ""} {
		t.Setenv(name, value)
	}
	return func(id, secret string) {
		t.Helper()
		if err := os.WriteFile(file, fmt.Appendf(nil, "[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", id, secret), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *Server) say(command string) {
	s.t.Helper()
	if _, err := fmt.Fprintln(s.in, command); err != nil {
		s.t.Fatal(err)
	}
	if answer := s.line(); answer != "ok" {
		s.t.Fatalf("S3 server says %q", answer)
	}
}

func (s *Server) line() string {
	s.t.Helper()
	if !s.out.Scan() {
		s.t.Fatal("the S3 server ended: ", s.out.Err())
	}
	return s.out.Text()
}

// build makes a program of the module in server, or takes the one that was made of the same sources by the same toolchain.
func build(t testing.TB, name, of string) string {
	t.Helper()
	program, err := made(t.Context(), name, of)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("the S3 server for tests can't be built: ", err)
		}
		t.Skip("the S3 server for tests can't be built: ", err)
	}
	return program
}

func made(ctx context.Context, program, of string) (string, error) {
	_, here, _, _ := runtime.Caller(0)
	dir := filepath.Join(filepath.Dir(here), "server")
	sum := sha256.New()
	fmt.Fprintln(sum, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	for _, name := range []string{"go.mod", "go.sum", "main.go"} {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return "", err
		}
		fmt.Fprintln(sum, name, len(raw))
		sum.Write(raw)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	program = filepath.Join(cache, "vitalog", program+"-"+hex.EncodeToString(sum.Sum(nil)[:16]))
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	if err := os.MkdirAll(filepath.Dir(program), 0o700); err != nil {
		return "", err
	}
	begun := fmt.Sprintf("%s.%d", program, os.Getpid()) // two tests may build at once; the last rename stays
	c := exec.CommandContext(ctx, "go", "build", "-o", begun, of)
	c.Dir = dir
	c.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0", "GOFLAGS=-mod=readonly -buildvcs=false")
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build in %s: %w: %s", dir, err, out)
	}
	return program, os.Rename(begun, program)
}
