package exchange

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"vitalog/grant"
	"vitalog/key"
	"vitalog/ledger"
	"vitalog/op"
	"vitalog/section"
	"vitalog/wire"
)

// A request is answered by a post into the same inbox that it was posted to: to all but the two it is one more post.

// Answer tells who asked what became of a request: what the grants give, and that the patient gives no more of what was asked for. It is ErrConflict if it
// was told before.
//
// Crash points: the note is on the ledger before the post, so that the inbox knows which post is the patient's own; the same again posts what the note
// has the hash of.
func (p *Patient) Answer(ctx context.Context, w Wished, granted []Shared, words string) error {
	log := p.keys.Log(section.Inbox)
	told, err := p.answers(ctx)
	if err != nil {
		return err
	}
	answer, again := told[w.ID]
	if !again {
		if answer, err = p.sealAnswer(ctx, w, granted, words); err != nil {
			return err
		}
		if err := p.write(ctx, note{Answer: &answer}); err != nil {
			return err
		}
	}
	entries, err := p.entries(ctx, log)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if post, ok := e.Says.(*op.Post); ok && post.Message == answer.Message {
			return fmt.Errorf("request %x was answered: %w", w.ID, ErrConflict)
		}
	}
	if err := post(ctx, p.home, log, answer.Message, answer.Size); err != nil {
		return fmt.Errorf("posting the answer: %w", err)
	}
	return nil
}

func (p *Patient) sealAnswer(ctx context.Context, w Wished, granted []Shared, words string) (answered, error) {
	a := grant.Answer{Request: w.ID, Note: words}
	for _, g := range granted {
		if !slices.ContainsFunc(a.Granted, func(x grant.Given) bool { return x.Section == g.Section }) {
			a.Granted = append(a.Granted, grant.Given{Section: g.Section, Log: g.Log, Entry: g.Entry})
		}
	}
	slices.SortFunc(a.Granted, func(x, y grant.Given) int { return int(x.Section) - int(y.Section) })
	for _, s := range w.Sections {
		if !slices.ContainsFunc(a.Granted, func(x grant.Given) bool { return x.Section == s }) {
			a.Denied = append(a.Denied, s)
		}
	}
	to, err := key.ParseExchange(p.home.Genesis().Members[w.Member].Exchange)
	if err != nil {
		return answered{}, err
	}
	sealed, err := a.Seal(to, p.keys.Owner(section.Inbox), p.network, p.keys.Log(section.Inbox))
	if err != nil {
		return answered{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	h, err := p.home.PutBlob(ctx, sealed)
	if err != nil {
		return answered{}, fmt.Errorf("storing the answer: %w", err)
	}
	return answered{Request: w.ID, Granted: len(a.Granted) > 0, Message: h, Size: uint32(len(sealed))}, nil
}

// answers are the notes about requests that the patient answered.
func (p *Patient) answers(ctx context.Context) (map[grant.RequestID]answered, error) {
	out := map[grant.RequestID]answered{}
	_, err := p.notes(ctx, func(n *note, _ Placed) error {
		if n.Answer != nil {
			out[n.Answer.Request] = *n.Answer
		}
		return nil
	})
	return out, err
}

// post puts a message that the home member has into an inbox, under a key that nobody will see again.
func post(ctx context.Context, home Home, inbox key.Log, message wire.Hash, size uint32) error {
	once := freshSigner()
	t, err := buyTicket(ctx, home, op.PostSubject(inbox, once.Public()))
	if err != nil {
		return err
	}
	_, err = submitAll(ctx, home, op.Sign(home.Genesis().Network(), once, inbox, expiry(), &op.Post{Message: message, Size: size, Ticket: *t}))
	return err
}

// requestState is what a member keeps of a request of its own.
type requestState struct {
	ID      grant.RequestID
	To      grant.Handle
	Chart   string `json:",omitempty"`
	Purpose string
	Wish    Wish
	At      uint64        // ms
	From    uint64        // entries of the inbox among which there is no answer
	Answer  *grant.Answer `json:",omitempty"`
}

// Asked is a request of this member's, and what became of it.
type Asked struct {
	ID      grant.RequestID
	Chart   string // "" where it isn't known
	Purpose string
	Wish    Wish
	At      time.Time
	Answer  *grant.Answer // nil: none has come yet
	Granted []Shared      // by the answer, as far as the grants have come here
}

func requestKey(x *index, id grant.RequestID) []byte {
	return x.name("q", "request", hex.EncodeToString(id[:]))
}

func (x *index) keepRequest(q *requestState) error {
	put, err := x.seal(requestKey(x, q.ID), q)
	if err != nil {
		return err
	}
	if err := x.db.Write([]ledger.Change{put}); err != nil {
		return fmt.Errorf("member's index: %w", err)
	}
	return nil
}

// Asked looks what became of a request of this member's. It is ErrNotShared if there was none of that id.
func (m *Member) Asked(ctx context.Context, id grant.RequestID) (*Asked, error) {
	q := &requestState{}
	found, err := m.index.load(requestKey(m.index, id), q)
	if err == nil && !found {
		err = ErrNotShared
	}
	if err != nil {
		return nil, err
	}
	return m.asked(ctx, q)
}

// AllAsked are this member's requests to the patient of a chart.
func (m *Member) AllAsked(ctx context.Context, chartID string) ([]*Asked, error) {
	c, err := m.index.chart(chartID)
	if err != nil || c == nil {
		return nil, err
	}
	var all []*requestState
	err = m.index.db.Scan([]byte("q"), []byte("r"), func(k, v []byte) error {
		q := &requestState{}
		if err := m.index.unseal(k, v, q); err != nil {
			return err
		}
		if q.Chart == chartID || q.To.Inbox == c.Inbox {
			all = append(all, q)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b *requestState) int { return int(int64(a.At) - int64(b.At)) })
	var out []*Asked
	for _, q := range all {
		a, err := m.asked(ctx, q)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

func (m *Member) asked(ctx context.Context, q *requestState) (*Asked, error) {
	if q.Answer == nil {
		if err := m.lookForAnswer(ctx, q); err != nil {
			return nil, err
		}
	}
	if q.Answer != nil && len(q.Answer.Granted) > 0 && q.Chart == "" {
		if err := m.placeRequest(q); err != nil {
			return nil, err
		}
	}
	out := &Asked{ID: q.ID, Chart: q.Chart, Purpose: q.Purpose, Wish: q.Wish, At: time.UnixMilli(int64(q.At)), Answer: q.Answer}
	if q.Answer == nil || q.Chart == "" {
		return out, nil
	}
	shared, err := m.SharedWith(q.Chart)
	if errors.Is(err, ErrNotShared) {
		return out, nil
	}
	for _, s := range shared {
		if slices.Contains(q.Answer.Granted, grant.Given{Section: s.Section, Log: s.Log, Entry: s.Entry}) {
			out.Granted = append(out.Granted, s)
		}
	}
	return out, err
}

// lookForAnswer tries the posts that came into the inbox since the request. Only the answer opens with this member's key, and only if the inbox's owner has
// signed it. What was tried is not tried again.
func (m *Member) lookForAnswer(ctx context.Context, q *requestState) error {
	head, err := m.node.Ledger().Head(q.To.Inbox)
	if err != nil || head == nil || q.From >= head.Size {
		return err
	}
	var posts []*op.Entry
	err = m.node.Ledger().Entries(q.To.Inbox, q.From, head.Size, func(e *op.Entry) error {
		if _, ok := e.Says.(*op.Post); ok {
			posts = append(posts, e)
		}
		return nil
	})
	if err != nil {
		return err
	}
	next := head.Size
	for _, e := range posts {
		sealed, err := m.Blob(ctx, e.Says.(*op.Post).Message)
		if err != nil && !errors.Is(err, ErrNotShared) {
			return err
		}
		if err != nil {
			next = min(next, e.Number) // nobody has it yet
			continue
		}
		for _, owner := range head.Owners {
			if a, err := grant.OpenAnswer(m.ring.Exchange(), m.network, q.To.Inbox, owner, sealed); err == nil && a.Request == q.ID {
				q.Answer = a
				return m.index.keepRequest(q)
			}
		}
	}
	if next == q.From {
		return nil
	}
	q.From = next
	return m.index.keepRequest(q)
}

// placeRequest finds the chart that a request by card was about, once grants have come.
func (m *Member) placeRequest(q *requestState) error {
	ids, err := m.index.ids()
	if err != nil {
		return err
	}
	for _, id := range ids {
		c, err := m.index.chart(id)
		if err != nil {
			return err
		}
		if c != nil && c.Inbox == q.To.Inbox {
			q.Chart = id
			return m.index.keepRequest(q)
		}
	}
	return nil
}
