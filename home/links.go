package home

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"vitalog/consent"
	"vitalog/exchange"
	"vitalog/grant"
	"vitalog/key"
	"vitalog/keyring"
	"vitalog/kv"
	"vitalog/ledger"
	"vitalog/op"
	"vitalog/wire"
)

// Limits of health links (spec/health-links.md).
const (
	maxWrong       = 5 // passcodes of one link, over its whole life
	maxLinksOfLog  = 32
	maxBytesOfLog  = 16 << 20
	maxLinkBytes   = 2 << 30 // of all links
	maxLinkUses    = 1000
	maxLinkLasts   = 90 * 24 * time.Hour
	linkPerMinute  = 30               // calls for one link
	linkPatience   = 30 * time.Second // how long an opening waits for those before it, and for its block
	maxFetches     = 1024
	fetchTime      = 10 * time.Minute
	sweepLinks     = time.Hour
	linkPurpose    = "PATRQT"
	noGrant        = math.MaxUint64 // a number that no grant has
	wrongPasscode  = "wrong passcode"
	linkStateStart = "s"
	linkFileStart  = "f"
)

var (
	errGone = errors.New("not there, or no longer")
	errFull = fmt.Errorf("no room for more health links: %w", errBusy)
)

// wrong tells how many more wrong passcodes a link takes.
type wrong struct{ left int }

func (w wrong) Error() string { return fmt.Sprintf("wrong passcode, %d are left", w.left) }

// Links keeps the health links of patients and hands out what is in them: each opening is on the ledger before it does. It can't read them. On
// the disk they are sealed by the keyring:
//
//	s NameLocal("health-link", id) → state
//	f NameLocal("health-link", id) → the JWE
type Links struct {
	home exchange.Home
	ring *keyring.Ring
	db   *kv.DB
	base string
	log  *slog.Logger

	putting sync.Mutex // links are taken by one at a time

	mu      sync.Mutex // of what follows
	byID    map[wire.Hash]*link
	bytes   int64
	fetches map[wire.Hash]fetch // by the hash of a location's token
}

// link is one of them.
type link struct {
	*grant.Link
	state linkState
	turn  chan struct{} // held by the one opening that is worked on; guards state.wrong
	pace  budget
}

// fetch is a file that may be got once, for an opening that is on the ledger.
type fetch struct {
	link  wire.Hash
	until time.Time
}

// OpenLinks reads the links that the last run kept. base is the member's address without slash at the end.
func OpenLinks(home exchange.Home, ring *keyring.Ring, db *kv.DB, base string, log *slog.Logger) (*Links, error) {
	l := &Links{home: home, ring: ring, db: db, base: base + LinkPrefix, log: log, byID: map[wire.Hash]*link{}, fetches: map[wire.Hash]fetch{}}
	err := db.Scan([]byte(linkStateStart), []byte{linkStateStart[0] + 1}, func(k, v []byte) error {
		plain, err := ring.OpenLocal(k, v)
		if err != nil {
			return fmt.Errorf("a health link: %w", err)
		}
		s, err := decodeLinkState(plain)
		if err != nil {
			return err
		}
		return l.take(s)
	})
	return l, err
}

// take adds a link that is durable.
func (l *Links) take(s *linkState) error {
	g, err := grant.OpenLink(l.ring.Exchange(), l.home.Genesis().Network(), s.log, s.key, s.message)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.byID[g.ID] = &link{Link: g, state: *s, turn: make(chan struct{}, 1), pace: budget{limit: linkPerMinute}}
	l.bytes += int64(g.Size)
	return nil
}

func (l *Links) key(start string, id wire.Hash) []byte {
	name := l.ring.NameLocal("health-link", id[:])
	return append([]byte(start), name[:]...)
}

// put keeps a link whose grant is on the ledger: what the patient signed there says that it is wanted.
func (l *Links) put(ctx context.Context, log key.Log, number uint64, file []byte) error {
	entries, err := l.home.Entries(ctx, log, number, number+1)
	if err != nil {
		return err
	}
	if len(entries) != 1 {
		return exchange.ErrNotShared
	}
	g, ok := entries[0].Says.(*op.Grant)
	if !ok {
		return exchange.ErrNotShared
	}
	t, now := g.Terms, time.Now()
	switch {
	case t.Rights != consent.Read, len(t.Ranges) != 1, t.Ranges[0].To != t.Ranges[0].From+1, t.From != 0:
		return invalid{errors.New("a health link's grant is for one entry, to read, from now on")}
	case t.Until == 0, t.Until > uint64(now.Add(maxLinkLasts).UnixMilli()), t.Uses == 0, t.Uses > maxLinkUses:
		return invalid{fmt.Errorf("a health link ends within %v and after at most %d uses", maxLinkLasts, maxLinkUses)}
	}
	message, err := l.home.Blob(ctx, g.Message)
	if err != nil {
		return err
	}
	x, err := grant.OpenLink(l.ring.Exchange(), l.home.Genesis().Network(), log, t.Key, message)
	if err != nil {
		return invalid{err}
	}
	if len(file) != int(x.Size) || sha256.Sum256(file) != x.File {
		return invalid{errors.New("the file is not the one that the grant's message names")}
	}
	s := &linkState{log: log, grant: number, key: t.Key, message: message}
	if _, why, err := l.decide(ctx, s); err != nil || why != consent.Allowed {
		return errors.Join(err, exchange.ErrNotShared)
	}
	l.putting.Lock()
	defer l.putting.Unlock()
	if known, err := l.room(x); known || err != nil {
		return err
	}
	if err := l.db.Write([]kv.Change{l.change(x.ID, s), {Key: l.key(linkFileStart, x.ID), Value: l.ring.SealLocal(x.ID[:], file)}}); err != nil {
		return fmt.Errorf("keeping a health link: %w", err)
	}
	return l.take(s)
}

// room tells whether a link is kept already, and fails where there is none for it.
func (l *Links) room(x *grant.Link) (known bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.byID[x.ID] != nil {
		return true, nil
	}
	count, bytes := 0, int64(x.Size)
	for _, other := range l.byID {
		if other.Log == x.Log {
			count++
			bytes += int64(other.Size)
		}
	}
	if count >= maxLinksOfLog || bytes > maxBytesOfLog || l.bytes+int64(x.Size) > maxLinkBytes {
		return false, errFull
	}
	return false, nil
}

func (l *Links) change(id wire.Hash, s *linkState) kv.Change {
	k := l.key(linkStateStart, id)
	return kv.Change{Key: k, Value: l.ring.SealLocal(k, s.encode())}
}

// decide asks the own ledger's newest state as the validators would.
func (l *Links) decide(ctx context.Context, s *linkState) ([]consent.Range, consent.Reason, error) {
	head, err := l.home.Head(ctx, s.log)
	if err != nil {
		return nil, 0, err
	}
	grants := head.Terms()
	g := consent.Find(grants, s.grant)
	if g == nil {
		return nil, consent.NoGrant, nil
	}
	_, why := consent.Decide(grants, head.Erased, consent.Request{Key: s.key, Grant: s.grant, Right: consent.Read, Ranges: g.Ranges, Now: uint64(time.Now().UnixMilli())})
	return g.Ranges, why, nil
}

// open has an opening by somebody who says who they are on the ledger, and only then gives the JWE.
//
// Crash points: a wrong passcode is counted before anything is said. After the access is committed and before the answer is there, a trace stands of a
// reading that did not take place.
func (l *Links) open(ctx context.Context, id wire.Hash, recipient, passcode string) ([]byte, error) {
	x := l.find(id)
	if x == nil {
		return nil, errGone
	}
	if !x.pace.take(1) {
		return nil, errBusy
	}
	ctx, cancel := context.WithTimeout(ctx, linkPatience)
	defer cancel()
	select {
	case x.turn <- struct{}{}:
		defer func() { <-x.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	ranges, why, err := l.decide(ctx, &x.state)
	if err != nil {
		return nil, err
	}
	if why != consent.Allowed || x.state.wrong >= maxWrong {
		return nil, errGone
	}
	if passcode == "" {
		return nil, wrong{maxWrong - int(x.state.wrong)}
	}
	if !x.Opens(passcode) {
		x.state.wrong++
		if err := l.db.Write([]kv.Change{l.change(id, &x.state)}); err != nil {
			return nil, fmt.Errorf("counting a wrong passcode: %w", err)
		}
		if _, err := l.trace(ctx, x, noGrant, ranges, grant.Detail{Name: recipient, Reason: wrongPasscode}); err != nil {
			return nil, err
		}
		return nil, wrong{maxWrong - int(x.state.wrong)}
	}
	file, err := l.file(id)
	if err != nil {
		return nil, err
	}
	why, err = l.trace(ctx, x, x.state.grant, ranges, grant.Detail{Name: recipient})
	if err != nil {
		return nil, err
	}
	if why != consent.Allowed {
		return nil, errGone
	}
	return file, nil
}

func (l *Links) find(id wire.Hash) *link {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.byID[id]
}

func (l *Links) file(id wire.Hash) ([]byte, error) {
	sealed, err := l.db.Get(l.key(linkFileStart, id))
	if err != nil {
		return nil, err
	}
	if sealed == nil {
		return nil, errGone
	}
	return l.ring.OpenLocal(id[:], sealed)
}

// trace puts an access on the ledger, with what the patient is told of it, and tells what was decided when that is committed.
func (l *Links) trace(ctx context.Context, x *link, number uint64, ranges []consent.Range, d grant.Detail) (consent.Reason, error) {
	network, by := l.home.Genesis().Network(), x.Key()
	access := &op.Access{Grant: number, Ranges: ranges}
	_, _ = rand.Read(access.Session[:]) // it never fails
	d.Machine, d.Member, d.Purpose = true, uint16(l.home.Issuer()), linkPurpose
	sealed, err := d.Seal(&x.Owner, l.ring.Member(), grant.Use{Network: network, Log: x.Log, Session: access.Session, Grantee: by.Public()})
	if err != nil {
		return 0, err
	}
	if access.Detail, err = l.home.PutBlob(ctx, sealed); err != nil {
		return 0, fmt.Errorf("storing an access detail: %w", err)
	}
	o := op.Sign(network, by, x.Log, uint64(time.Now().Add(linkPatience).UnixMilli()), access)
	results, err := l.home.Submit(ctx, o)
	if err != nil {
		return 0, err
	}
	switch r := results[0]; {
	case r.Code == ledger.Quota:
		return 0, errBusy
	case r.Code == ledger.NotGranted:
		return consent.NoGrant, nil
	case r.Err() != nil:
		return 0, r.Err()
	case r.Count == 0: // refused, and counted with others of this hour
		return consent.NoGrant, nil
	default:
		e, err := l.home.Entries(ctx, x.Log, r.First, r.First+1)
		if err != nil || len(e) != 1 {
			return 0, errors.Join(err, fmt.Errorf("entry %d of %v is not there", r.First, x.Log))
		}
		return e[0].Says.(*op.Accessed).Why, nil
	}
}

// later lets a file be got once within ten minutes, by the token that it returns.
func (l *Links) later(id wire.Hash) (token [32]byte, err error) {
	_, _ = rand.Read(token[:]) // it never fails
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for k, f := range l.fetches {
		if f.until.Before(now) {
			delete(l.fetches, k)
		}
	}
	if len(l.fetches) >= maxFetches {
		return token, errBusy
	}
	l.fetches[sha256.Sum256(token[:])] = fetch{link: id, until: now.Add(fetchTime)}
	return token, nil
}

// fetch gives a file that waits under a token, once, as long as the link was not stopped and has not ended. The opening may have been its last use.
func (l *Links) fetch(ctx context.Context, token wire.Hash) ([]byte, error) {
	l.mu.Lock()
	f, ok := l.fetches[token]
	delete(l.fetches, token)
	x := l.byID[f.link]
	l.mu.Unlock()
	if !ok || x == nil || f.until.Before(time.Now()) {
		return nil, errGone
	}
	_, why, err := l.decide(ctx, &x.state)
	if err != nil {
		return nil, err
	}
	if why != consent.Allowed && why != consent.UsedUp {
		return nil, errGone
	}
	return l.file(f.link)
}

// Run forgets links that have ended, now and every hour, until ctx ends.
func (l *Links) Run(ctx context.Context) error {
	again := time.NewTicker(sweepLinks)
	defer again.Stop()
	for {
		if err := l.sweep(ctx); err != nil {
			l.log.Warn("health links that ended are kept for now", "err", err)
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (l *Links) sweep(ctx context.Context) error {
	l.mu.Lock()
	all := make([]*link, 0, len(l.byID))
	for _, x := range l.byID {
		all = append(all, x)
	}
	l.mu.Unlock()
	for _, x := range all {
		_, why, err := l.decide(ctx, &x.state)
		if err != nil {
			return err
		}
		if why == consent.Allowed || why == consent.NoGrant { // a ledger that catches up has no such grant yet
			continue
		}
		if err := l.db.Write([]kv.Change{{Key: l.key(linkStateStart, x.ID)}, {Key: l.key(linkFileStart, x.ID)}}); err != nil {
			return err
		}
		l.mu.Lock()
		delete(l.byID, x.ID)
		l.bytes -= int64(x.Size)
		l.mu.Unlock()
	}
	return nil
}

// linkState is what the disk has of a link: version(8) = 1, log(32), grant(64), key(32), wrong passcodes(8), bytes(message).
type linkState struct {
	log     key.Log
	grant   uint64
	key     key.Verifier
	wrong   uint8
	message []byte // sealed, as the grant has it
}

func (s *linkState) encode() []byte {
	var w wire.Writer
	w.U8(1)
	w.Fixed(s.log[:])
	w.U64(s.grant)
	w.Fixed(s.key[:])
	w.U8(s.wrong)
	w.Bytes(s.message)
	return w.Done()
}

func decodeLinkState(b []byte) (*linkState, error) {
	r := wire.NewReader(b)
	s := &linkState{}
	if v := r.U8(); r.Err() == nil && v != 1 {
		r.Fail(fmt.Errorf("format version %d, this program reads 1: use a newer program", v))
	}
	r.Fixed(s.log[:])
	s.grant = r.U64()
	r.Fixed(s.key[:])
	s.wrong = r.U8()
	s.message = r.Bytes(op.MaxSealed)
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("health link on the disk: %w", err)
	}
	return s, nil
}
