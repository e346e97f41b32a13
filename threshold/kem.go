package threshold

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"sync"

	"github.com/cloudflare/circl/ecc/bls12381"
	bls "github.com/consensys/gnark-crypto/ecc/bls12-381"

	"vitalog/wire"
)

// The domains of hashing to G1 (RFC 9380, BLS12381G1_XMD:SHA-256_SSWU_RO_): two, so that a proof of possession is never a partial key.
const (
	releaseDomain    = "VITALOG-V1-RELEASE-BLS12381G1_XMD:SHA-256_SSWU_RO_"
	possessionDomain = "VITALOG-V1-POSSESSION-BLS12381G1_XMD:SHA-256_SSWU_RO_"
	kemDomain        = "vitalog/v1/release/kem"
)

// Encapsulate draws a secret that only the partial keys for id, of the holders of public's shares, can bring back from u.
//
// The scalar is used for this one record, so nobody can time it twice. It is multiplied in constant time all the same; the pairing alone,
// of a point that the scalar hides in, is left to arithmetic whose time may depend on its operands.
func Encapsulate(public Point2, id wire.Hash) (u Point2, secret [32]byte, err error) {
	lines, err := linesOf(public)
	if err != nil {
		return u, secret, fmt.Errorf("network key: %w", err)
	}
	var r bls12381.Scalar
	for r.IsZero() == 1 {
		if err := r.Random(rand.Reader); err != nil {
			return u, secret, fmt.Errorf("drawing a scalar: %w", err)
		}
	}
	u = generator().times(&r)
	q := identity(id)
	q.ScalarMult(&r, q)
	g, err := bls.PairFixedQ([]bls.G1Affine{*handOver(q)}, []lineTable{*lines}) // overwrites the lines that it is given: a copy
	if err != nil {
		panic("threshold: " + err.Error()) // only for lists that differ in length
	}
	return u, derive(&g, &u, id), nil
}

func identity(id wire.Hash) *bls12381.G1 {
	var q bls12381.G1
	q.Hash(id[:], []byte(releaseDomain))
	return &q
}

// derive is HKDF-SHA256: extract with the domain as salt from the 576 bytes of g, expand with U ‖ id.
func derive(g *bls.GT, u *Point2, id wire.Hash) [32]byte {
	b := g.Bytes()
	out, err := hkdf.Key(sha256.New, b[:], []byte(kemDomain), string(u[:])+string(id[:]), 32)
	if err != nil {
		panic("threshold: " + err.Error()) // only for more than 8160 bytes
	}
	return [32]byte(out)
}

// lineTable is a network key's half of the pairing: the lines of the Miller loop, 24 KiB.
type lineTable = [2][len(bls.LoopCounter) - 1]bls.LineEvaluationAff

// maxLines is how many network keys' lines are kept. A writer has one, or two while a generation ends.
const maxLines = 8

var known struct {
	sync.Mutex
	lines map[Point2]*lineTable
}

// linesOf decodes and checks a network key, and remembers what follows from it.
func linesOf(public Point2) (*lineTable, error) {
	known.Lock()
	defer known.Unlock()
	if l := known.lines[public]; l != nil {
		return l, nil
	}
	g, err := public.affine()
	if err != nil {
		return nil, err
	}
	l := bls.PrecomputeLines(*g)
	if known.lines == nil || len(known.lines) == maxLines {
		known.lines = map[Point2]*lineTable{}
	}
	known.lines[public] = &l
	return &l, nil
}
