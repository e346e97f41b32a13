package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"vitalog/blobstore"
	"vitalog/grant"
	"vitalog/key"
	"vitalog/op"
	"vitalog/wire"
)

// purposeOf is the purpose for which v is this member's key of a log, or nothing. Keys are derived, so that nothing is kept of those to
// whom one was introduced: anybody may ask for an introduction.
func (m *Member) purposeOf(log key.Log, v key.Verifier) string {
	for _, p := range Purposes {
		if m.ring.Grantee(log, p).Public() == v {
			return p
		}
	}
	return ""
}

// isMail tells whether an entry may carry a message for this member: a grant to one of its keys, or a new epoch of a log in which one of
// its keys holds a grant.
func (m *Member) isMail(e *op.Entry) (bool, error) {
	switch s := e.Says.(type) {
	case *op.Grant:
		return s.Message != (wire.Hash{}) && m.purposeOf(e.Log, s.Key) != "", nil
	case *op.Rotate:
		if s.Mailbox == (wire.Hash{}) {
			return false, nil
		}
		head, err := m.node.Ledger().Head(e.Log)
		if err != nil || head == nil {
			return false, err
		}
		for _, p := range Purposes {
			v := m.ring.Grantee(e.Log, p).Public()
			for i := range head.Grants {
				if head.Grants[i].Key == v {
					return true, nil
				}
			}
		}
	}
	return false, nil
}

// acceptAll opens the messages for this member that entries name, and returns the entries whose message nobody has given yet. A message
// that does not open is left out for good: it would not open later either.
func (m *Member) acceptAll(ctx context.Context, mail []*op.Entry) (late []*op.Entry, err error) {
	if len(mail) == 0 {
		return nil, nil
	}
	var hashes []wire.Hash
	for _, e := range mail {
		hashes = append(hashes, messageOf(e))
	}
	within, cancel := context.WithTimeout(ctx, mailTime)
	defer cancel()
	_, _ = m.fetchBlobs(within, hashes) // what is missing shows below
	for _, e := range mail {
		sealed, err := m.store.Get(messageOf(e), op.MaxGrants*(op.MaxSealed+64))
		if errors.Is(err, blobstore.ErrCorrupt) {
			m.stumbled(messageOf(e))
		}
		if err != nil {
			late = append(late, e)
			continue
		}
		err = m.accept(e, sealed)
		if errors.Is(err, errMail) {
			m.log.Warn("mailbox", "log", e.Log.String(), "entry", e.Number, "err", err)
		} else if err != nil {
			return nil, err
		}
	}
	return late, ctx.Err()
}

// errMail is a message that does not open.
var errMail = errors.New("a message that does not open")

// messageOf is the hash of the message or the mailbox that an entry names.
func messageOf(e *op.Entry) wire.Hash {
	switch s := e.Says.(type) {
	case *op.Grant:
		return s.Message
	case *op.Rotate:
		return s.Mailbox
	}
	return wire.Hash{}
}

// accept opens what is for this member in one message or mailbox.
func (m *Member) accept(e *op.Entry, sealed []byte) error {
	if s, ok := e.Says.(*op.Grant); ok {
		return m.acceptMessage(e, m.purposeOf(e.Log, s.Key), sealed)
	}
	box, err := grant.DecodeMailbox(sealed)
	if err != nil {
		return fmt.Errorf("%w: %w", errMail, err)
	}
	own := map[key.Verifier]string{}
	for _, p := range Purposes {
		own[m.ring.Grantee(e.Log, p).Public()] = p
	}
	var errs []error
	for _, letter := range box.Letters {
		if purpose := own[letter.Key]; purpose != "" {
			errs = append(errs, m.acceptMessage(e, purpose, letter.Sealed))
		}
	}
	return errors.Join(errs...)
}

// acceptMessage notes what a grant message gives. It can be repeated. A chart keeps the inbox and the logs that it was first seen with: who
// knows its id can't slip a log of their own into it. The keys of a patient who claims the chart come by a log that is known.
func (m *Member) acceptMessage(e *op.Entry, purpose string, sealed []byte) error {
	msg, seeds, err := m.ring.AcceptGrant(e.Log, purpose, sealed)
	if err != nil {
		return fmt.Errorf("%w: %w", errMail, err)
	}
	err = m.index.update(msg.Patient, func(c *chartState) error {
		st := c.Sections[msg.Section]
		known := st != nil && st.Log == e.Log
		switch {
		case c.Inbox != (key.Log{}) && (c.Inbox != msg.Handle.Inbox || c.InboxKey != msg.Handle.Key && !known):
			return fmt.Errorf("%w: it is for a chart that another patient has", errMail)
		case st != nil && st.Log != e.Log:
			return fmt.Errorf("%w: the chart has another log for that section", errMail)
		case st == nil:
			st = &sectionState{Log: e.Log}
			c.Sections[msg.Section] = st
		}
		if !msg.Custodial || !st.OwnerLock { // a custodian's letter that comes late changes nothing
			c.Inbox, c.InboxKey = msg.Handle.Inbox, msg.Handle.Key
			st.Owner, st.OwnerLock = msg.Owner[:], !msg.Custodial
		}
		if !slices.Contains(st.Purposes, msg.Purpose) {
			st.Purposes = append(st.Purposes, msg.Purpose)
		}
		if len(seeds) > 0 && !slices.Contains(st.Taken, e.Number) {
			st.Seeds, st.Taken = append(st.Seeds, seeds), append(st.Taken, e.Number)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return m.forget(msg.Patient)
}
