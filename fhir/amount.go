package fhir

import (
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// amount is a number, or a range of them, and its unit. A nil end is open.
type amount struct {
	low, high         *big.Rat
	without           bool // the open range does not have its end: Quantity.comparator < or >
	system, code, own string
	exact             *big.Rat // of a search: the number itself, and low and high are by how far it is not exact
}

// maxDecimal bounds the digits and the exponent of a number: arithmetic is exact, and a number of a few bytes must not cost megabytes.
const maxDecimal = 64

// decimal reads a JSON number, and half a unit of its last digit.
func decimal(s string) (x, half *big.Rat, ok bool) {
	digits, exponent, scientific := strings.Cut(strings.ToLower(s), "e")
	e := 0
	if scientific {
		var err error
		if e, err = strconv.Atoi(exponent); err != nil {
			return nil, nil, false
		}
	}
	unsigned := strings.TrimLeft(digits, "+-")
	whole, fraction, _ := strings.Cut(unsigned, ".")
	if len(digits) > maxDecimal || e > maxDecimal || e < -maxDecimal || len(digits)-len(unsigned) > 1 || whole == "" || strings.Trim(whole+fraction, "0123456789") != "" {
		return nil, nil, false
	}
	x, ok = new(big.Rat).SetString(s)
	if !ok {
		return nil, nil, false
	}
	half, ok = new(big.Rat).SetString("5e" + strconv.Itoa(e-len(fraction)-1))
	return x, half, ok
}

// parseAmount reads a number, and of a quantity number|system|code, with a prefix.
func (c *condition) parseAmount(s string) (value, error) {
	v := value{prefix: "eq"}
	if len(s) > 2 && slices.Contains(prefixes, s[:2]) {
		v.prefix, s = s[:2], s[2:]
	}
	parts := splitEscaped(s, '|')
	if len(parts) != 1 && (c.kind != quantity || len(parts) != 3) {
		return v, c.fail("want a number, of a quantity number|system|code")
	}
	x, half, ok := decimal(parts[0])
	if !ok {
		return v, c.fail("is no number")
	}
	if v.prefix == "ap" { // a tenth on either side, as R4 recommends
		if tenth := new(big.Rat).Mul(new(big.Rat).Abs(x), big.NewRat(1, 10)); tenth.Cmp(half) > 0 {
			half = tenth
		}
	}
	v.amount = amount{exact: x, low: new(big.Rat).Sub(x, half), high: new(big.Rat).Add(x, half)}
	if len(parts) == 3 {
		v.system, v.text = unslash(parts[1]), unslash(parts[2])
	}
	return v, nil
}

// amountOf is a number, Quantity, Range or Money of a resource.
func amountOf(at []byte) (amount, bool) {
	if at[0] != '{' {
		x, _, ok := decimal(string(at))
		return amount{low: x, high: x}, ok
	}
	low, high := find(at, "low"), find(at, "high")
	if low != nil || high != nil {
		a, okLow := amountOf(orNothing(low))
		b, okHigh := amountOf(orNothing(high))
		if !okLow {
			a.system, a.code, a.own = b.system, b.code, b.own
		}
		a.high = b.high
		return a, okLow || okHigh
	}
	x, _, ok := decimal(string(find(at, "value")))
	a := amount{low: x, high: x, system: text(find(at, "system")), code: text(find(at, "code")), own: text(find(at, "unit"))}
	if currency := text(find(at, "currency")); currency != "" {
		a.system, a.code = "urn:iso:std:iso:4217", currency
	}
	switch comparator := text(find(at, "comparator")); comparator {
	case "<", "<=":
		a.low, a.without = nil, comparator == "<"
	case ">", ">=":
		a.high, a.without = nil, comparator == ">"
	}
	return a, ok
}

func orNothing(v []byte) []byte {
	if v == nil {
		return []byte("{}")
	}
	return v
}

// is tells whether the unit is the one searched for. Without a system code and unit both count.
func (a amount) is(v *value) bool {
	if v.system != "" {
		return a.system == v.system && a.code == v.text
	}
	return a.code == v.text || a.own == v.text
}

// matches compares what a resource has with a search, as https://hl7.org/fhir/R4/search.html#quantity has it.
func (a amount) matches(prefix string, x amount) bool {
	above := x.high == nil || x.high.Cmp(a.exact) > 0
	below := x.low == nil || x.low.Cmp(a.exact) < 0
	switch prefix {
	case "gt":
		return above
	case "lt":
		return below
	case "ge":
		return above || !(x.without && x.low == nil) && x.high.Cmp(a.exact) == 0
	case "le":
		return below || !(x.without && x.high == nil) && x.low.Cmp(a.exact) == 0
	case "sa":
		return x.low != nil && (x.low.Cmp(a.exact) > 0 || x.without && x.low.Cmp(a.exact) == 0)
	case "eb":
		return x.high != nil && (x.high.Cmp(a.exact) < 0 || x.without && x.high.Cmp(a.exact) == 0)
	case "ap":
		return (x.high == nil || x.high.Cmp(a.low) >= 0) && (x.low == nil || x.low.Cmp(a.high) <= 0)
	}
	within := x.low != nil && x.high != nil && x.low.Cmp(a.low) >= 0 && (x.high.Cmp(a.high) < 0 || x.high.Cmp(a.exact) == 0)
	return within == (prefix == "eq")
}
