package grant

import (
	"fmt"
	"io"
	"log/slog"

	"vitalog/key"
	"vitalog/op"
	"vitalog/wire"
)

const (
	claimInfo     = "vitalog/v1/claim"
	handedInfo    = "vitalog/v1/claim/answer"
	secretOfCard  = "vitalog/v1/claim-secret"
	handedMessage = "answer to a claim"
)

// Claim is what a patient's app asks a custodian with a card: to be handed the root in custody. It holds the card's secret.
type Claim struct {
	_      [0]func()
	Chart  string        // id of the chart, a UUID
	Reply  *key.Exchange // what the answer is sealed to: the first that comes is the only one
	Digest wire.Hash     // of the sealed claim, which the answer is bound to; set by Seal and OpenClaim
	secret [16]byte
}

// NewClaim asks with a card.
func NewClaim(c *ClaimCard, reply *key.Exchange) *Claim {
	return &Claim{Chart: c.Chart, Reply: reply, secret: c.secret}
}

// Card is what the custodian keeps of the card with this secret.
func (c *Claim) Card() wire.Hash {
	chart, _ := chartBytes(c.Chart) // it was read when the claim was made
	return wire.Sum(secretOfCard, chart[:], c.secret[:])
}

// Seal seals the claim to the custodian, who is the member of that number.
func (c *Claim) Seal(to *key.Exchange, network key.Network, member uint16) ([]byte, error) {
	chart, err := chartBytes(c.Chart)
	if err != nil {
		return nil, err
	}
	var w wire.Writer
	w.U8(Version)
	w.Fixed(chart[:])
	w.Fixed(c.secret[:])
	w.Fixed(c.Reply[:])
	sealed, err := seal(to, claimInfo, claimContext(network, member), w.Done())
	c.Digest = blobHash(sealed)
	return sealed, err
}

// OpenClaim opens a claim that was sealed to the member of that number.
func OpenClaim(o key.Opener, network key.Network, member uint16, sealed []byte) (*Claim, error) {
	b, err := open(o, claimInfo, claimContext(network, member), sealed)
	if err != nil {
		return nil, fmt.Errorf("claim: %w", err)
	}
	r := wire.NewReader(b)
	readVersion(r)
	c := &Claim{Digest: blobHash(sealed)}
	var chart [16]byte
	r.Fixed(chart[:])
	r.Fixed(c.secret[:])
	reply := r.Take(key.ExchangeSize)
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("claim: %w", err)
	}
	c.Chart = chartText(chart)
	if c.Reply, err = key.ParseExchange(reply); err != nil {
		return nil, fmt.Errorf("claim: %w", err)
	}
	return c, nil
}

func claimContext(network key.Network, member uint16) []byte {
	var w wire.Writer
	w.Fixed(network[:])
	w.U16(member)
	return w.Done()
}

// Format keeps the secret out of text.
func (*Claim) Format(f fmt.State, _ rune) { io.WriteString(f, "(claim)") }

// LogValue keeps it out of logs.
func (*Claim) LogValue() slog.Value { return slog.StringValue("(claim)") }

// Outcome is what became of a claim.
type Outcome uint8

// Outcomes are permanent.
const (
	Handed  Outcome = 0 // the root comes with it
	NotGood Outcome = 1 // the card opens nothing here: one answer for every why
	Used    Outcome = 2 // somebody came with it before
	Later   Outcome = 3 // too many wrong codes within the hour
)

func (o Outcome) String() string {
	switch o {
	case Handed:
		return "handed over"
	case NotGood:
		return "the card is not good"
	case Used:
		return "the card was used"
	case Later:
		return "too many wrong codes"
	}
	return fmt.Sprintf("outcome %d", uint8(o))
}

// Answered seals the answer to a claim: the root if it is Handed, else zero. The root is not kept.
func (c *Claim) Answered(network key.Network, sign key.Signer, o Outcome, root [32]byte) ([]byte, error) {
	var w wire.Writer
	w.U8(Version)
	w.U8(uint8(o))
	w.Fixed(root[:])
	d := c.handed(network, w.Done())
	sig := sign.Sign(d[:])
	w.Fixed(sig[:])
	defer clear(w.Done())
	return seal(c.Reply, handedInfo, concat(network[:], c.Digest[:]), w.Done())
}

// OpenAnswered opens the answer to a claim that Seal has sealed, and checks that the custodian has signed it.
func (c *Claim) OpenAnswered(o key.Opener, g *op.Genesis, member uint16, sealed []byte) (out Outcome, root [32]byte, err error) {
	network := g.Network()
	b, err := open(o, handedInfo, concat(network[:], c.Digest[:]), sealed)
	if err != nil {
		return 0, root, fmt.Errorf("%s: %w", handedMessage, err)
	}
	defer clear(b)
	r := wire.NewReader(b)
	readVersion(r)
	out = Outcome(r.U8())
	r.Fixed(root[:])
	var sig key.Signature
	r.Fixed(sig[:])
	if r.Err() == nil && (out > Later || (out == Handed) == (root == [32]byte{})) {
		r.Fail(fmt.Errorf("%v, and a root or none: %w", out, wire.ErrNonCanonical))
	}
	sign, keyErr := memberKey(g, member)
	if r.Err() == nil && keyErr != nil {
		r.Fail(keyErr)
	}
	if err := r.End(); err != nil {
		return 0, [32]byte{}, fmt.Errorf("%s: %w", handedMessage, err)
	}
	if d := c.handed(network, b[:len(b)-len(sig)]); !sign.Verify(d[:], sig) {
		return 0, [32]byte{}, fmt.Errorf("%s: %w", handedMessage, op.ErrSignature)
	}
	return out, root, nil
}

func (c *Claim) handed(network key.Network, unsigned []byte) wire.Hash {
	return wire.Sum(handedInfo, network[:], c.Digest[:], unsigned)
}
