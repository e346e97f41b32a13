package cloud

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/cockroachdb/pebble/v2/vfs"
	"gocloud.dev/blob/driver"
	"gocloud.dev/gcerrors"
)

// What gocloud.dev asks of a driver: its contract is there, and the listing in disk_list.go.

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
