package hl7

import (
	"bytes"
	"encoding/json"
)

// object is a piece of FHIR JSON that is being made. A nil in it stands for what the message deletes.
type object map[string]any

// set sets what says something.
func (o object) set(name string, v any) {
	if !empty(v) {
		o[name] = v
	}
}

// add appends to a list what says something.
func (o object) add(name string, v any) {
	if !empty(v) {
		list, _ := o[name].([]any)
		o[name] = append(list, v)
	}
}

// put sets what a field says, or that it is to be deleted.
func (o object) put(name string, f field, v any) {
	if f.deletes() {
		o[name] = nil
	}
	o.set(name, v)
}

func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case json.Number:
		return v == ""
	case object:
		return len(v) == 0
	case []any:
		return len(v) == 0
	case *reference:
		return v == nil
	}
	return false
}

// reference leads to another resource of the change.
type reference struct{ to *Resource }

func (r *reference) MarshalJSON() ([]byte, error) {
	return encode(object{"reference": r.to.address})
}

func encode(v any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// list is a list of what says something.
func list(all ...any) (out []any) {
	for _, v := range all {
		if !empty(v) {
			out = append(out, v)
		}
	}
	return out
}

// extension is one, if it says something.
func extension(url, kind string, v any) any {
	if empty(v) {
		return nil
	}
	return object{"url": url, kind: v}
}

// members are those of a piece of FHIR JSON by their exact names, as FHIR has them: a struct would take those in another case too.
func members(raw []byte) (out map[string]json.RawMessage, err error) {
	err = json.Unmarshal(raw, &out)
	return out, err
}

// versionOf is the version that a resource says it is, "" if it says none.
func versionOf(raw []byte) (version string) {
	resource, _ := members(raw)
	meta, _ := members(resource["meta"])
	_ = json.Unmarshal(meta["versionId"], &version) // what is no text is no version
	return version
}
