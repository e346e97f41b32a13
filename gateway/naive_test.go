package gateway_test

import (
	"fmt"
	"strings"
	"time"
	"unicode"
)

// parameter is a SearchParameter, and with it the naive reading of R4's search: one value a parameter, no modifiers.
type parameter struct{ Type, Expression string }

// of are the values at the parameter's expression. Of FHIRPath it knows names, and that a choice is named after what was chosen.
func (p parameter) of(x tree) []any {
	names := strings.Split(p.Expression, ".")[1:]
	all := []any{map[string]any(x)}
	for _, name := range names {
		if strings.HasPrefix(name, "where(") {
			break
		}
		var next []any
		for _, v := range all {
			m, _ := v.(map[string]any)
			for k, v := range m {
				rest, ok := strings.CutPrefix(k, name)
				if !ok || rest != "" && !unicode.IsUpper(rune(rest[0])) {
					continue
				}
				if list, ok := v.([]any); ok {
					next = append(next, list...)
				} else {
					next = append(next, v)
				}
			}
		}
		all = next
	}
	return all
}

// valueOf is what to search for so that v is found.
func (c *country) valueOf(kind string, v any, turn int) string {
	m, _ := v.(map[string]any)
	switch kind {
	case "token":
		if list, ok := m["coding"].([]any); ok {
			m = list[turn%len(list)].(map[string]any)
		}
		code := m["code"]
		switch {
		case m == nil:
			return fmt.Sprint(v)
		case code == nil:
			return identifier(m)
		case turn%2 == 0 || m["system"] == nil:
			return fmt.Sprint(code)
		}
		return fmt.Sprint(m["system"], "|", code)
	case "reference":
		name := c.resolve(v)
		if _, id, ok := strings.Cut(name, "/"); ok && turn%2 == 0 {
			return id
		}
		return name
	case "date":
		text, _ := v.(string)
		if m != nil {
			text, _ = m["start"].(string)
		}
		return []string{"", "ge", "le", "gt", "lt"}[turn%5] + text[:min(len(text), []int{10, 7, 100, 4}[turn%4])]
	}
	text := words(v)[turn%len(words(v))]
	return text[:min(len(text), 3+turn%5)]
}

// holds tells whether a resource has all values of a search.
func (c *country) holds(kind string, q query, x tree) bool {
	for _, one := range q {
		name, modifier, _ := strings.Cut(one.name, ":")
		p, found := c.params[kind+"."+name], false
		for _, v := range p.of(x) {
			if m, _ := v.(map[string]any); modifier == "identifier" {
				found = found || m["identifier"] != nil && identifier(m["identifier"]) == one.value
			} else {
				found = found || c.meets(p.Type, v, one.value)
			}
		}
		if one.name == "_id" {
			found = x["id"] == one.value
		}
		if !found {
			return false
		}
	}
	return true
}

func (c *country) meets(kind string, v any, want string) bool {
	switch kind {
	case "token":
		m, _ := v.(map[string]any)
		if list, ok := m["coding"].([]any); ok {
			for _, coding := range list {
				if c.meets(kind, coding, want) {
					return true
				}
			}
			return false
		}
		code := fmt.Sprint(v)
		switch {
		case m["code"] != nil:
			code = fmt.Sprint(m["code"])
		case m != nil:
			code = fmt.Sprint(m["value"])
		}
		return want == code || m["system"] != nil && want == fmt.Sprint(m["system"], "|", code)
	case "reference":
		name := c.resolve(v)
		return name == want || strings.HasSuffix(name, "/"+want)
	case "date":
		return meetsDate(v, want)
	}
	for _, w := range words(v) {
		if strings.HasPrefix(strings.ToLower(w), strings.ToLower(want)) {
			return true
		}
	}
	return false
}

// identifier is a business identifier as system|value.
func identifier(v any) string {
	m := v.(map[string]any)
	return fmt.Sprint(m["system"], "|", m["value"])
}

// resolve is what a reference of a bundle leads to.
func (c *country) resolve(v any) string {
	m, _ := v.(map[string]any)
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at[fmt.Sprint(m["reference"])]
}

// words are the strings of a name or an address that are searched.
func words(v any) (all []string) {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, e := range v {
			all = append(all, words(e)...)
		}
	case map[string]any:
		for _, part := range []string{"text", "family", "given", "prefix", "suffix", "line", "city", "district", "state", "postalCode", "country"} {
			all = append(all, words(v[part])...)
		}
	}
	return all
}

func meetsDate(v any, want string) bool {
	prefix := "eq"
	if want[0] > '9' {
		prefix, want = want[:2], want[2:]
	}
	from, to := span(want)
	var low, high time.Time
	switch v := v.(type) {
	case string:
		low, high = span(v)
	case map[string]any:
		low, high = time.Time{}, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
		if s, ok := v["start"].(string); ok {
			low, _ = span(s)
		}
		if s, ok := v["end"].(string); ok {
			_, high = span(s)
		}
	}
	within, above, below := !low.Before(from) && !high.After(to), high.After(to), low.Before(from)
	return map[string]bool{"eq": within, "gt": above, "lt": below, "ge": within || above, "le": within || below}[prefix]
}

// span is the time that a date stands for, as long as it is precise.
func span(s string) (from, to time.Time) {
	for layout, long := range map[string][3]int{"2006": {1, 0, 0}, "2006-01": {0, 1, 0}, "2006-01-02": {0, 0, 1}} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, t.AddDate(long[0], long[1], long[2])
		}
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		panic(err)
	}
	if _, fraction, ok := strings.Cut(s, "."); ok {
		n := len(fraction) - len(strings.TrimLeft(fraction, "0123456789"))
		return t, t.Add(time.Duration(float64(time.Second) / []float64{1, 10, 100, 1000, 1e4, 1e5, 1e6}[n]))
	}
	return t, t.Add(time.Second)
}
