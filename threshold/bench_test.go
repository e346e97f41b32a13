package threshold_test

import (
	"testing"

	"vitalog/threshold"
)

// One record costs a writer an Encapsulate, each of k members a Partial, and a reader a Combine and a Decapsulate.
func BenchmarkEncapsulate(b *testing.B) {
	poly, _ := network(b, 1, 3, 4)
	for b.Loop() {
		threshold.Encapsulate(poly[0], id)
	}
}

func BenchmarkPartial(b *testing.B) {
	_, shares := network(b, 1, 3, 4)
	for b.Loop() {
		threshold.Partial(&shares[0], id)
	}
}

func BenchmarkCombine(b *testing.B) {
	for _, c := range []struct {
		name string
		n    int
		xs   []uint16
	}{
		{"3of4", 4, []uint16{1, 3, 4}},
		{"3of4fraction", 4, []uint16{1, 2, 4}},
		{"5of7", 7, []uint16{1, 3, 4, 6, 7}},
		{"27of40", 40, spread(27, 40)},
	} {
		_, shares := network(b, 1, len(c.xs), c.n)
		ps := parts(b, shares, c.xs...)
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				threshold.Combine(ps)
			}
		})
	}
}

func BenchmarkDecapsulate(b *testing.B) {
	poly, shares := network(b, 1, 1, 1)
	u, _, _ := threshold.Encapsulate(poly[0], id)
	combined, _ := threshold.Combine(parts(b, shares, 1))
	for b.Loop() {
		threshold.Decapsulate(combined, u, id)
	}
}

func BenchmarkVerifyPart(b *testing.B) {
	poly, shares := network(b, 1, 3, 4)
	p := parts(b, shares, 3)[0]
	for b.Loop() {
		threshold.VerifyPart(p, id, poly)
	}
}
