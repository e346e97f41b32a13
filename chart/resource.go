package chart

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"vitalog/fhir"
)

// Resource is all that is known of one resource. It is immutable.
type Resource struct {
	Type, ID string
	items    []*Version // of every author, oldest first; never empty
	versions []*Version // of the resource's author, oldest first
	heads    []*Version // that nothing supersedes, oldest first; never empty
	left     []*Version // ends in sections that the resource left, which are no heads
	number   int        // in its table
}

// Version is one version of a resource, and the record that made it.
type Version struct {
	Opened
	Item   *Item
	number int // of the item in the content
}

// newResource folds all items of one type and id, which are in order.
func newResource(items []*Version) *Resource {
	first := items[0]
	r := &Resource{Type: first.Item.Type, ID: first.Item.ID, items: items, versions: items}
	another := func(v *Version) bool { return v.Content.Author.Key != first.Content.Author.Key }
	if slices.ContainsFunc(items, another) {
		r.versions = without(items, another)
	}
	r.heads = heads(r.versions)
	if len(r.heads) > 1 {
		r.leave()
	}
	return r
}

// leave takes off the heads the ends of the resource in logs from which it went on in another: there it left a section.
func (r *Resource) leave() {
	left := func(v *Version) bool {
		return v.Item.Status == Deleted && slices.ContainsFunc(r.heads, func(w *Version) bool { return w.Log != v.Log && w.Item.Status != Deleted })
	}
	r.left = without(r.heads, func(v *Version) bool { return !left(v) })
	r.heads = without(r.heads, left)
}

// heads are the versions that none supersedes. An item supersedes only earlier entries of its own log, so there is always one.
func heads(versions []*Version) []*Version {
	if len(versions) == 1 {
		return versions
	}
	replaced := map[place]bool{}
	for _, v := range versions {
		for _, n := range v.Item.Supersedes {
			if n < v.Entry {
				replaced[place{v.Log, n}] = true
			}
		}
	}
	return without(versions, func(v *Version) bool { return replaced[place{v.Log, v.Entry}] })
}

// problems is how many items are another author's.
func (r *Resource) problems() int { return len(r.items) - len(r.versions) }

// compare orders versions as the fold does.
func (v *Version) compare(w *Version) int {
	return cmp.Or(v.Opened.compare(&w.Opened), cmp.Compare(v.number, w.number))
}

// Author is who wrote the resource, and alone may amend it.
func (r *Resource) Author() Author { return r.versions[0].Content.Author }

// Current is the version that counts: of several heads the newest.
func (r *Resource) Current() *Version { return r.heads[len(r.heads)-1] }

// Heads are the versions that none supersedes, oldest first: more than one is a fork, which its author ends by superseding all of them.
func (r *Resource) Heads() []*Version { return slices.Clone(r.heads) }

// History are all versions, newest first, without the ends in sections that the resource left.
func (r *Resource) History() []*Version {
	h := without(r.versions, func(v *Version) bool { return slices.Contains(r.left, v) })
	slices.Reverse(h)
	return h
}

// Version is the newest version with that id, nil if there is none.
func (r *Resource) Version(id string) *Version {
	for _, v := range slices.Backward(r.versions) {
		if v.ID() == id {
			return v
		}
	}
	return nil
}

// Deleted tells whether the current version is a deletion.
func (r *Resource) Deleted() bool { return r.Current().Item.Status == Deleted }

// ID is the version's id: the number of its entry.
func (v *Version) ID() string { return strconv.FormatUint(v.Entry, 10) }

// Updated is when the ledger took it.
func (v *Version) Updated() time.Time { return time.UnixMilli(int64(v.At)).UTC() }

// Render is the resource as readers receive it: as it was received, with the chart's id, versionId and lastUpdated, and with references
// that hold everywhere. A base such as "https://a.example/fhir" makes rewritten references absolute; "" leaves them relative. It is nil
// for a deletion.
func (v *Version) Render(base string) []byte {
	if v.Item.resource == nil {
		return nil
	}
	return v.Item.resource.Rewrite(v.Item.ID, v.Item.resource.Meta(v.ID(), v.Updated()), func(from string) string {
		to := v.Item.ref(from)
		if base != "" && to != from && fhir.ParseReference(to).Base == "" && fhir.ParseReference(to).Type != "" {
			return strings.TrimSuffix(base, "/") + "/" + to
		}
		return to
	})
}

// Subject is the resource's reference to the patient, as readers see it.
func (v *Version) Subject() string {
	if v.Item.resource == nil {
		return ""
	}
	return v.Item.ref(v.Item.resource.Subject())
}
