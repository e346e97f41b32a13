package synthetic

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// Secrets lists every string about the patient that must never be found in a store, on a disk or on a wire: names, birthday, street,
// telephone, identifiers, codes, displays, drugs, what notes say, and the notes as base64. In order and without duplicates. Strings
// that random bytes would contain by chance are left out: those under six bytes, and codes of digits alone under eight; so are the
// names of organisations and practitioners, which are public.
func (p *Patient) Secrets() []string {
	found := map[string]bool{p.Name: true}
	for _, b := range p.Batches {
		var v any
		if err := json.Unmarshal(b.Bundle, &v); err != nil {
			panic("synthetic: own bundle: " + err.Error())
		}
		collect(found, "", v)
	}
	return slices.Sorted(maps.Keys(found))
}

// collect walks JSON and keeps the strings that tell something.
func collect(found map[string]bool, field string, v any) {
	switch x := v.(type) {
	case []any:
		for _, e := range x {
			collect(found, field, e)
		}
	case map[string]any:
		if t, _ := x["type"].(string); t == "Organization" || t == "Practitioner" {
			return
		}
		system, _ := x["system"].(string)
		if code, ok := x["code"].(string); ok && clinical(system) && tells(code) {
			found[code] = true
		}
		if strings.HasPrefix(system, hl7Codes) {
			return // statuses and categories
		}
		for k, e := range x {
			collect(found, k, e)
		}
	case string:
		switch field {
		case "data":
			found[x[:min(len(x), 48)]] = true
			text, err := base64.StdEncoding.DecodeString(x)
			if err != nil {
				panic("synthetic: own note: " + err.Error())
			}
			for line := range strings.Lines(string(text)) {
				found[strings.TrimSpace(line)] = true
			}
		case "text", "display", "family", "given", "line", "city", "birthDate", "value", "lotNumber", "subscriberId", "conclusion", "title":
			if len(x) >= 6 {
				found[x] = true
			}
		}
	}
}

func clinical(system string) bool {
	return system == loincSystem || system == snomedSystem || system == rxnormSystem || system == cvxSystem
}

// tells is false for codes that a counter or a time would contain by chance.
func tells(code string) bool {
	if strings.Contains(code, "-") {
		return len(code) >= 7
	}
	return len(code) >= 8
}
