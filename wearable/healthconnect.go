package wearable

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxRecord is how many bytes of JSON one record has at most: hours of a heart rate's samples.
const maxRecord = 4 << 20

// HealthConnect reads records of Android's Health Connect as apps write them in JSON, and calls each with one reading after the other, in the
// order of the file: an array of records; an object with records, such as what a reading of them answers; or one with an array for each type.
// left counts records, and samples of them, that were left out: of types without a code, with units, times or values that can't be told. An
// error of each ends the reading and is returned as it is.
func HealthConnect(r io.Reader, each func(*Reading) error) (left int, err error) {
	in := &budget{r: r, most: maxRecord}
	h := &records{in: in, d: json.NewDecoder(in), each: each}
	h.d.UseNumber()
	in.renew()
	if err := h.all(); err != nil && err != h.stopped {
		return h.left, fmt.Errorf("at byte %d: %w", h.d.InputOffset(), err)
	}
	return h.left, h.stopped
}

// IsHealthConnect tells whether a file that begins so is for HealthConnect: no FHIR resource begins so.
func IsHealthConnect(begin []byte) bool {
	begin = bytes.TrimLeft(begin, " \t\r\n")
	if len(begin) == 0 || begin[0] != '{' {
		return len(begin) > 0 && begin[0] == '['
	}
	name, _, ok := strings.Cut(strings.TrimPrefix(strings.TrimLeft(string(begin[1:]), " \t\r\n"), `"`), `"`)
	return ok && (name == "records" || isRecordType(name))
}

// records is one reading of a file.
type records struct {
	in      *budget
	d       *json.Decoder
	each    func(*Reading) error
	left    int
	stopped error // each's
}

var errNoExport = errors.New("this is no list of records of Health Connect: want an array, or an object with records or with the types of records")

func (h *records) all() error {
	t, err := h.d.Token()
	switch {
	case err != nil:
		return unexpected(err)
	case t == json.Delim('['):
		err = h.list("")
	case t == json.Delim('{'):
		err = h.object()
	default:
		err = errNoExport
	}
	if err != nil {
		return err
	}
	h.in.renew()
	if _, err := h.d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the records")
	}
	return nil
}

// object reads the members of the outermost object.
func (h *records) object() error {
	seen := map[string]bool{}
	for h.d.More() {
		h.in.renew()
		t, err := h.d.Token()
		if err != nil {
			return unexpected(err)
		}
		name, _ := t.(string)
		if seen[name] {
			return errTwice
		}
		seen[name] = true
		t, err = h.d.Token()
		switch {
		case err != nil:
			return unexpected(err)
		case t == json.Delim('[') && (name == "records" || isRecordType(name)):
			if err := h.list(strings.TrimPrefix(name, "records")); err != nil {
				return err
			}
		case name != "pageToken" || t == json.Delim('[') || t == json.Delim('{'):
			return errNoExport
		}
	}
	if _, err := h.d.Token(); err != nil {
		return unexpected(err)
	}
	if len(seen) == 0 {
		return errNoExport
	}
	return nil
}

// list reads an array of records, of a type or of the one that each says.
func (h *records) list(kind string) error {
	for h.d.More() {
		h.in.renew()
		v, err := h.value(0)
		if err != nil {
			return err
		}
		m, ok := v.(map[string]any)
		if !ok {
			return errNoExport
		}
		readings, left := readRecord(kind, m)
		h.left += left
		for _, r := range readings {
			if h.stopped = h.each(r); h.stopped != nil {
				return h.stopped
			}
		}
	}
	_, err := h.d.Token()
	return unexpected(err)
}

var errTwice = errors.New("a member stands twice in one object")

// value reads a value: objects have no member twice and are not deeper than maxDepth.
func (h *records) value(depth int) (any, error) {
	t, err := h.d.Token()
	if err != nil {
		return nil, unexpected(err)
	}
	open, ok := t.(json.Delim)
	if !ok {
		return t, nil
	}
	if depth == maxDepth {
		return nil, fmt.Errorf("more than %d values within each other", maxDepth)
	}
	var list []any
	object := map[string]any{}
	for h.d.More() {
		name := ""
		if open == '{' {
			t, err := h.d.Token()
			if err != nil {
				return nil, unexpected(err)
			}
			name, _ = t.(string)
			if _, twice := object[name]; twice {
				return nil, errTwice
			}
		}
		v, err := h.value(depth + 1)
		if err != nil {
			return nil, err
		}
		if open == '{' {
			object[name] = v
		} else {
			list = append(list, v)
		}
	}
	if _, err := h.d.Token(); err != nil {
		return nil, unexpected(err)
	}
	if open == '{' {
		return object, nil
	}
	return list, nil
}

// unexpected is an error in the middle of a file, where its end is one too.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
