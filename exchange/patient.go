package exchange

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"vitalog/chart"
	"vitalog/envelope"
	"vitalog/fhir"
	"vitalog/grant"
	"vitalog/key"
	"vitalog/keyring"
	"vitalog/op"
	"vitalog/section"
	"vitalog/wire"
)

// Patient has the flows of a patient, who reaches the network through a home member that is not trusted with anything.
type Patient struct {
	home      Home
	keys      *keyring.Patient
	network   key.Network
	custodial bool // a custodian acts: records get no owner lock

	mu   sync.Mutex
	read map[uint64][]*note      // by entry of the index log: a note that was opened is not opened again
	kept map[key.Record][32]byte // of records without an owner lock; nil: not read yet
}

// NewPatient joins a patient's keys with a home member.
func NewPatient(home Home, keys *keyring.Patient) *Patient {
	return &Patient{home: home, keys: keys, network: home.Genesis().Network()}
}

// Enrol makes the patient's logs. It can be repeated.
func (p *Patient) Enrol(ctx context.Context) error {
	return createLogs(ctx, p.home, p.keys, section.All()...)
}

// ChartID is the id of the patient's chart at every reader.
func (p *Patient) ChartID() string { return p.keys.ChartID() }

// Handle is where requests to the patient go: what stands on the patient's card.
func (p *Patient) Handle() grant.Handle { return handleOf(p.keys) }

func handleOf(keys *keyring.Patient) grant.Handle {
	return grant.Handle{Inbox: keys.Log(section.Inbox), Key: keys.Private(section.Inbox).Exchange().Hash()}
}

func parseInboxKey(raw []byte, to grant.Handle) (*key.Exchange, error) {
	k, err := key.ParseExchange(raw)
	if err == nil && k.Hash() != to.Key {
		err = errors.New("the patient's inbox key differs from the card's")
	}
	return k, err
}

func freshSigner() *key.Signing {
	var seed [32]byte
	rand.Read(seed[:])
	return key.NewSigning(seed)
}

// Wished is a request in the inbox.
type Wished struct {
	*grant.Request
	Entry    uint64
	Block    uint64
	At       time.Time // on the ledger clock
	Answered bool
	Granted  bool // by the answer, at least some of it
}

// Inbox lists the requests in the order in which they came. Posts that don't open, or whose message nobody has, are counted in spam.
func (p *Patient) Inbox(ctx context.Context) (requests []Wished, spam int, err error) {
	log := p.keys.Log(section.Inbox)
	entries, err := p.entries(ctx, log)
	if err != nil {
		return nil, 0, err
	}
	told, err := p.answers(ctx)
	if err != nil {
		return nil, 0, err
	}
	own := map[wire.Hash]bool{}
	for _, a := range told {
		own[a.Message] = true
	}
	for _, e := range entries {
		post, ok := e.Says.(*op.Post)
		if !ok || own[post.Message] {
			continue
		}
		sealed, err := p.home.Blob(ctx, post.Message)
		if errors.Is(err, ErrNotShared) {
			spam++
			continue
		}
		if err != nil {
			return nil, 0, err
		}
		q, err := grant.OpenRequest(p.keys.Private(section.Inbox), p.home.Genesis(), log, sealed)
		if err != nil {
			spam++
			continue
		}
		answer, answered := told[q.ID]
		requests = append(requests, Wished{Request: q, Entry: e.Number, Block: e.Block, At: time.UnixMilli(int64(e.At)), Answered: answered, Granted: answer.Granted})
	}
	return requests, spam, nil
}

// Record opens the patient's own records with the owner lock: no network key, no trace. No record is missing: each log is held against a
// receipt. What was ordered destroyed isn't asked for any more, wherever it may still be.
func (p *Patient) Record(ctx context.Context, sections ...section.Section) (c *chart.Chart, failed []error, err error) {
	var all []chart.Opened
	for _, s := range sections {
		entries, err := p.entries(ctx, p.keys.Log(s))
		if err != nil {
			return nil, nil, err
		}
		gone := orderedGone(entries, false)
		for _, e := range entries {
			if !isRecord(e.Entry) || gone[e.Number] {
				continue
			}
			content, err := p.open(ctx, s, e.Entry)
			if err != nil {
				failed = append(failed, fmt.Errorf("%v entry %d: %w", e.Log, e.Number, err))
				continue
			}
			all = append(all, chart.Opened{Log: e.Log, Section: s, Entry: e.Number, At: e.At, Content: content})
		}
	}
	return chart.Fold(all), failed, nil
}

// errHome says that the home member gave no answer, where another answer is not to be had.
var errHome = errors.New("asking the home member")

func (p *Patient) open(ctx context.Context, s section.Section, e *op.Entry) (*chart.Content, error) {
	rec := e.Says.(*op.Recorded)
	h, err := p.home.Header(ctx, e.Log, rec.ID)
	if err != nil && !errors.Is(err, ErrNotShared) {
		err = fmt.Errorf("%w: %w", errHome, err)
	}
	if err != nil {
		return nil, err
	}
	if err := h.Check(p.network, e.Log, rec.ID, e.Signer, rec.Core, rec.Blob); err != nil {
		return nil, err
	}
	secret, err := p.secret(ctx, s, h)
	if err != nil {
		return nil, err
	}
	if !h.Compressed && h.Padded > envelope.ChunkSize { // of an attachment the manifest, and not gigabytes
		plain, err := h.Ranges(secret, &remote{call: func(at uint64) ([]byte, error) { return p.home.Part(ctx, rec.Blob, at) }})
		if err != nil {
			return nil, err
		}
		if a, err := openAttachment(p.home.Genesis(), e, plain, h); a != nil {
			return &a.Content, err
		}
	}
	blob, err := p.home.Blob(ctx, rec.Blob)
	if err != nil && !errors.Is(err, ErrNotShared) {
		err = fmt.Errorf("%w: %w", errHome, err)
	}
	if err != nil {
		return nil, err
	}
	return decodeRecord(p.home.Genesis(), e, h, secret, blob)
}

// secret opens a header by its owner lock, or by what was kept at the claim for records that have none.
func (p *Patient) secret(ctx context.Context, s section.Section, h *envelope.Header) (*envelope.Secret, error) {
	if h.Owner != nil || s == section.Index || p.keys.Claimed() == nil {
		return h.ByOwner(p.keys.Private(s))
	}
	kept, err := p.keptSecrets(ctx)
	if err != nil {
		return nil, err
	}
	r, ok := kept[h.Record()]
	if !ok {
		return nil, ErrNoLock
	}
	return h.ByKept(r)
}

// Publish writes as the patient.
func (p *Patient) Publish(ctx context.Context, drafts []Draft) ([]Published, error) {
	return p.publish(ctx, drafts, p.keys.Owner)
}

// PublishDevice writes as a device of the patient's, which AddDevice has granted the right to.
func (p *Patient) PublishDevice(ctx context.Context, name string, drafts []Draft) ([]Published, error) {
	return p.publish(ctx, drafts, func(s section.Section) key.Signer { return p.keys.Device(s, name) })
}

func (p *Patient) publish(ctx context.Context, drafts []Draft, signer func(section.Section) key.Signer) ([]Published, error) {
	net, err := p.networkKey(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Published, len(drafts))
	bySection := map[section.Section][]int{}
	for i, d := range drafts {
		bySection[d.Section] = append(bySection[d.Section], i)
	}
	for _, s := range section.All() {
		if which := bySection[s]; which != nil {
			by := signer(s)
			w := writer{log: p.keys.Log(s), signer: by, author: chart.Author{}, sign: by}
			w.reader = func(epoch uint32) *key.Exchange { return p.keys.ReaderPublic(s, epoch) } // the home member might name its own
			if !p.custodial || s == section.Index {                                              // the notes about keys are the owner's alone
				w.owner = p.keys.Private(s).Exchange()
			}
			err := ErrAgain
			for try := 0; try < tries && errors.Is(err, ErrAgain); try++ {
				left := slices.DeleteFunc(slices.Clone(which), func(i int) bool { return out[i] != (Published{}) })
				err = publish(ctx, p.home, net, []*part{{writer: w, section: s, drafts: left}}, drafts, out, p.home.PutRecords)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// draft makes a draft of a resource that the patient's side writes itself.
func draft(raw []byte, s section.Section) (Draft, error) {
	r, err := fhir.Parse(raw)
	if err != nil {
		return Draft{}, err
	}
	return Draft{Resource: r, ID: r.ID(), Section: s, Group: r.ID()}, nil
}
