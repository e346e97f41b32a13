package cloud

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"

	"gocloud.dev/blob"
)

// Driver is how buckets of one scheme are opened, and what their cloud's errors mean.
type Driver struct {
	Parameters []string // of the URL, which has no others but prefix
	Page       int      // objects that one request lists, at most

	// Check, if there is one, looks at the parameters' values. Its error repeats none of them.
	Check func(u *url.URL) error

	// Open makes no request to the bucket. It is called anew after a refusal, to find new credentials.
	Open func(ctx context.Context, u *url.URL, o Options) (*blob.Bucket, error)

	// Kind tells what an error of the bucket means. It is Unknown for what is not the cloud's own, such as a broken connection.
	Kind func(err error) Kind

	// Vague says that NotFound can also mean that there is no such bucket: then a listing is asked too.
	Vague bool

	// Delete, if there is one, is used in place of the bucket's, which may need two requests. The name is the whole one, with its prefix.
	Delete func(ctx context.Context, b *blob.Bucket, u *url.URL, name string) error

	// Inspect tells of the bucket's settings, as far as the cloud lets it. Objects begin with prefix, and what is deleted must be gone in time.
	Inspect func(ctx context.Context, b *blob.Bucket, u *url.URL, prefix string, o Options) []Finding
}

// Kind is what an error means to a caller.
type Kind int

// What errors mean.
const (
	Unknown  Kind = iota // not tried again
	NotFound             // the object, in a bucket that is there
	Refused              // credentials, rights, or no such bucket
	Away                 // tried again
	Beyond               // a range behind the end of an object
)

var registered struct {
	sync.Mutex
	drivers map[string]Driver
}

// Register makes Open know a scheme.
func Register(scheme string, d Driver) {
	registered.Lock()
	defer registered.Unlock()
	if registered.drivers == nil {
		registered.drivers = map[string]Driver{}
	}
	registered.drivers[scheme] = d
}

func driverOf(scheme string) (Driver, error) {
	if scheme == "file" {
		return fileDriver, nil
	}
	registered.Lock()
	defer registered.Unlock()
	d, ok := registered.drivers[scheme]
	if !ok {
		return d, fmt.Errorf("%s: buckets are not in this program: it has no driver for them", scheme)
	}
	return d, nil
}

// CheckURL tells what is wrong with a bucket's URL, for who is about to write it down. Nothing is opened, and no credentials are looked for.
func CheckURL(raw string) error {
	_, _, _, err := parse(raw)
	return err
}

// parse takes a bucket's URL apart. It never repeats what could be a credential.
func parse(raw string) (u *url.URL, prefix string, d Driver, err error) {
	if u, err = url.Parse(raw); err != nil {
		return nil, "", d, errors.New("a bucket's URL can't be read")
	}
	if u.User != nil {
		return nil, "", d, fmt.Errorf("%s: a bucket's URL has no user or password: credentials come from where the machine keeps them", u.Scheme)
	}
	if u.Opaque != "" || u.Fragment != "" || u.Scheme == "" {
		return nil, "", d, errors.New("a bucket's URL is like s3://bucket?region=… or file:///directory")
	}
	if d, err = driverOf(u.Scheme); err != nil {
		return nil, "", d, err
	}
	switch isFile := u.Scheme == "file"; {
	case isFile && (u.Host != "" || len(u.Path) < 2):
		return nil, "", d, errors.New("a bucket in a directory is file:///absolute/path")
	case !isFile && (u.Host == "" || u.Port() != "" || strings.Trim(u.Path, "/") != ""):
		return nil, "", d, fmt.Errorf("a bucket is %s://name?…; where its objects begin is ?prefix=", u.Scheme)
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, "", d, fmt.Errorf("%s://%s: its parameters can't be read", u.Scheme, u.Host)
	}
	for key, values := range q {
		if key != "prefix" && !slices.Contains(d.Parameters, key) {
			return nil, "", d, fmt.Errorf("%s://%s: parameter %.40q is not known; there are %s", u.Scheme, u.Host, key, strings.Join(append([]string{"prefix"}, d.Parameters...), ", "))
		}
		if len(values) != 1 || values[0] == "" {
			return nil, "", d, fmt.Errorf("%s://%s: parameter %s is there once, with a value", u.Scheme, u.Host, key)
		}
	}
	if prefix = strings.TrimSuffix(q.Get("prefix"), "/"); prefix != "" {
		if err := checkName(prefix); err != nil {
			return nil, "", d, fmt.Errorf("prefix: %w", err)
		}
		prefix += "/"
	}
	q.Del("prefix")
	u.RawQuery = q.Encode()
	if d.Check != nil {
		if err := d.Check(u); err != nil {
			return nil, "", d, fmt.Errorf("%s://%s: %w", u.Scheme, u.Host, err)
		}
	}
	return u, prefix, d, nil
}

// Loopback tells whether host, which may have a port, is this machine.
func Loopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
