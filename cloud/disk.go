package cloud

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"gocloud.dev/blob"
	"gocloud.dev/blob/driver"
)

// A bucket in a directory:
//
//	format                      "vitalog bucket 1\n", written last when a bucket is made
//	objects/packs+/a802…        the object packs/a802…: directories end in "+", which no object's name does
//	attributes/packs+/a802…     its attributes, if it has any but "application/octet-stream"
//	tmp/…                       on its way; what is older than a day is removed at an opening
const (
	formatFile    = "format"
	formatText    = "vitalog bucket 1\n"
	objectsDir    = "objects"
	attributesDir = "attributes"
	tmpDir        = "tmp"

	stale       = 24 * time.Hour
	defaultType = "application/octet-stream"
	diskPage    = 50000
	category    = vfs.WriteCategoryUnspecified
)

// errGone is said in place of "no such object" when the whole bucket isn't there.
var errGone = errors.New("the directory holds no bucket any more: is its disk mounted?")

var errExists = errors.New("the object is there already")

var errUnsupported = errors.New("a bucket in a directory doesn't do that")

var fileDriver = Driver{
	Page: diskPage,
	Open: func(_ context.Context, u *url.URL, o Options) (*blob.Bucket, error) {
		d, err := openDisk(o.Disk, u.Path)
		if err != nil {
			return nil, err
		}
		return blob.NewBucket(d), nil
	},
	Kind: func(err error) Kind {
		switch {
		case errors.Is(err, errGone):
			return Away
		case errors.Is(err, fs.ErrNotExist):
			return NotFound
		case errors.Is(err, fs.ErrPermission):
			return Refused
		case errors.As(err, new(*fs.PathError)) || errors.As(err, new(*os.LinkError)):
			return Away
		}
		return Unknown
	},
	Delete: func(ctx context.Context, b *blob.Bucket, _ *url.URL, name string) error {
		var d *disk
		if !b.As(&d) {
			return errUnsupported
		}
		return d.Delete(ctx, name, &driver.DeleteOptions{})
	},
	Inspect: func(ctx context.Context, b *blob.Bucket, _ *url.URL, _ string, _ Options) []Finding {
		var d *disk
		if !b.As(&d) {
			return nil
		}
		usage, err := d.fs.GetDiskUsage(d.dir)
		if err != nil {
			return []Finding{{"space", Untold, plain(err)}}
		}
		return []Finding{
			{"space", Good, fmt.Sprintf("%d MiB are left", usage.AvailBytes>>20)},
			{"copies", Untold, "a directory keeps one copy, and no versions of its own: whether its disk or a backup keeps what was deleted is not seen from here"},
		}
	},
}

// disk is a bucket in a directory. What it acknowledges is on the disk.
type disk struct {
	fs  vfs.FS
	dir string

	mu      sync.Mutex
	durable map[string]bool // directories whose names are known to be on the disk
}

// openDisk opens the bucket in dir, or makes one if dir is empty or absent.
func openDisk(system vfs.FS, dir string) (*disk, error) {
	d := &disk{fs: system, dir: dir, durable: map[string]bool{}}
	format, err := d.content(d.path(formatFile))
	switch {
	case err == nil && string(format) == formatText:
		return d, d.tidy()
	case err == nil:
		return nil, fmt.Errorf("format %.40q, this program reads %q: use a newer program", format, formatText)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	return d, d.lay()
}

// lay makes a new bucket: the format last, so that a crash between leaves none.
func (d *disk) lay() error {
	names, err := d.fs.List(d.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, name := range names {
		if name != objectsDir && name != tmpDir && name != "lost+found" {
			return fmt.Errorf("%s is not empty and holds no bucket: take an empty directory", d.dir)
		}
		if name == objectsDir {
			if inside, err := d.fs.List(d.path(objectsDir)); err != nil || len(inside) > 0 {
				return errors.Join(fmt.Errorf("%s holds objects without a format", d.dir), err)
			}
		}
	}
	if err := d.ensure(d.path(objectsDir)); err != nil {
		return err
	}
	if err := d.ensure(d.path(tmpDir)); err != nil {
		return err
	}
	tmp, err := d.write([]byte(formatText))
	if err != nil {
		return err
	}
	if err := d.fs.Rename(tmp, d.path(formatFile)); err != nil {
		return err
	}
	return d.sync(d.dir)
}

func (d *disk) tidy() error {
	if err := errors.Join(d.ensure(d.path(objectsDir)), d.ensure(d.path(tmpDir))); err != nil {
		return err
	}
	names, err := d.fs.List(d.path(tmpDir))
	if err != nil {
		return err
	}
	for _, name := range names {
		name = d.path(tmpDir, name)
		if info, err := d.fs.Stat(name); err == nil && time.Since(info.ModTime()) > stale {
			if err := d.fs.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

func (d *disk) path(parts ...string) string {
	return d.fs.PathJoin(append([]string{d.dir}, parts...)...)
}

// ensure makes a directory and those above it, and syncs the directory above each: at its first use by this process even if it is there,
// because the process that made it may have died before.
func (d *disk) ensure(dir string) error {
	d.mu.Lock()
	known := d.durable[dir]
	d.mu.Unlock()
	if known {
		return nil
	}
	up := d.fs.PathDir(dir)
	if dir == d.dir || up == dir {
		if err := d.fs.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	} else {
		if err := d.ensure(up); err != nil {
			return err
		}
		if err := d.fs.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	if up != dir {
		if err := d.sync(up); err != nil {
			return err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.durable[dir] = true
	return nil
}

func (d *disk) sync(dir string) error {
	f, err := d.fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func (d *disk) content(path string) (out []byte, err error) {
	f, err := d.fs.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return io.ReadAll(f)
}

// write puts content into a new file under tmp/, durably but for its name.
func (d *disk) write(content []byte) (path string, err error) {
	path, f, err := d.begin()
	if err != nil {
		return "", err
	}
	_, err = f.Write(bytes.Clone(content)) // the file system may alter what it writes
	return path, d.end(path, f, err)
}

func (d *disk) begin() (string, vfs.File, error) {
	path := d.path(tmpDir, fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64()))
	f, err := d.fs.Create(path, category)
	return path, f, err
}

// end syncs and closes a file under tmp/, and removes it after an error.
func (d *disk) end(path string, f vfs.File, err error) error {
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, d.discard(path))
	}
	return nil
}

func (d *disk) discard(path string) error {
	if err := d.fs.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// place gives a file under tmp/ its name, durably.
func (d *disk) place(tmp, path string, onlyNew bool) error {
	dir := d.fs.PathDir(path)
	if err := d.ensure(dir); err != nil {
		return errors.Join(err, d.discard(tmp))
	}
	if onlyNew {
		err := d.fs.Link(tmp, path)
		if errors.Is(err, fs.ErrExist) {
			err = errExists
		}
		if err := errors.Join(err, d.discard(tmp)); err != nil {
			return err
		}
	} else if err := d.fs.Rename(tmp, path); err != nil {
		return errors.Join(err, d.discard(tmp))
	}
	return d.sync(dir)
}

// missing tells an object that isn't there from a bucket that isn't.
func (d *disk) missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		if _, format := d.fs.Stat(d.path(formatFile)); format != nil {
			return errGone
		}
	}
	return err
}

// attributes are kept beside an object.
type attributes struct {
	CacheControl, ContentDisposition, ContentEncoding, ContentLanguage, ContentType string
	Metadata                                                                        map[string]string
}

func (d *disk) attributes(file string) (attributes, error) {
	raw, err := d.content(d.path(attributesDir, file))
	if errors.Is(err, fs.ErrNotExist) {
		return attributes{ContentType: defaultType}, nil
	}
	var a attributes
	if err == nil {
		err = json.Unmarshal(raw, &a)
	}
	return a, err
}

// fileOf is where an object lies below objects/.
func fileOf(key string) string {
	var out []byte
	begin := 0 // of this part between slashes, in key
	for i := 0; i <= len(key); i++ {
		if i < len(key) && key[i] != '/' {
			continue
		}
		switch part := key[begin:i]; part {
		case "":
			out = append(out, '%') // no other part is this
		case ".", "..":
			out = append(out, "%2e"...)
			out = append(out, part[1:]...)
		default:
			for _, c := range []byte(part) {
				if c < 0x21 || c == 0x7f || c == '%' || c == '+' || c == '\\' || c == ':' || c == '*' || c == '?' || c == '"' || c == '<' || c == '>' || c == '|' {
					out = append(out, '%')
					out = hex.AppendEncode(out, []byte{c})
				} else {
					out = append(out, c)
				}
			}
		}
		if i < len(key) {
			out = append(out, '+', '/')
		}
		begin = i + 1
	}
	return string(out)
}

// partOf is the part of a name that a directory's entry stands for, with a slash at its end if it is a directory.
func partOf(entry string) (string, bool) {
	slash := ""
	if n := len(entry) - 1; n >= 0 && entry[n] == '+' {
		entry, slash = entry[:n], "/"
	}
	if entry == "%" {
		return slash, true
	}
	var out []byte
	for i := 0; i < len(entry); i++ {
		if entry[i] != '%' {
			out = append(out, entry[i])
			continue
		}
		if i+3 > len(entry) {
			return "", false
		}
		c, err := hex.DecodeString(entry[i+1 : i+3])
		if err != nil {
			return "", false
		}
		out = append(out, c...)
		i += 2
	}
	return string(out) + slash, true
}
