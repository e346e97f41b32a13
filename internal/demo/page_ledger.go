package demo

import (
	"context"
	"errors"
	"time"

	"vitalog/consent"
	"vitalog/key"
	"vitalog/ledger"
	"vitalog/op"
	"vitalog/section"
)

// block is one of the ledger's, with what everybody can read in it and, beside it, what only Maria's keys can tell.
type block struct {
	Height  uint64    `json:"height"`
	At      time.Time `json:"at"`
	Signed  int       `json:"signed"` // validators, of
	Of      int       `json:"of"`
	Entries []said    `json:"entries"`
	More    int       `json:"more"` // entries that are not shown
}

// said is one entry.
type said struct {
	What string `json:"what"`
	Log  string `json:"log"`
	Key  string `json:"key"`  // that signed it
	Mark string `json:"mark"` // refused or nothing
	Hers string `json:"hers"` // which of Maria's logs it is; empty: not hers
	By   string `json:"by"`   // who is behind the key
}

const (
	shownEntries = 2   // of a block
	farBack      = 200 // blocks that are looked through for some with entries
)

// follow shows the blocks of St. Elena's own copy of the ledger, as they come.
func (p *Page) follow() {
	chain := p.d.Node(StElena).Chain
	news := make(chan struct{}, 1)
	defer chain.Subscribe(func(*ledger.Block) {
		select {
		case news <- struct{}{}:
		default:
		}
	})()
	next := p.first(chain.Ledger())
	for {
		for ; next <= chain.Ledger().Height(); next++ {
			if err := p.show(next); err != nil && p.ctx.Err() == nil {
				p.d.log.Warn("the page shows a block less", "block", next, "err", err)
			}
		}
		select {
		case <-news:
		case <-p.ctx.Done():
			return
		}
	}
}

// first is the block from which on the page shows some that have entries.
func (p *Page) first(l *ledger.Ledger) uint64 {
	height, found := l.Height(), 0
	for n := 0; n < farBack && height > 1 && found < shownFrom; n++ {
		some := errors.New("some")
		if l.BlockEntries(height, func(e *op.Entry) error {
			if p.receipts[e.Log] {
				return nil
			}
			return some
		}) != nil {
			found++
		}
		height--
	}
	return height + 1
}

// show adds a block, unless it has no entries, as proof blocks have none, or nothing but members' storage receipts.
func (p *Page) show(height uint64) error {
	chain := p.d.Node(StElena).Chain
	b := block{Height: height}
	var first *op.Entry
	err := chain.Ledger().BlockEntries(height, func(e *op.Entry) error {
		if p.receipts[e.Log] {
			return nil
		}
		if first == nil {
			first = e
			b.At = time.UnixMilli(int64(e.At)).UTC()
		}
		if len(b.Entries) == shownEntries {
			b.More++
			return nil
		}
		b.Entries = append(b.Entries, p.read(e))
		return nil
	})
	if err != nil || first == nil {
		return err
	}
	r, err := chain.Receipt(p.ctx, first.Log, first.Number)
	if err != nil {
		return err
	}
	v, err := r.Verify(p.do.w.Genesis)
	if err != nil {
		return err
	}
	b.Signed, b.Of = v.Signed, v.Of
	p.change(func() {
		p.blocks = append(p.blocks[max(0, len(p.blocks)-shownMost+1):len(p.blocks):len(p.blocks)], b)
	})
	return nil
}

// read says what stands in an entry.
func (p *Page) read(e *op.Entry) said {
	s := said{Log: shorten(e.Log), Key: shorten(e.Signer)}
	s.What, s.Mark = what(e.Says)
	for _, x := range section.All() {
		if p.do.keys.Log(x) == e.Log {
			s.Hers = word(x)
			s.By = p.signer(p.ctx, e.Log, e.Signer)
		}
	}
	for _, m := range p.do.w.Genesis.Members {
		if op.AnchorLog(p.do.w.Genesis.Network(), m.Sign) == e.Log {
			s.By = m.Name
		}
	}
	return s
}

// what puts a statement into words.
func what(s op.Statement) (text, mark string) {
	switch x := s.(type) {
	case *op.Create:
		return "A log begins", ""
	case *op.Recorded:
		return "A sealed record", ""
	case *op.Grant:
		return "A grant", ""
	case *op.Revoke:
		return "A grant ends", ""
	case *op.Rotate:
		return "A new reader key", ""
	case *op.Post:
		return "A sealed message", ""
	case *op.Anchor:
		return "A release of the app", ""
	case *op.Accessed:
		switch {
		case x.Why != consent.Allowed:
			return "Access refused: " + x.Why.String(), "refused"
		case x.Further:
			return "Further use", "allowed"
		}
		return "Access allowed", "allowed"
	}
	return s.Kind().String(), ""
}

// signer is who is behind a key in one of Maria's logs, which only she can tell.
func (p *Page) signer(ctx context.Context, log key.Log, v key.Verifier) string {
	for _, s := range section.All() {
		if p.do.keys.Log(s) == log && p.do.keys.Owner(s).Public() == v {
			return "Maria"
		}
	}
	p.names.Lock()
	defer p.names.Unlock()
	if p.names.of[v] == "" {
		all, err := p.do.maria.Sharing(ctx)
		if err != nil {
			p.d.log.Warn("the page can't tell who signed", "err", err)
		}
		for _, g := range all {
			switch {
			case g.Device != "":
				p.names.of[g.Key] = "Maria's " + g.Device
			case g.Member >= 0:
				p.names.of[g.Key] = p.d.State.Members[g.Member].Title
			}
		}
		if p.names.of[v] == "" { // of a post: whoever sent it says so in the sealed message
			p.names.of[v] = "a key used once"
		}
	}
	return p.names.of[v]
}
