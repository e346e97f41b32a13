package demo

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"vitalog/cloud"
	"vitalog/node"
)

// versitygw is the S3 server that a demo starts: it is installed apart, and keeps each bucket in a directory.
const versitygw = "versitygw"

// ErrNoS3 says that there is no S3 server to start.
var ErrNoS3 = errors.New("versitygw, the S3 server that the demo starts, is not installed")

// S3 is where the server of a running demo listens, and the keys that it takes: others at each start.
type S3 struct {
	Endpoint string `json:"endpoint"` // http://127.0.0.1:PORT
	ID       string `json:"id"`
	Secret   string `json:"secret"`
}

// bucket is the URL of the bucket of the member of that name.
func (s *S3) bucket(member string) string {
	return "s3://" + member + "?region=us-east-1&endpoint=" + s.Endpoint
}

// lend puts the keys where S3's software looks for them: in this process' environment, in the place of what is there, which is nobody's business here.
func (s *S3) lend() error {
	var failed []error
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": s.ID, "AWS_SECRET_ACCESS_KEY": s.Secret, "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull} {
		failed = append(failed, os.Setenv(name, value))
	}
	return errors.Join(failed...)
}

// open opens the bucket of every member.
func (s *S3) open(ctx context.Context) (out []*cloud.Bucket, err error) {
	if err := s.lend(); err != nil {
		return nil, err
	}
	for _, f := range founders {
		b, err := openBucket(ctx, s.bucket(f.name))
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

func openBucket(ctx context.Context, url string) (*cloud.Bucket, error) {
	return cloud.Open(ctx, url, cloud.Options{})
}

// server is a process of versitygw.
type server struct {
	c     *exec.Cmd
	ended chan error // gets one
}

// startS3 starts the server and gives every member a bucket there.
//
//	<dir>/s3/buckets/st-elena/   the bucket's objects
//	<dir>/s3/attributes/         what S3 notes of them
//	<dir>/s3/versitygw.log       what the server says
func (d *Demo) startS3(ctx context.Context, program string) error {
	port, err := node.FreePort()
	if err != nil {
		return err
	}
	at := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	d.State.S3 = &S3{Endpoint: "http://" + at, ID: random(8), Secret: random(20)}
	dir := filepath.Join(d.Dir, "s3")
	buckets, attributes := filepath.Join(dir, "buckets"), filepath.Join(dir, "attributes")
	if err := os.MkdirAll(attributes, 0o700); err != nil {
		return err
	}
	for _, f := range founders {
		if err := os.MkdirAll(filepath.Join(buckets, f.name), 0o700); err != nil {
			return err
		}
		c, err := node.Load(d.MemberDir(f.name))
		if err != nil {
			return err
		}
		c.Bucket = d.State.S3.bucket(f.name)
		if err := c.Save(d.MemberDir(f.name)); err != nil {
			return err
		}
	}
	if err := errors.Join(d.State.S3.lend(), d.State.save(d.Dir)); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(dir, versitygw+".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	c := exec.Command(program, "--port", at, "--quiet", "posix", "--sidecar", attributes, buckets)
	c.Env = []string{"ROOT_ACCESS_KEY=" + d.State.S3.ID, "ROOT_SECRET_KEY=" + d.State.S3.Secret}
	c.Stdout, c.Stderr, c.SysProcAttr = log, log, apart()
	d.s3 = &server{c, make(chan error, 1)}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // whose end would be the server's
		err := c.Start()
		started <- err
		if err == nil {
			d.s3.ended <- c.Wait()
		}
	}()
	if err := <-started; err != nil {
		d.s3 = nil
		return err
	}
	if err := d.s3.answers(ctx, d.State.S3.Endpoint); err != nil {
		return fmt.Errorf("the S3 server does not start, and %s says why: %w", log.Name(), err)
	}
	return nil
}

// answers waits for the server's first answer, of whatever kind.
func (s *server) answers(ctx context.Context, endpoint string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		q, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint, nil)
		if err != nil {
			return err
		}
		if a, err := http.DefaultClient.Do(q); err == nil {
			return a.Body.Close()
		}
		select {
		case err := <-s.ended:
			s.ended <- err
			return fmt.Errorf("it ended: %v", err)
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// stop ends the server. What it acknowledged is on the disk.
func (s *server) stop() error {
	if err := s.c.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-s.ended
	return nil
}

func random(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b)
	return hex.EncodeToString(b)
}
