package envelope_test

import (
	"crypto/aes"
	"encoding/binary"
)

// block is an element of GF(2^128) as in GCM (NIST SP 800-38D, 6.3): the first bit is the coefficient of x^0.
type block [16]byte

func (a block) add(b block) (out block) {
	for i := range out {
		out[i] = a[i] ^ b[i]
	}
	return out
}

func (a block) mul(b block) (out block) {
	for i := range 128 {
		if a[i/8]>>(7-i%8)&1 == 1 {
			out = out.add(b)
		}
		hi, lo := binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
		carry := lo & 1
		binary.BigEndian.PutUint64(b[8:], lo>>1|hi<<63)
		binary.BigEndian.PutUint64(b[:8], hi>>1^carry*0xe1<<56)
	}
	return out
}

// inverse is a^(2^128-2).
func (a block) inverse() block {
	out := block{0x80}
	for range 127 {
		a = a.mul(a)
		out = out.mul(a)
	}
	return out
}

func power(a block, n int) block {
	out := block{0x80}
	for range n {
		out = out.mul(a)
	}
	return out
}

// hashKey is GHASH's key of the content key under r.
func hashKey(r [32]byte) (h block) {
	k := expand(r, "vitalog/v1/envelope/content")
	c, _ := aes.NewCipher(k[:])
	c.Encrypt(h[:], h[:])
	return h
}

func slice(b block) []byte { return b[:] }

// xorBytes is as long as the shorter.
func xorBytes(a, b []byte) []byte {
	out := make([]byte, min(len(a), len(b)))
	for i := range out {
		out[i] = a[i] ^ b[i]
	}
	return out
}
