package release

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"vitalog/envelope"
	"vitalog/key"
	"vitalog/op"
)

// Client is the reader's side: it asks k holders, combines what they give, and opens the readers' locks with it.
// It is safe for concurrent use once its fields are set.
type Client struct {
	// First are members to ask before others, the own one for instance. The others follow in random order.
	First []int
	// Hedge is how long the holders may take before one more is asked. 0: DefaultHedge, and a millisecond for each record; longer, up to
	// tenfold, where the holders as a whole were slow lately.
	Hedge time.Duration

	genesis *op.Genesis
	network key.Network
	calls   Caller
	pace    pace
}

// NewClient reads through calls.
func NewClient(g *op.Genesis, calls Caller) *Client {
	return &Client{genesis: g, network: g.Network(), calls: calls}
}

// DefaultHedge is well above a round trip between members.
const DefaultHedge = 100 * time.Millisecond

// Access is a committed access of the reader's.
type Access struct {
	Entry   *op.Entry  // says op.Accessed
	Detail  []byte     // as sealed to the log's owner
	Session key.Opener // of the key whose hash the access names
}

// Want is one record that the access names.
type Want struct {
	Entry  *op.Entry // says op.Recorded
	Header *envelope.Header
	Epoch  uint32          // of the reader's lock to use
	Reader key.Opener      // that epoch's key
	Author envelope.Author // who reads its kept copy, by the author's lock instead of a reader's; nil: a reader
}

// Opened is what became of one want: a secret, or why there is none.
type Opened struct {
	Secret *envelope.Secret
	Err    error
}

// Incident names a member that gave a partial which its share can't have made. That is a fault or a fraud, and never the reader's.
type Incident struct {
	Member int
	Log    key.Log
	Entry  uint64 // the first whose partial was seen to be wrong; others may be
}

// ErrAltered says that a record's header is not the one that the ledger committed, or that its locks don't open it: ask another member
// for the header.
var ErrAltered = errors.New("header altered")

// ErrShort says that fewer holders than needed gave their part of a record's key.
var ErrShort = errors.New("too few holders released")

// Short is ErrShort with what each holder said. It unwraps to their refusals, *peer.Error among them.
type Short struct {
	Gave, Need int
	Refusals   []error
}

func (e *Short) Error() string {
	s := fmt.Sprintf("%v: %d of %d", ErrShort, e.Gave, e.Need)
	for _, r := range e.Refusals {
		s += "\n" + r.Error()
	}
	return s
}

// Unwrap lets errors.Is find ErrShort and errors.As the holders' refusals.
func (e *Short) Unwrap() []error { return append([]error{ErrShort}, e.Refusals...) }

// Open has the records of an access released and returns one result for each want, in their order. A record that fails, fails alone: its
// header was altered, or it was erased meanwhile. err is not nil if ctx ended or fewer holders than needed gave anything; it unwraps to
// ErrShort and to what they said. keyOf looks up a generation of the network key, nil if there is none.
func (c *Client) Open(ctx context.Context, keyOf func(gen uint32) *op.NetworkKey, a Access, wants []Want) ([]Opened, []Incident, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // holders that were hedged against are not waited for
	g := newGathering(c, a, wants, keyOf)
	err := parallel(ctx, len(g.records), func(i int) error { g.records[i].check(a.Entry.Log, c.network); return nil })
	if err == nil {
		err = g.run(ctx)
	} else {
		err = g.finish(err)
	}
	out := make([]Opened, len(wants))
	for i, r := range g.records {
		out[i] = r.out
	}
	return out, g.incidents, err
}

// order lists holders in the order in which they are asked.
func (c *Client) order(holders []int) []int {
	rand.Shuffle(len(holders), func(i, j int) { holders[i], holders[j] = holders[j], holders[i] })
	slices.SortStableFunc(holders, func(x, y int) int { return c.rank(x) - c.rank(y) })
	return holders
}

func (c *Client) rank(member int) int {
	if i := slices.Index(c.First, member); i >= 0 {
		return i
	}
	return len(c.First)
}

// ask gets one holder's partials for some entries, by generation.
func (c *Client) ask(ctx context.Context, a *Access, entries []uint64, member int) ([]group, error) {
	q := Request{Log: a.Entry.Log, Number: a.Entry.Number, Session: *a.Session.Exchange(), Detail: a.Detail, Entries: entries}
	if own, ok := c.calls.(near); ok && member == own.s.member {
		_, groups, err := own.s.give(ctx, &q)
		return groups, err
	}
	raw, err := c.calls.Call(ctx, member, "release", q.Encode())
	if err != nil {
		return nil, err
	}
	reply, err := DecodeReply(raw)
	if err != nil {
		return nil, err
	}
	access, out := a.Entry.Hash(), make([]group, len(reply.Groups))
	for i := range reply.Groups {
		x := &reply.Groups[i]
		given, err := x.Open(a.Session, access, member)
		if err != nil {
			return nil, err
		}
		out[i] = group{x.Gen, x.Set, given}
	}
	return out, nil
}
