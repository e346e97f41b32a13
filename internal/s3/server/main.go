// Command server is a real S3 server on this machine, for tests: versitygw over an empty directory. It is a module of its own, so that
// Vitalog doesn't depend on it.
//
//	server DIR
//
// Buckets are the directories in DIR/objects. It prints "listening 127.0.0.1:PORT" and ends when standard input does. Lines on standard input change whose keys
// it takes, each answered with "ok": "keys ID SECRET" takes these and no others, "nokeys" takes none.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3api"
	"github.com/versity/versitygw/s3api/middlewares"
)

func main() {
	if err := serve(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(dir string) error {
	objects, versions := filepath.Join(dir, "objects"), filepath.Join(dir, "versions")
	for _, d := range []string{objects, versions} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return err
		}
	}
	var attributes meta.MetadataStorer = meta.XattrMeta{}
	if (meta.XattrMeta{}).Test(objects) != nil {
		beside := filepath.Join(dir, "attributes")
		s, err := meta.NewSideCar(beside)
		if err := errors.Join(err, os.MkdirAll(beside, 0o700)); err != nil {
			return err
		}
		attributes = s
	}
	disk, err := posix.New(objects, attributes, posix.PosixOpts{VersioningDir: versions, ForceNoTmpFile: true})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil { // the server opens it again by itself
		return err
	}
	accounts := &accounts{}
	server, err := s3api.New(disk, middlewares.RootUserConfig{Access: "root", Secret: "never handed out"}, "us-east-1", accounts, nil, nil, nil, nil,
		s3api.WithQuiet(), s3api.WithKeepAlive(), s3api.WithConcurrencyLimiter(1024, 512), s3api.WithMpMaxParts(10000),
		s3api.WithOnListen(func() { fmt.Println("listening", address) }))
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- server.ServeMultiPort([]string{address}) }()
	go func() {
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			words := strings.Fields(in.Text())
			switch {
			case len(words) == 3 && words[0] == "keys":
				accounts.only(words[1], words[2])
			case len(words) == 1 && words[0] == "nokeys":
				accounts.only("", "")
			default:
				failed <- fmt.Errorf("not a command: %q", in.Text())
			}
			fmt.Println("ok")
		}
		failed <- nil
	}()
	return <-failed
}

// accounts are one account, or none.
type accounts struct {
	auth.IAMServiceSingle // refuses to change accounts by the protocol

	mu         sync.Mutex
	id, secret string
}

func (a *accounts) only(id, secret string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.id, a.secret = id, secret
}

func (a *accounts) GetUserAccount(id string) (auth.Account, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.id == "":
		return auth.Account{}, auth.ErrNoSuchUser
	case id != a.id:
		return a.IAMServiceSingle.GetUserAccount(id) // as versitygw alone answers: in words of its own, and 404
	}
	return auth.Account{Access: id, Secret: a.secret, Role: auth.RoleAdmin}, nil
}
