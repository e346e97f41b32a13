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
	"gocloud.dev/gcerrors"
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

// Below is what gocloud.dev asks of a driver; its contract is there.

func (d *disk) ErrorCode(err error) gcerrors.ErrorCode {
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, errGone): // Kind tells them apart
		return gcerrors.NotFound
	case errors.Is(err, fs.ErrPermission):
		return gcerrors.PermissionDenied
	case errors.Is(err, errExists):
		return gcerrors.FailedPrecondition
	case errors.Is(err, errUnsupported):
		return gcerrors.Unimplemented
	}
	return gcerrors.Unknown
}

func (d *disk) As(i any) bool {
	p, ok := i.(**disk)
	if ok {
		*p = d
	}
	return ok
}

func (d *disk) ErrorAs(error, any) bool { return false }

func (d *disk) Close() error { return nil }

func (d *disk) SignedURL(context.Context, string, *driver.SignedURLOptions) (string, error) {
	return "", errUnsupported
}

func nothingAs(any) bool { return false }

func (d *disk) Attributes(_ context.Context, key string) (*driver.Attributes, error) {
	file := fileOf(key)
	info, err := d.fs.Stat(d.path(objectsDir, file))
	if err != nil {
		return nil, d.missing(err)
	}
	a, err := d.attributes(file)
	if err != nil {
		return nil, err
	}
	return &driver.Attributes{
		CacheControl: a.CacheControl, ContentDisposition: a.ContentDisposition, ContentEncoding: a.ContentEncoding, ContentLanguage: a.ContentLanguage,
		ContentType: a.ContentType, Metadata: a.Metadata,
		ModTime: info.ModTime(), Size: info.Size(), ETag: fmt.Sprintf("\"%x-%x\"", info.ModTime().UnixNano(), info.Size()),
	}, nil
}

// reading is a part of an object.
type reading struct {
	io.Reader
	io.Closer
	attributes driver.ReaderAttributes
}

func (r *reading) Attributes() *driver.ReaderAttributes { return &r.attributes }
func (r *reading) As(any) bool                          { return false }

func (d *disk) NewRangeReader(_ context.Context, key string, at, n int64, o *driver.ReaderOptions) (driver.Reader, error) {
	file := fileOf(key)
	f, err := d.fs.Open(d.path(objectsDir, file))
	if err != nil {
		return nil, d.missing(err)
	}
	info, err := f.Stat()
	if err == nil && o.BeforeRead != nil {
		err = o.BeforeRead(nothingAs)
	}
	var a attributes
	if err == nil {
		a, err = d.attributes(file)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	left := max(info.Size()-at, 0)
	if n < 0 || n > left {
		n = left
	}
	return &reading{io.NewSectionReader(f, at, n), f, driver.ReaderAttributes{ContentType: a.ContentType, ModTime: info.ModTime(), Size: info.Size()}}, nil
}

// writing is an object on its way.
type writing struct {
	d       *disk
	ctx     context.Context
	file    string
	tmp     string
	f       vfs.File
	err     error
	a       attributes
	onlyNew bool
}

func (d *disk) NewTypedWriter(ctx context.Context, key, contentType string, o *driver.WriterOptions) (driver.Writer, error) {
	if o.BeforeWrite != nil {
		if err := o.BeforeWrite(nothingAs); err != nil {
			return nil, err
		}
	}
	if key == "" {
		return nil, errors.New("an object without a name")
	}
	if _, err := d.fs.Stat(d.path(formatFile)); err != nil {
		return nil, d.missing(err)
	}
	tmp, f, err := d.begin()
	if err != nil {
		return nil, err
	}
	return &writing{d: d, ctx: ctx, file: fileOf(key), tmp: tmp, f: f, onlyNew: o.IfNotExist, a: attributes{
		CacheControl: o.CacheControl, ContentDisposition: o.ContentDisposition, ContentEncoding: o.ContentEncoding, ContentLanguage: o.ContentLanguage,
		ContentType: contentType, Metadata: o.Metadata,
	}}, nil
}

func (w *writing) Write(p []byte) (int, error) {
	n, err := w.f.Write(bytes.Clone(p)) // as in write
	w.err = errors.Join(w.err, err)
	return n, err
}

// Upload writes without a buffer of its own between.
func (w *writing) Upload(r io.Reader) error {
	// Not by WriterTo, which would hand over the caller's own bytes, and they are needed if this fails.
	_, w.err = io.Copy(w.f, struct{ io.Reader }{r})
	return w.err
}

func (w *writing) Close() error {
	err := w.err
	if err == nil {
		err = w.ctx.Err()
	}
	if err := w.d.end(w.tmp, w.f, err); err != nil {
		return err
	}
	if err := w.d.describe(w.file, w.a); err != nil {
		return errors.Join(err, w.d.discard(w.tmp))
	}
	return w.d.place(w.tmp, w.d.path(objectsDir, w.file), w.onlyNew)
}

// describe stores an object's attributes, before the object.
func (d *disk) describe(file string, a attributes) error {
	plain := a.ContentType == defaultType && len(a.Metadata) == 0 && a.CacheControl+a.ContentDisposition+a.ContentEncoding+a.ContentLanguage == ""
	if plain {
		return d.discard(d.path(attributesDir, file))
	}
	raw, err := json.Marshal(a)
	if err != nil {
		return err
	}
	tmp, err := d.write(raw)
	if err != nil {
		return err
	}
	return d.place(tmp, d.path(attributesDir, file), false)
}

func (d *disk) Copy(ctx context.Context, to, from string, o *driver.CopyOptions) error {
	a, err := d.Attributes(ctx, from)
	if err != nil {
		return err
	}
	if o.BeforeCopy != nil {
		if err := o.BeforeCopy(nothingAs); err != nil {
			return err
		}
	}
	r, err := d.NewRangeReader(ctx, from, 0, -1, &driver.ReaderOptions{})
	if err != nil {
		return err
	}
	w, err := d.NewTypedWriter(ctx, to, a.ContentType, &driver.WriterOptions{
		CacheControl: a.CacheControl, ContentDisposition: a.ContentDisposition, ContentEncoding: a.ContentEncoding, ContentLanguage: a.ContentLanguage, Metadata: a.Metadata,
	})
	if err != nil {
		return errors.Join(err, r.Close())
	}
	_, err = io.Copy(w, r)
	return errors.Join(err, r.Close(), w.Close())
}

// Delete syncs the directory also if the object isn't there: whoever removed it may have died before.
func (d *disk) Delete(_ context.Context, key string, o *driver.DeleteOptions) error {
	file := fileOf(key)
	path := d.path(objectsDir, file)
	_, err := d.fs.Stat(path)
	if err == nil && o.BeforeDelete != nil {
		if err := o.BeforeDelete(nothingAs); err != nil {
			return err
		}
	}
	if err == nil {
		err = d.fs.Remove(path)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if synced := d.sync(d.fs.PathDir(path)); synced != nil && !errors.Is(synced, fs.ErrNotExist) {
		return synced
	}
	if err != nil {
		return d.missing(err)
	}
	return d.discard(d.path(attributesDir, file))
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
