package scope

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// values are the parameters of a filter: all must hold.
type values map[string][]string

// parseFilter reads name=value pairs that stand apart by &. What can't stand in a scope (RFC 6749, 3.3) or means something in a query is
// escaped with % and two digits.
func parseFilter(query string) (values, bool) {
	out := values{}
	for _, pair := range strings.Split(query, "&") {
		name, value, ok := strings.Cut(pair, "=")
		name, plain := unescape(name)
		value, also := unescape(value)
		if !ok || !plain || !also || name == "" || value == "" {
			return nil, false
		}
		if !slices.Contains(out[name], value) {
			out[name] = append(out[name], value)
		}
	}
	return out, true
}

// String is the filter as parseFilter reads it, in one order.
func (v values) String() string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(v)) {
		for _, value := range slices.Sorted(slices.Values(v[name])) {
			out = append(out, escape(name)+"="+escape(value))
		}
	}
	return strings.Join(out, "&")
}

func unescape(s string) (string, bool) {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			out.WriteByte(s[i])
			continue
		}
		if i+3 > len(s) {
			return "", false
		}
		b, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil {
			return "", false
		}
		out.WriteByte(byte(b))
		i += 2
	}
	return out.String(), true
}

func escape(s string) string {
	var out strings.Builder
	for i := range len(s) {
		if b := s[i]; b <= ' ' || b >= 0x7f || strings.IndexByte(`%&=+#"\`, b) >= 0 {
			const hex = "0123456789ABCDEF"
			out.WriteByte('%')
			out.WriteByte(hex[b>>4])
			out.WriteByte(hex[b&15])
			continue
		}
		out.WriteByte(s[i])
	}
	return out.String()
}
