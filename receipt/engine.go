package receipt

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"

	"vitalog/key"
	"vitalog/op"
	"vitalog/wire"
)

// What the consensus engine (CometBFT v0.40, spec/core/data_structures.md and proto/tendermint/types/canonical.proto of that version)
// hashes and signs: protobuf messages, and RFC 6962 trees over them.

// Power is the voting power of every validator.
const Power = 10

// Hash is the header's hash on this chain.
func (h *Header) Hash(chain string) wire.Hash {
	leaves := [][]byte{
		proto(nil).uint(1, h.BlockVersion).uint(2, h.AppVersion),
		proto(nil).bytes(1, []byte(chain)),
		proto(nil).uint(1, h.Height),
		timestamp(h.Time),
		blockID(h.Last),
	}
	for _, x := range h.hashes() {
		leaves = append(leaves, proto(nil).bytes(1, x[:]))
	}
	return tree(append(leaves, proto(nil).bytes(1, h.Proposer[:])))
}

// SignBytes is what a validator signs to agree to the block id at height, in round, on this chain.
func SignBytes(chain string, height uint64, round uint32, id BlockID, at time.Time) []byte {
	const precommit = 2
	vote := proto(nil).uint(1, precommit).fixed(2, height).fixed(3, uint64(round)).message(4, blockID(id)).message(5, timestamp(at)).
		bytes(6, []byte(chain))
	return append(binary.AppendUvarint(nil, uint64(len(vote))), vote...)
}

// Validators are the vote keys of the genesis' validators in the engine's order: by address, since all have the same power.
func Validators(g *op.Genesis) []key.Verifier {
	var out []key.Verifier
	for _, i := range g.Validators() {
		out = append(out, g.Members[i].Consensus)
	}
	slices.SortFunc(out, func(a, b key.Verifier) int {
		x, y := AddressOf(a), AddressOf(b)
		return bytes.Compare(x[:], y[:])
	})
	return out
}

// AddressOf is the engine's name for the holder of a vote key.
func AddressOf(v key.Verifier) Address {
	h := sha256.Sum256(v[:])
	return Address(h[:])
}

// ValidatorsHash is what a header says of a set of validators, in the engine's order.
func ValidatorsHash(set []key.Verifier) wire.Hash {
	leaves := make([][]byte, len(set))
	for i := range set {
		leaves[i] = proto(nil).message(1, proto(nil).bytes(1, set[i][:])).uint(2, Power)
	}
	return tree(leaves)
}

func timestamp(t time.Time) proto {
	return proto(nil).uint(1, uint64(t.Unix())).uint(2, uint64(t.Nanosecond()))
}

// blockID leaves the hashes of a zero id out.
func blockID(id BlockID) proto {
	if id == (BlockID{}) {
		return proto(nil).message(2, nil)
	}
	return proto(nil).bytes(1, id.Hash[:]).message(2, proto(nil).uint(1, uint64(id.Parts.Total)).bytes(2, id.Parts.Hash[:]))
}

// proto is a protobuf message in the making. Fields of value zero are left out, messages never.
type proto []byte

func (p proto) tag(field, kind uint64) proto { return binary.AppendUvarint(p, field<<3|kind) }

func (p proto) uint(field, x uint64) proto {
	if x == 0 {
		return p
	}
	return binary.AppendUvarint(p.tag(field, 0), x)
}

func (p proto) fixed(field, x uint64) proto {
	if x == 0 {
		return p
	}
	return binary.LittleEndian.AppendUint64(p.tag(field, 1), x)
}

func (p proto) bytes(field uint64, b []byte) proto {
	if len(b) == 0 {
		return p
	}
	return p.message(field, b)
}

func (p proto) message(field uint64, m []byte) proto {
	return append(binary.AppendUvarint(p.tag(field, 2), uint64(len(m))), m...)
}

// tree is the RFC 6962 root over leaves of any length.
func tree(leaves [][]byte) wire.Hash {
	switch n := len(leaves); n {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return sha256.Sum256(append([]byte{0}, leaves[0]...))
	default:
		k := 1
		for k*2 < n {
			k *= 2
		}
		left, right := tree(leaves[:k]), tree(leaves[k:])
		return sha256.Sum256(slices.Concat([]byte{1}, left[:], right[:]))
	}
}
