package subscription

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"vitalog/consensus"
	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/key"
	"vitalog/keyring"
	"vitalog/kv"
	"vitalog/ledger"
	"vitalog/op"
	"vitalog/section"
)

// Limits of a member.
const (
	MaxSubscriptions = 1000
	maxOfOne         = 100 // of one practitioner
	sendAtOnce       = 32  // notifications under way
)

// Config is what subscriptions stand on. All fields up to Log are needed.
type Config struct {
	Member *exchange.Member
	Chain  *consensus.Node
	Ring   *keyring.Ring
	DB     *kv.DB // of its own prefix
	Base   string // address of the FHIR endpoint, without slash at the end
	Log    *slog.Logger

	Endpoints []string // that notifications may go to, with all that lies below them; none: no subscription is taken

	// After a failure the next attempt waits for Backoff, then twice as long, to ten minutes at most. After Attempts in a row it is off.
	Backoff  time.Duration // zero: a second
	Attempts int           // zero: 150, which takes a day
}

// Book is the subscriptions of one member.
type Book struct {
	Config
	client  *http.Client
	sending chan struct{} // one for each notification under way
	news    news

	mu    sync.Mutex
	all   map[string]*sub // by id
	begin func(s *sub)    // starts serving it; nil: Run doesn't run
}

// sub is one subscription.
type sub struct {
	definition
	filter filter
	wake   chan struct{}
	stop   func() // ends serving it, and waits for the end; nil: nobody serves it

	mu   sync.Mutex // of the position
	at   position
	logs map[key.Log]bool // that it watches, as far as is known
}

// Open reads the subscriptions that are on the disk; Run serves them.
func Open(c Config) (*Book, error) {
	if c.Backoff == 0 {
		c.Backoff = time.Second
	}
	if c.Attempts == 0 {
		c.Attempts = 150
	}
	b := &Book{Config: c, client: newClient(), sending: make(chan struct{}, sendAtOnce), news: news{there: make(chan struct{}, 1)}, all: map[string]*sub{}}
	return b, b.load()
}

// Run serves all subscriptions until ctx ends.
func (b *Book) Run(ctx context.Context) error {
	var tasks sync.WaitGroup
	b.mu.Lock()
	b.begin = func(s *sub) {
		ctx, cancel := context.WithCancel(ctx)
		done := make(chan struct{})
		s.stop = func() { cancel(); <-done }
		tasks.Go(func() {
			defer close(done)
			b.serve(ctx, s)
		})
	}
	for _, s := range b.all {
		b.begin(s)
	}
	b.mu.Unlock()
	cancel := b.Chain.Subscribe(b.news.add)
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-b.news.there:
			b.tell(b.news.take())
		}
	}
	cancel()
	b.mu.Lock()
	b.begin = nil
	b.mu.Unlock()
	tasks.Wait()
	b.client.CloseIdleConnections()
	return ctx.Err()
}

// news is what the blocks touched that nobody was told of yet.
type news struct {
	there chan struct{}

	mu      sync.Mutex
	logs    map[key.Log]bool
	granted bool // something: a log may be new to a subscription
}

// add takes a block. It does not block.
func (n *news) add(block *ledger.Block) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.logs == nil {
		n.logs = map[key.Log]bool{}
	}
	for _, e := range block.Entries {
		n.logs[e.Log] = true
		_, grants := e.Says.(*op.Grant)
		n.granted = n.granted || grants
	}
	if len(n.logs) > 0 {
		ring(n.there)
	}
}

func (n *news) take() (logs map[key.Log]bool, granted bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	logs, granted, n.logs, n.granted = n.logs, n.granted, nil, false
	return logs, granted
}

// tell wakes the subscriptions that the news may be about.
func (b *Book) tell(logs map[key.Log]bool, granted bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.all {
		if s.watches(logs, granted) {
			ring(s.wake)
		}
	}
}

// watches tells whether the subscription's patient has one of the logs, or may have got one by a grant.
func (s *sub) watches(touched map[key.Log]bool, granted bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if granted && len(s.logs) < len(section.Clinical()) {
		return true
	}
	for log := range touched {
		if s.logs[log] {
			return true
		}
	}
	return false
}

func ring(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Subscription is one as its subscriber sees it.
type Subscription struct {
	ID, Version, Status string
	Updated             time.Time
	Resource            []byte // without the headers
}

func (s *sub) seen() *Subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	version := fmt.Sprint(s.Revision)
	updated := time.UnixMilli(int64(s.Updated))
	return &Subscription{ID: s.ID, Version: version, Status: s.at.Status, Updated: updated,
		Resource: s.Terms.render(s.ID, version, s.at.Status, s.at.Failure, updated)}
}

// find is the subscription of that id, if it is who's: of the same practitioner for the same purpose.
func (b *Book) find(who exchange.Asker, id string) (*sub, error) {
	s := b.all[id]
	if s == nil || s.Who.Practitioner != who.Practitioner || s.Who.Purpose != who.Purpose {
		return nil, exchange.ErrNotShared
	}
	return s, nil
}

// Get is a subscription of who's; exchange.ErrNotShared for all others.
func (b *Book) Get(who exchange.Asker, id string) (*Subscription, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, err := b.find(who, id)
	if err != nil {
		return nil, err
	}
	return s.seen(), nil
}

// List is all of who's, the newest first.
func (b *Book) List(who exchange.Asker) (out []*Subscription) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id := range b.all {
		if s, err := b.find(who, id); err == nil {
			out = append(out, s.seen())
		}
	}
	slices.SortFunc(out, func(x, y *Subscription) int { return cmp.Or(y.Updated.Compare(x.Updated), strings.Compare(x.ID, y.ID)) })
	return out
}

// Create takes a subscription of who's. It begins with what the ledger has next. Whether the patient is known here, and shares anything,
// makes no difference to the answer.
func (b *Book) Create(who exchange.Asker, r *fhir.Resource) (*Subscription, error) {
	t, f, err := b.read(r)
	if err != nil {
		return nil, err
	}
	logs, err := b.Member.Watch(f.patient, who.Purpose)
	if err != nil {
		return nil, err
	}
	s := &sub{definition: definition{ID: newID(), Who: who, Terms: *t, After: b.Chain.Ledger().Height(), Revision: 1, Updated: now()}, filter: f,
		wake: make(chan struct{}, 1), at: position{Status: "requested", Next: map[key.Log]uint64{}}}
	for _, w := range logs { // before the height was looked at: what came between them came before the subscription
		s.at.Next[w.Log] = w.Size
	}
	if t.Off {
		s.at.Status = "off"
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	own := 0
	for _, other := range b.all {
		if other.Who.Practitioner == who.Practitioner {
			own++
		}
	}
	if len(b.all) >= MaxSubscriptions || own >= maxOfOne {
		return nil, fmt.Errorf("%w: this member keeps at most %d subscriptions, and %d of one practitioner: delete some", exchange.ErrInvalid, MaxSubscriptions, maxOfOne)
	}
	if err := b.keep(s, true, s.at.Sent); err != nil {
		return nil, err
	}
	b.all[s.ID] = s
	if b.begin != nil {
		b.begin(s)
	}
	return s.seen(), nil
}

// read is what a resource says, held against the operator's list.
func (b *Book) read(r *fhir.Resource) (*terms, filter, error) {
	t, err := parse(r)
	if err != nil {
		return nil, filter{}, err
	}
	if err := allowed(b.Endpoints, t.Endpoint); err != nil {
		return nil, filter{}, err
	}
	f, err := t.filter()
	return t, f, err
}

// ErrChanged says that a subscription is of another version than the one that the client means.
var ErrChanged = errors.New("the subscription has changed since")

// Update changes a subscription of who's; match is the version meant, "" for any. It is greeted anew and goes on where it stood. Topic and filters stay
// what they are, because numbers and cursors are of them. Without headers those that it has stay, as long as the endpoint does.
func (b *Book) Update(who exchange.Asker, id, match string, r *fhir.Resource) (*Subscription, error) {
	t, _, err := b.read(r)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s, err := b.find(who, id)
	if err != nil {
		return nil, err
	}
	switch {
	case match != "" && match != fmt.Sprint(s.Revision):
		return nil, ErrChanged
	case t.Topic != s.Terms.Topic || !slices.Equal(t.Filters, s.Terms.Filters) || (t.Content == Empty) != (s.Terms.Content == Empty):
		return nil, wrong("Subscription.criteria", "and its filters, and whether the payload is %s, stay as they are; make another subscription", Empty)
	case t.Headers == nil && t.Endpoint == s.Terms.Endpoint:
		t.Headers = s.Terms.Headers
	}
	if s.stop != nil {
		s.stop() // what it was doing is done again
	}
	next := &sub{definition: s.definition, filter: s.filter, wake: s.wake, at: s.at, logs: s.logs}
	next.Terms, next.Revision, next.Updated, next.Who = *t, s.Revision+1, now(), who
	next.at.Status, next.at.Failure, next.at.Failures, next.at.Greeted = "requested", "", 0, false
	if t.Off {
		next.at.Status = "off"
	}
	err = b.keep(next, true, next.at.Sent)
	if err == nil {
		b.all[id] = next
		s = next
	}
	if b.begin != nil {
		b.begin(s)
	}
	if err != nil {
		return nil, err
	}
	return s.seen(), nil
}

// Delete ends a subscription of who's and forgets it.
func (b *Book) Delete(who exchange.Asker, id string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, err := b.find(who, id)
	if err != nil {
		return err
	}
	if s.stop != nil {
		s.stop()
	}
	if err := b.forget(s); err != nil {
		if b.begin != nil {
			b.begin(s)
		}
		return err
	}
	delete(b.all, id)
	return nil
}

// newID is a random UUID (RFC 9562, version 4).
func newID() string {
	var u [16]byte
	rand.Read(u[:])
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

func now() uint64 { return uint64(time.Now().UnixMilli()) }
