package fhir

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Limits of a patch: what it may cost grows with their product.
const (
	MaxPatch   = 1 << 20 // bytes of a patch, and of what it copies
	MaxPatched = 2 << 20 // bytes of a resource that is patched
	maxChanges = 500
)

// Patch is a JSON Patch (RFC 6902).
type Patch []change

// change is one operation. Members that RFC 6902 doesn't know are ignored, as it says.
type change struct {
	op         string
	path, from []string
	value      []byte
}

// ParsePatch reads a patch strictly.
func ParsePatch(raw []byte) (Patch, error) {
	switch {
	case len(raw) > MaxPatch:
		return nil, &Error{Kind: TooLong, Element: "Patch", Text: fmt.Sprintf("has more than %d bytes: send an update", MaxPatch)}
	case !jsontext.Value(raw).IsValid():
		return nil, &Error{Kind: Structure, Element: "Patch", Text: "is not valid JSON"}
	}
	if raw = bytes.TrimSpace(raw); raw[0] != '[' {
		return nil, &Error{Kind: Structure, Element: "Patch", Text: "want an array of operations"}
	}
	var p Patch
	var err error
	eachElement(raw, func(v []byte) bool {
		var c change
		if c, err = parseChange(v); err == nil && len(p) == maxChanges {
			err = fmt.Errorf("at most %d operations", maxChanges)
		}
		p = append(p, c)
		return err == nil
	})
	if err != nil {
		return nil, &Error{Kind: Structure, Element: p.at(len(p) - 1), Text: err.Error()}
	}
	return p, nil
}

func (p Patch) at(i int) string { return fmt.Sprintf("Patch[%d]", i) }

func parseChange(v []byte) (c change, err error) {
	c.op = text(find(v, "op"))
	if c.path, err = pointer(find(v, "path"), "path"); err != nil {
		return c, err
	}
	c.value = find(v, "value")
	switch c.op {
	case "add", "replace", "test":
		if c.value == nil {
			return c, errors.New("want a value")
		}
	case "move", "copy":
		c.from, err = pointer(find(v, "from"), "from")
	case "remove":
	default:
		return c, errors.New("want op to be add, remove, replace, move, copy or test")
	}
	return c, err
}

// pointer takes a JSON Pointer (RFC 6901) apart.
func pointer(v []byte, name string) ([]string, error) {
	s := text(v)
	if len(v) == 0 || v[0] != '"' || s != "" && s[0] != '/' {
		return nil, fmt.Errorf("want %s to be a JSON Pointer", name)
	}
	if s == "" {
		return nil, nil
	}
	tokens := strings.Split(s[1:], "/")
	for i, t := range tokens {
		if bare := strings.NewReplacer("~0", "", "~1", "").Replace(t); strings.Contains(bare, "~") {
			return nil, fmt.Errorf("want %s to be a JSON Pointer", name)
		}
		tokens[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(t)
	}
	return tokens, nil
}

// Apply makes the changes in a resource, all or none. Every element that they don't touch keeps its bytes.
func (p Patch) Apply(r *Resource) (*Resource, error) {
	if len(r.raw) > MaxPatched {
		return nil, &Error{Kind: TooLong, Element: r.kind, Text: fmt.Sprintf("has more than %d bytes, the most that are patched: send an update", MaxPatched)}
	}
	d := &patching{root: &tree{raw: r.raw}, room: MaxPatch}
	for i, c := range p {
		if err := d.apply(c); err != nil {
			return nil, &Error{Kind: Invalid, Element: p.at(i), Text: err.Error()}
		}
	}
	return Parse(d.root.append(nil))
}

// tree is a value of which the parts that were looked into are known.
type tree struct {
	raw    []byte // nil: it was changed, and is what its parts say
	object bool
	names  []string // of an object's members, with quotes
	parts  []*tree  // nil: not looked into
}

// open looks into a value.
func (t *tree) open() {
	if t.parts != nil || t.raw == nil {
		return
	}
	switch t.raw[0] {
	case '{':
		t.object, t.parts = true, []*tree{}
		eachMember(t.raw, func(name, value []byte) bool {
			t.names, t.parts = append(t.names, `"`+string(name)+`"`), append(t.parts, &tree{raw: value})
			return true
		})
	case '[':
		t.parts = []*tree{}
		eachElement(t.raw, func(value []byte) bool {
			t.parts = append(t.parts, &tree{raw: value})
			return true
		})
	}
}

// append writes the value.
func (t *tree) append(out []byte) []byte {
	if t.raw != nil {
		return append(out, t.raw...)
	}
	ends := "[]"
	if t.object {
		ends = "{}"
	}
	out = append(out, ends[0])
	for i, part := range t.parts {
		if i > 0 {
			out = append(out, ',')
		}
		if t.object {
			out = append(append(out, t.names[i]...), ':')
		}
		out = part.append(out)
	}
	return append(out, ends[1])
}

// place is where a token leads in an opened value: an index, which of a list may be its length, and whether something is there.
func (t *tree) place(token string) (i int, there bool, err error) {
	switch {
	case t.parts == nil:
		return 0, false, errors.New("the path goes on below a value that has no parts")
	case t.object:
		i = slices.IndexFunc(t.names, func(n string) bool { return unquote([]byte(n)) == token })
		return max(i, 0), i >= 0, nil
	case token == "-":
		return len(t.parts), false, nil
	}
	i, err = strconv.Atoi(token)
	if err != nil || i < 0 || strconv.Itoa(i) != token || i > len(t.parts) {
		return 0, false, errors.New("the list has no such place")
	}
	return i, i < len(t.parts), nil
}

// patching is a patch at work.
type patching struct {
	root *tree
	room int // bytes that may still be copied
}

var errNothingThere = errors.New("nothing is there")

func (d *patching) apply(c change) error {
	switch c.op {
	case "add":
		return d.set(c.path, &tree{raw: c.value}, false)
	case "replace":
		return d.set(c.path, &tree{raw: c.value}, true)
	case "remove":
		_, err := d.remove(c.path)
		return err
	case "move":
		if len(c.path) > len(c.from) && slices.Equal(c.path[:len(c.from)], c.from) {
			return errors.New("a value can't be moved into itself")
		}
		if slices.Equal(c.path, c.from) {
			_, err := d.get(c.from)
			return err
		}
		t, err := d.remove(c.from)
		if err != nil {
			return err
		}
		return d.set(c.path, t, false)
	}
	source := c.from
	if c.op == "test" {
		source = c.path
	}
	t, err := d.get(source)
	if err != nil {
		return err
	}
	v := t.append(nil)
	if c.op == "test" {
		if !sameValue(v, c.value) {
			return errors.New("the value is another one")
		}
		return nil
	}
	if d.room -= len(v); d.room < 0 {
		return fmt.Errorf("the patch copies more than %d bytes", MaxPatch)
	}
	return d.set(c.path, &tree{raw: v}, false)
}

// get is the value at a path.
func (d *patching) get(path []string) (*tree, error) {
	t := d.root
	for _, token := range path {
		t.open()
		i, there, err := t.place(token)
		if err == nil && !there {
			err = errNothingThere
		}
		if err != nil {
			return nil, err
		}
		t = t.parts[i]
	}
	return t, nil
}

// parent is the opened value that holds what is at a path, marked as changed like all above it.
func (d *patching) parent(path []string) (*tree, error) {
	if _, err := d.get(path[:len(path)-1]); err != nil {
		return nil, err
	}
	t := d.root
	for n := 0; ; n++ {
		if t.open(); t.parts == nil {
			return nil, errors.New("the path goes on below a value that has no parts")
		}
		if t.raw = nil; n == len(path)-1 {
			return t, nil
		}
		i, _, _ := t.place(path[n])
		t = t.parts[i]
	}
}

func (d *patching) set(path []string, value *tree, replace bool) error {
	if len(path) == 0 {
		d.root = value
		return nil
	}
	t, err := d.parent(path)
	if err != nil {
		return err
	}
	token := path[len(path)-1]
	i, there, err := t.place(token)
	switch {
	case err != nil:
		return err
	case replace && !there:
		return errNothingThere
	case there && (replace || t.object):
		t.parts[i] = value
	case t.object:
		t.names, t.parts = append(t.names, string(quote(token))), append(t.parts, value)
	default:
		t.parts = slices.Insert(t.parts, i, value)
	}
	return nil
}

func (d *patching) remove(path []string) (*tree, error) {
	if len(path) == 0 {
		return nil, errors.New("the whole resource can't be removed: delete it")
	}
	t, err := d.parent(path)
	if err != nil {
		return nil, err
	}
	i, there, err := t.place(path[len(path)-1])
	if err == nil && !there {
		err = errNothingThere
	}
	if err != nil {
		return nil, err
	}
	out := t.parts[i]
	if t.parts = slices.Delete(t.parts, i, i+1); t.object {
		t.names = slices.Delete(t.names, i, i+1)
	}
	return out, nil
}

// sameValue tells whether two JSON values are equal as RFC 6902 says: the order of members and the form of numbers and strings don't
// count.
func sameValue(a, b []byte) bool {
	if a[0] != b[0] && !(isNumber(a) && isNumber(b)) {
		return false
	}
	switch {
	case isNumber(a):
		return oneNumber(a) == oneNumber(b)
	case a[0] == '"':
		return unquote(a) == unquote(b)
	case a[0] == '{':
		of := map[string][]byte{}
		eachMember(a, func(name, value []byte) bool {
			of[unquote(slices.Concat([]byte{'"'}, name, []byte{'"'}))] = value
			return true
		})
		same, n := true, 0
		eachMember(b, func(name, value []byte) bool {
			v := of[unquote(slices.Concat([]byte{'"'}, name, []byte{'"'}))]
			n++
			same = v != nil && sameValue(v, value)
			return same
		})
		return same && n == len(of)
	case a[0] == '[':
		var of [][]byte
		eachElement(a, func(v []byte) bool { of = append(of, v); return true })
		same, n := true, 0
		eachElement(b, func(v []byte) bool {
			same = n < len(of) && sameValue(of[n], v)
			n++
			return same
		})
		return same && n == len(of)
	}
	return bytes.Equal(a, b)
}

func isNumber(v []byte) bool { return v[0] == '-' || '0' <= v[0] && v[0] <= '9' }

// oneNumber is a number in the one form that it shares with its equals: its digits without zeros around them, and a power of ten.
func oneNumber(v []byte) string {
	s, sign := string(v), ""
	if s[0] == '-' {
		s, sign = s[1:], "-"
	}
	power := 0
	if at := strings.IndexAny(s, "eE"); at >= 0 {
		n, err := strconv.Atoi(s[at+1:])
		if err != nil || n > 1<<30 || n < -1<<30 {
			return sign + s // no number that anything is measured in
		}
		s, power = s[:at], n
	}
	if at := strings.IndexByte(s, '.'); at >= 0 {
		power -= len(s) - at - 1
		s = s[:at] + s[at+1:]
	}
	short := strings.TrimRight(s, "0")
	power += len(s) - len(short)
	if short = strings.TrimLeft(short, "0"); short == "" {
		return "0"
	}
	return sign + short + "e" + strconv.Itoa(power)
}
