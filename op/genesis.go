package op

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf8"

	"vitalog/key"
	"vitalog/ticket"
	"vitalog/wire"
)

// Genesis is how a network begins. Its hash is the network's id for ever.
type Genesis struct {
	Version int      `json:"version"`
	Name    string   `json:"name"`
	Founded uint64   `json:"founded"` // Unix time, ms
	Params  Params   `json:"params"`
	Members []Member `json:"members"` // their order gives them their numbers
}

// Params are the network's settings. Zero values are replaced by DefaultParams when a genesis is made, never later.
type Params struct {
	CeremonyPhase uint64 `json:"ceremonyPhase"` // ms that each phase of a key ceremony may last
	LogOperations uint32 `json:"logOperations"` // operations per log and hour, and at once
	LogBytes      uint64 `json:"logBytes"`      // bytes of operations per log and hour, and at once
	LogsPerMember uint64 `json:"logsPerMember"` // tickets of one member that the ledger accepts
}

// DefaultParams are generous for a hospital's import and tight enough that one key can't fill the ledger.
var DefaultParams = Params{CeremonyPhase: 10_000, LogOperations: 20_000, LogBytes: 64 << 20, LogsPerMember: 100_000_000}

// MemberKind is what an organisation is.
type MemberKind string

const (
	Provider MemberKind = "provider"
	Pharmacy MemberKind = "pharmacy"
	Lab      MemberKind = "lab"
	Insurer  MemberKind = "insurer"
	Research MemberKind = "research"
	Registry MemberKind = "registry"
)

// Member is an organisation of the network. All of it is public.
type Member struct {
	Name      string       `json:"name"`
	Kind      MemberKind   `json:"kind"`
	Validator bool         `json:"validator"` // orders blocks, stores, holds a share of the network key
	Sign      key.Verifier `json:"sign"`      // signs ceremonies, introductions, provenance
	Exchange  []byte       `json:"exchange"`  // X-Wing, what is sealed to the member
	TLS       key.Verifier `json:"tls"`       // of its certificate
	Consensus key.Verifier `json:"consensus"` // signs votes
	Node      key.Verifier `json:"node"`      // of its peer-to-peer connections
	Tickets   ticket.Key   `json:"tickets"`   // issues admission tickets
	Endpoint  string       `json:"endpoint"`  // host:port for other members
	Peer      string       `json:"peer"`      // host:port of its peer-to-peer connections
}

// Encode is the canonical form that is hashed.
func (g *Genesis) Encode() []byte {
	var w wire.Writer
	w.U32(uint32(g.Version))
	w.Bytes([]byte(g.Name))
	w.U64(g.Founded)
	w.U64(g.Params.CeremonyPhase)
	w.U32(g.Params.LogOperations)
	w.U64(g.Params.LogBytes)
	w.U64(g.Params.LogsPerMember)
	w.U32(uint32(len(g.Members)))
	for i := range g.Members {
		m := &g.Members[i]
		w.Bytes([]byte(m.Name))
		w.Bytes([]byte(m.Kind))
		w.Bool(m.Validator)
		w.Fixed(m.Sign[:])
		w.Bytes(m.Exchange)
		w.Fixed(m.TLS[:])
		w.Fixed(m.Consensus[:])
		w.Fixed(m.Node[:])
		w.Bytes(m.Tickets)
		w.Bytes([]byte(m.Endpoint))
		w.Bytes([]byte(m.Peer))
	}
	return w.Done()
}

// Network is the id of the network that g founds.
func (g *Genesis) Network() key.Network {
	return key.Network(wire.Sum("vitalog/v1/genesis", g.Encode()))
}

// ChainID is the consensus engine's name for the network's first chain.
func (g *Genesis) ChainID() string {
	n := g.Network()
	return fmt.Sprintf("vitalog-%x", n[:8])
}

// Validators are the numbers of the members that order blocks. A member's place in it, plus one, is its share number.
func (g *Genesis) Validators() []int {
	var out []int
	for i := range g.Members {
		if g.Members[i].Validator {
			out = append(out, i)
		}
	}
	return out
}

// Threshold is how many of n validators must release, or agree: ⌊2n/3⌋+1.
func Threshold(n int) int { return 2*n/3 + 1 }

// ParseGenesis reads a genesis file and checks everything that can be checked without its history.
func ParseGenesis(b []byte) (*Genesis, error) {
	var g Genesis
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields() // a misspelt parameter would be another network
	if err := d.Decode(&g); err != nil {
		return nil, fmt.Errorf("genesis: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("genesis: %w", wire.ErrTrailing)
	}
	return &g, g.Check()
}

// Check tells what is wrong with g.
func (g *Genesis) Check() error {
	if g.Version != Version {
		return fmt.Errorf("genesis: format version %d, this program reads %d: use a newer program", g.Version, Version)
	}
	if g.Name == "" || len(g.Name) > MaxName || !utf8.ValidString(g.Name) {
		return fmt.Errorf("genesis: name of %d bytes, want 1 to %d", len(g.Name), MaxName)
	}
	if n := len(g.Members); n == 0 || n > MaxMembers {
		return fmt.Errorf("genesis: %d members, want 1 to %d", n, MaxMembers)
	}
	if len(g.Validators()) == 0 {
		return fmt.Errorf("genesis: no member is a validator")
	}
	if p := g.Params; p.CeremonyPhase == 0 || p.LogOperations == 0 || p.LogBytes == 0 || p.LogsPerMember == 0 {
		return fmt.Errorf("genesis: a parameter is zero")
	}
	seen := map[key.Verifier]string{}
	for i := range g.Members {
		m := &g.Members[i]
		if m.Name == "" || len(m.Name) > MaxName || !utf8.ValidString(m.Name) || len(m.Endpoint) > MaxEndpoint || len(m.Peer) > MaxEndpoint {
			return fmt.Errorf("genesis: member %d: name or endpoint missing or too long", i)
		}
		switch m.Kind {
		case Provider, Pharmacy, Lab, Insurer, Research, Registry:
		default:
			return fmt.Errorf("genesis: member %s: unknown kind %q", m.Name, m.Kind)
		}
		if _, err := key.ParseExchange(m.Exchange); err != nil {
			return fmt.Errorf("genesis: member %s: %w", m.Name, err)
		}
		if _, err := ticket.ParseKey(m.Tickets); err != nil {
			return fmt.Errorf("genesis: member %s: %w", m.Name, err)
		}
		for _, k := range []key.Verifier{m.Sign, m.TLS, m.Consensus, m.Node} {
			if !k.Sound() {
				return fmt.Errorf("genesis: member %s: %v is no key that only its holder can sign with", m.Name, k)
			}
			if other, dup := seen[k]; dup {
				return fmt.Errorf("genesis: members %s and %s have a key in common", other, m.Name)
			}
			seen[k] = m.Name
		}
	}
	return nil
}
