package chart

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"vitalog/fhir"
	"vitalog/wire"
)

// check tells what keeps c from being a content, and parses its resources.
func (c *Content) check() error {
	for _, s := range []string{c.Author.Member, c.Author.Practitioner, c.Author.Name, c.Author.Role} {
		if len(s) > MaxText || !utf8.ValidString(s) {
			return fmt.Errorf("content: author: text of %d bytes, want at most %d of UTF-8: %w", len(s), MaxText, wire.ErrNonCanonical)
		}
	}
	if n := len(c.Items); n == 0 || n > MaxItems {
		return fmt.Errorf("content: %d items, want 1 to %d: %w", n, MaxItems, wire.ErrNonCanonical)
	}
	type name struct{ kind, id string }
	seen := make(map[name]bool, len(c.Items))
	for i := range c.Items {
		x := &c.Items[i]
		if err := x.check(); err != nil {
			return fmt.Errorf("content: item %d: %w", i, err)
		}
		n := name{x.Type, x.ID}
		if seen[n] {
			return fmt.Errorf("content: item %d: resource stands twice: %w", i, wire.ErrNonCanonical)
		}
		seen[n] = true
	}
	return nil
}

func (x *Item) check() error {
	switch {
	case !fhir.KnownType(x.Type):
		return fmt.Errorf("type of %d bytes is none of FHIR R4: %w", len(x.Type), wire.ErrNonCanonical)
	case !fhir.ValidID(x.ID):
		return fmt.Errorf("id of %d bytes is none: %w", len(x.ID), wire.ErrNonCanonical)
	case x.Status < Active || x.Status > Deleted:
		return fmt.Errorf("%v: %w", x.Status, wire.ErrNonCanonical)
	case (len(x.Raw) == 0) != (x.Status == Deleted):
		return fmt.Errorf("%v, with a resource of %d bytes: %w", x.Status, len(x.Raw), wire.ErrNonCanonical)
	case len(x.Supersedes) > MaxSupersedes || !ascending(x.Supersedes):
		return fmt.Errorf("%d superseded entries, want at most %d ascending: %w", len(x.Supersedes), MaxSupersedes, wire.ErrNonCanonical)
	case len(x.Refs) > MaxRefs || len(x.Refs) > 0 && len(x.Raw) == 0:
		return fmt.Errorf("%d references, want at most %d, and of a resource: %w", len(x.Refs), MaxRefs, wire.ErrNonCanonical)
	}
	for i, r := range x.Refs {
		if i > 0 && r.From <= x.Refs[i-1].From || r.From == r.To || r.To == "" {
			return fmt.Errorf("reference %d: want ascending and changed: %w", i, wire.ErrNonCanonical)
		}
		if len(r.From) > MaxReference || len(r.To) > MaxReference || !utf8.ValidString(r.From) || !utf8.ValidString(r.To) {
			return fmt.Errorf("reference %d: want at most %d bytes of UTF-8: %w", i, MaxReference, wire.ErrNonCanonical)
		}
	}
	return x.parse()
}

// parse reads Raw, once.
func (x *Item) parse() error {
	if len(x.Raw) == 0 || x.resource != nil {
		return nil
	}
	r, err := fhir.Parse(x.Raw)
	switch {
	case err != nil:
		return err
	case len(r.Raw()) != len(x.Raw):
		return fmt.Errorf("white space around the resource: %w", wire.ErrNonCanonical)
	case r.Type() != x.Type:
		return fmt.Errorf("%s holds a %s: %w", x.Type, r.Type(), wire.ErrNonCanonical)
	}
	x.resource, x.Type = r, r.Type() // one string for all resources of the type
	return nil
}

func ascending(x []uint64) bool {
	for i := 1; i < len(x); i++ {
		if x[i] <= x[i-1] {
			return false
		}
	}
	return true
}

// Refs are the references of r that readers are to see differently: resolve tells how, and returns those that stay as they are.
func Refs(r *fhir.Resource, resolve func(from string) string) []Ref {
	var refs []Ref
	seen := map[string]bool{}
	r.References(func(from string) {
		if seen[from] {
			return
		}
		seen[from] = true
		if to := resolve(from); to != from && to != "" {
			refs = append(refs, Ref{from, to})
		}
	})
	slices.SortFunc(refs, func(a, b Ref) int { return strings.Compare(a.From, b.From) })
	return refs
}

// ref is the reference as readers see it.
func (x *Item) ref(from string) string {
	i, ok := slices.BinarySearchFunc(x.Refs, from, func(r Ref, s string) int { return strings.Compare(r.From, s) })
	if !ok {
		return from
	}
	return x.Refs[i].To
}
