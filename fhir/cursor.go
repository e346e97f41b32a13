package fhir

import "bytes"

// Cursor goes forward over the bytes of a resource that Parse has found valid, and checks nothing again. It stands before a value, before
// a member's name, or after a value.
//
//	for c.Enter(); c.Next(); {
//		name := c.Name()
//		value := c.Skip()
//	}
type Cursor struct {
	raw []byte
	at  int
}

// Cursor stands before the resource's own object.
func (r *Resource) Cursor() Cursor { return Cursor{raw: r.raw} }

// At is the byte that the cursor stands before, from 0.
func (c *Cursor) At() int { return c.at }

// From is what was read since the cursor stood at from.
func (c *Cursor) From(from int) Value { return Value(c.raw[from:c.at]) }

// Kind is the first byte of the value that comes next: one of { [ " t f n - and the digits.
func (c *Cursor) Kind() byte { return c.raw[c.at] }

// Enter goes into the object or array that comes next.
func (c *Cursor) Enter() { c.at++ }

// Next goes to the next member or element of the object or array that was entered last. After the last one it leaves it, and is false.
func (c *Cursor) Next() bool {
	c.at = space(c.raw, c.at)
	switch c.raw[c.at] {
	case ',':
		c.at = space(c.raw, c.at+1)
	case '}', ']':
		c.at++
		return false
	}
	return true
}

// Name reads the name of a member, and goes to the member's value.
func (c *Cursor) Name() []byte {
	from := c.at + 1
	to := skipString(c.raw, c.at)
	c.at = space(c.raw, space(c.raw, to)+1) // after the colon
	if name := c.raw[from : to-1]; bytes.IndexByte(name, '\\') < 0 {
		return name
	}
	return []byte(unquote(c.raw[from-1 : to]))
}

// Skip reads a value, whatever it is.
func (c *Cursor) Skip() Value {
	from := c.at
	c.at = skip(c.raw, c.at)
	return Value(c.raw[from:c.at])
}

// Value is a JSON value as it stands in a resource that Parse has found valid; nil is none.
type Value []byte

// Cursor stands before the value, which is not nil.
func (v Value) Cursor() Cursor { return Cursor{raw: v} }

// Text is the string that the value is, "" if it is something else.
func (v Value) Text() string { return text(v) }

// Get is the value of an object's member, nil if v is no object or hasn't got it.
func (v Value) Get(name string) Value { return find(v, name) }

// Each calls f with each element of an array, or with v if it is none, until f is false. It tells whether f never was.
func (v Value) Each(f func(Value) bool) bool {
	return v == nil || descend(v, "", func(e []byte) bool { return f(e) })
}
