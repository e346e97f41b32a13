package exchange

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"vitalog/blobstore"
	"vitalog/consensus"
	"vitalog/grant"
	"vitalog/key"
	"vitalog/keyring"
	"vitalog/kv"
	"vitalog/op"
	"vitalog/panel"
	"vitalog/peer"
	"vitalog/release"
	"vitalog/section"
)

// Config is what a member's flows stand on. All fields up to Log are needed.
type Config struct {
	Genesis *op.Genesis
	Number  int // of this member in the genesis
	Ring    *keyring.Ring
	Node    *consensus.Node
	Store   *blobstore.Store
	Index   *kv.DB // for the sealed index
	Peers   *peer.Client
	Release release.Caller // reaches the holders of the network key
	Log     *slog.Logger

	// What of charts that were opened stays in memory. These may be left at zero.
	OpenBytes int64         // of plaintext, at most; it takes about twice as much memory. Zero: 512 MiB; negative: nothing stays
	OpenIdle  time.Duration // after its last use a chart goes. Zero: 15 minutes

	Keep Retention // how long this member must keep its own copies of what it writes from now on. Zero: not at all

	Across panel.Mode // which records searches across patients look at. Zero: none
	Panel  *kv.DB     // for their index
}

// Member has the flows of one organisation. It implements Home for the patients who reach the network through it.
type Member struct {
	genesis   *op.Genesis
	network   key.Network
	number    int
	ring      *keyring.Ring
	node      *consensus.Node
	store     *blobstore.Store
	peers     *peer.Client
	index     *index
	incidents *incidents
	release   *release.Client
	holders   release.Caller
	log       *slog.Logger

	memory *memory
	outbox *outbox
	across *across
	news   *news

	claims    claims
	deletions deletions
	uploads   uploads

	retention Retention
	copies    *copies
	keysBack  atomic.Bool // of the keys that notes about charts have too, none is lost

	wake    chan struct{} // a block was committed
	lacking chan struct{} // something to be fetched was written down
	losing  sync.Mutex    // what was lost is written down, or what came is crossed out

	mu       sync.Mutex    // of what follows
	height   uint64        // followed up to here
	recorded uint64        // the newest block up to there that has a record
	erased   uint64        // the newest block up to there that ordered something destroyed
	moved    chan struct{} // closed and replaced when height grows
	silent   map[int]bool  // members that were asked for what is missing, and didn't answer
	back     uint64        // when one of them answered again, in ms
}

// New prepares the flows; Run keeps them going.
func New(c Config) (*Member, error) {
	m := &Member{genesis: c.Genesis, network: c.Genesis.Network(), number: c.Number, ring: c.Ring, node: c.Node, store: c.Store, peers: c.Peers,
		index: openIndex(c.Index, c.Ring), log: c.Log, wake: make(chan struct{}, 1), lacking: make(chan struct{}, 1), moved: make(chan struct{}), silent: map[int]bool{}, news: newNews(), retention: c.Keep}
	m.memory = newMemory(c.OpenBytes, c.OpenIdle)
	var err error
	if m.outbox, err = openOutbox(c.Index, c.Ring, m.network, c.Log); err != nil {
		return nil, err
	}
	if m.across, err = newAcross(c); err != nil {
		return nil, err
	}
	m.index.changed = func(chart string) { m.across.change(chart) }
	if m.height, err = m.index.number(atFollowed); err != nil {
		return nil, err
	}
	if m.recorded, err = m.index.number(atRecorded); err != nil {
		return nil, err
	}
	if m.erased, err = m.index.number(atErased); err != nil {
		return nil, err
	}
	if m.claims.told, err = m.index.number(atClaimed); err != nil {
		return nil, err
	}
	if err := m.openCopies(); err != nil {
		return nil, err
	}
	if m.incidents, err = openIncidents(c.Index); err != nil {
		return nil, err
	}
	m.release, m.holders = release.NewClient(c.Genesis, c.Release), c.Release
	if c.Genesis.Members[c.Number].Validator {
		m.release.First = []int{c.Number} // its own share costs no connection
	}
	return m, nil
}

// Routes are what other members may ask of this one.
func (m *Member) Routes() map[string]peer.Handler {
	return map[string]peer.Handler{"blobs": m.serveBlobs, "part": m.servePart, "headers": m.serveHeaders, "introduce": m.serveIntroduce,
		"claim": m.serveClaim, "owner-locks": m.serveOwnerLocks}
}

// Number is this member's number in the genesis.
func (m *Member) Number() int { return m.number }

// Name is this member's name.
func (m *Member) Name() string { return m.genesis.Members[m.number].Name }

// Genesis is the network's.
func (m *Member) Genesis() *op.Genesis { return m.genesis }

// Charts lists the ids of the patients known here.
func (m *Member) Charts() ([]string, error) { return m.index.ids() }

// FindPatient finds a chart by one of the patient's identifiers, among those known here.
func (m *Member) FindPatient(system, value string) (chartID string, ok bool, err error) {
	return m.index.byIdentifier(system + "|" + value)
}

// Link notes that a patient of this member's own register has a chart: the patient showed the card, or staff matched them.
func (m *Member) Link(chartID, system, value string) error {
	c, err := m.index.chart(chartID)
	if err != nil {
		return err
	}
	if c == nil {
		return ErrNotShared
	}
	return m.index.link(chartID, system+"|"+value)
}

// Locate finds the newest version of a resource that is known here.
func (m *Member) Locate(resourceType, id string) (Location, bool, error) {
	return m.index.locate(resourceType, id)
}

// Handle is where requests to the patient of a chart go, if this member knows it.
func (m *Member) Handle(chartID string) (grant.Handle, error) {
	c, err := m.index.chart(chartID)
	if err != nil {
		return grant.Handle{}, err
	}
	if c == nil || c.Inbox == (key.Log{}) {
		return grant.Handle{}, ErrNotShared
	}
	return grant.Handle{Inbox: c.Inbox, Key: c.InboxKey}, nil
}

// patient is the custodian's hold on a patient, or nil where the patient has keys of their own.
func (m *Member) patient(c *chartState) (*keyring.Patient, error) {
	if c.Custody == nil {
		return nil, nil
	}
	return m.ring.Patient(c.Custody)
}

// reader is the key that opens the reader locks of an epoch: what came by letter, or the custodian's own.
func (m *Member) reader(c *chartState, s section.Section, epoch uint32) (key.Opener, error) {
	st := c.Sections[s]
	for _, wrapped := range st.Seeds {
		if o, err := m.ring.Reader(wrapped, st.Log, epoch); err == nil {
			return o, nil
		}
	}
	p, err := m.patient(c)
	if err != nil {
		return nil, err
	}
	if p != nil {
		return p.Reader(s, epoch), nil
	}
	return nil, fmt.Errorf("no reader key for epoch %d of %v was shared with this member: %w", epoch, st.Log, ErrNotShared)
}

func newSalt() (salt [16]byte) {
	rand.Read(salt[:])
	return salt
}
