package gateway

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// pathOf is the FHIRPath of the first Reference in the resource that says ref: Bundle.entry[3].resource.subject. It is looked for only
// when it has to be told; the resource is known to be valid JSON.
func pathOf(in *incoming, ref string) string {
	d := json.NewDecoder(bytes.NewReader(in.res.Raw()))
	if path, ok := findReference(d, in.root, "", ref); ok {
		return path
	}
	return in.root
}

// findReference reads one value, called name, that stands at path.
func findReference(d *json.Decoder, path, name, ref string) (string, bool) {
	t, err := d.Token()
	if err != nil {
		return "", false
	}
	switch t {
	case json.Delim('{'):
		for d.More() {
			key, _ := d.Token()
			member, _ := key.(string)
			at := path
			if member != "reference" {
				at += "." + member
			}
			if found, ok := findReference(d, at, member, ref); ok {
				return found, true
			}
		}
	case json.Delim('['):
		for i := 0; d.More(); i++ {
			if found, ok := findReference(d, path+"["+strconv.Itoa(i)+"]", "", ref); ok {
				return found, true
			}
		}
	default:
		return path, name == "reference" && t == ref
	}
	d.Token() // the end of the object or array
	return "", false
}
