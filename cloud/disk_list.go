package cloud

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"gocloud.dev/blob/driver"
)

// ListPaged walks the directories in the order of names. A page's token is the last name of the page before; one that stands for many
// objects ends in the delimiter, which the token repeats, so that they are told apart.
func (d *disk) ListPaged(ctx context.Context, o *driver.ListOptions) (*driver.ListPage, error) {
	if o.BeforeList != nil {
		if err := o.BeforeList(nothingAs); err != nil {
			return nil, err
		}
	}
	if _, err := d.fs.Stat(d.path(formatFile)); err != nil {
		return nil, d.missing(err)
	}
	l := &listing{d: d, ctx: ctx, prefix: o.Prefix, delimiter: o.Delimiter, size: o.PageSize}
	if l.size == 0 {
		l.size = diskPage
	}
	if len(o.PageToken) > 0 {
		l.after = string(o.PageToken[1:])
		l.group = o.PageToken[0] == 'g'
	}
	if err := l.walk(objectsDir, ""); err != nil && !errors.Is(err, errFull) {
		return nil, err
	}
	return &l.page, nil
}

var errFull = errors.New("the page is full")

type listing struct {
	d                 *disk
	ctx               context.Context
	prefix, delimiter string
	size              int
	after             string // names up to this one were told; none if it is empty
	group             bool   // after stands for all that begin with it
	page              driver.ListPage
}

// told says whether all names that begin with key, or key itself if it is whole, were told or don't belong.
func (l *listing) passes(key string, whole bool) bool {
	if whole {
		return strings.HasPrefix(key, l.prefix) && key > l.after && !(l.group && strings.HasPrefix(key, l.after))
	}
	if !strings.HasPrefix(key, l.prefix) && !strings.HasPrefix(l.prefix, key) {
		return false
	}
	if l.group && strings.HasPrefix(key, l.after) {
		return false
	}
	return key > l.after || strings.HasPrefix(l.after, key)
}

// walk adds what lies in a directory, whose names all begin with name.
func (l *listing) walk(dir, name string) error {
	if err := l.ctx.Err(); err != nil {
		return err
	}
	entries, err := l.d.fs.List(l.d.path(dir))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	type part struct{ name, entry string }
	var parts []part
	for _, e := range entries {
		if p, ok := partOf(e); ok && l.passes(name+p, !strings.HasSuffix(e, "+")) {
			parts = append(parts, part{name + p, e})
		}
	}
	slices.SortFunc(parts, func(a, b part) int { return strings.Compare(a.name, b.name) })
	for _, p := range parts {
		if strings.HasSuffix(p.entry, "+") {
			if err := l.walk(dir+"/"+p.entry, p.name); err != nil {
				return err
			}
		} else if err := l.add(dir+"/"+p.entry, p.name); err != nil {
			return err
		}
	}
	return nil
}

func (l *listing) add(file, key string) error {
	if !l.passes(key, true) { // its group was added meanwhile
		return nil
	}
	object := &driver.ListObject{Key: key}
	if i := -1; l.delimiter != "" {
		if i = strings.Index(key[len(l.prefix):], l.delimiter); i >= 0 {
			object.Key, object.IsDir = key[:len(l.prefix)+i+len(l.delimiter)], true
		}
	}
	if !object.IsDir {
		info, err := l.d.fs.Stat(l.d.path(file))
		if errors.Is(err, fs.ErrNotExist) {
			return nil // deleted meanwhile
		}
		if err != nil {
			return err
		}
		object.ModTime, object.Size = info.ModTime(), info.Size()
	}
	if len(l.page.Objects) == l.size {
		token := "o"
		if l.group {
			token = "g"
		}
		l.page.NextPageToken = []byte(token + l.after)
		return errFull
	}
	l.page.Objects = append(l.page.Objects, object)
	l.after, l.group = object.Key, object.IsDir
	return nil
}
