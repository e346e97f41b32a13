package node

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"vitalog/blobstore"
	"vitalog/cloud"
	"vitalog/exchange"
)

// attach gives the store the member's bucket.
func (n *Node) attach(ctx context.Context, o Options) error {
	if n.Config.Bucket == "" {
		packed, err := n.Store.Packed()
		if err == nil && packed {
			err = errors.New("this member has ciphertext in a bucket: say in vitalog.toml which, as it stood there before")
		}
		return err
	}
	if o.Cloud == nil {
		return errors.New("vitalog.toml has a bucket, and this program reaches no clouds")
	}
	b, err := o.Cloud(ctx, n.Config.Bucket)
	if err != nil {
		return fmt.Errorf("bucket in vitalog.toml: %w", err)
	}
	n.bucket = b
	if err := n.Store.Attach(b, n.Ring.Storage(), n.Member.Lost); err != nil {
		return err
	}
	n.Store.StayUntil(n.Member.Elsewhere())
	return nil
}

// Storage is what 'vitalog storage status' shows.
type Storage struct {
	Schema   string           `json:"schema"`
	Name     string           `json:"name"`
	Bucket   string           `json:"bucket,omitempty"` // its URL; empty: everything is in data/
	Store    blobstore.Status `json:"store"`
	Usage    cloud.Usage      `json:"usage"`    // of the bucket, since the start
	Since    time.Time        `json:"since"`    // the start
	Missing  int              `json:"missing"`  // ciphertexts, headers and other blobs still to be fetched
	GivenUp  uint64           `json:"givenUp"`  // blobs, ever, that the bucket lost, no entry names and no member had
	Patients int              `json:"patients"` // known here
	Checks   []cloud.Finding  `json:"checks,omitempty"`

	Availability *exchange.Availability `json:"availability,omitempty"` // absent where there is no other validator
	Holdings     []exchange.Holding     `json:"validators"`             // what each validator says that it holds
	Asked        uint64                 `json:"askedTo"`                // the newest block that asked them for something
}

// Storage tells how the member's ciphertext is kept. It tries the bucket out if check.
func (n *Node) Storage(ctx context.Context, check bool) (*Storage, error) {
	s := &Storage{Schema: "vitalog.storage/v1", Name: n.Member.Name(), Bucket: n.Config.Bucket, Store: n.Store.Status(), Since: n.since}
	if n.bucket != nil {
		s.Usage = n.bucket.Usage()
		if check {
			s.Checks = n.bucket.Check(ctx)
		}
	}
	var err error
	if s.Missing, err = n.Member.Missing(); err != nil {
		return nil, err
	}
	if s.GivenUp, err = n.Member.GivenUp(); err != nil {
		return nil, err
	}
	if s.Availability, err = n.availability(); err != nil {
		return nil, err
	}
	if s.Holdings, s.Asked, err = n.Member.Holdings(); err != nil {
		return nil, err
	}
	charts, err := n.Member.Charts()
	s.Patients = len(charts)
	return s, err
}

// availability is nil where there is no other validator.
func (n *Node) availability() (*exchange.Availability, error) {
	a, err := n.Member.Availability()
	if errors.Is(err, exchange.ErrAlone) {
		return nil, nil
	}
	return &a, err
}

// StorageLine is one line of the answer to work on the store: how far it is, or at the end what it did. After an error no end comes.
type StorageLine struct {
	Schema string           `json:"schema"`
	Read   int64            `json:"readBytes,omitempty"` // of packs, so far
	Of     int64            `json:"ofBytes,omitempty"`
	Left   int              `json:"left,omitempty"` // to be fetched from other members
	Done   bool             `json:"done,omitempty"` // the last line
	Packed int              `json:"packed,omitempty"`
	Found  *blobstore.Swept `json:"listing,omitempty"`
	Error  string           `json:"error,omitempty"` // the last line too
}

// The work that an operator may ask for.
const (
	StorageFlush   = "flush"   // what is fresh is packed now
	StorageScrub   = "scrub"   // all packs are read and compared now
	StorageRepair  = "repair"  // the bucket is listed, what is lost is fetched, what was deleted is taken out of packs
	StorageReindex = "reindex" // what lies where is told by the bucket alone
)

// work does what an operator asks for, and tells as it goes.
func (n *Node) work(w http.ResponseWriter, r *http.Request) {
	line := inLines(w)
	say := func(l StorageLine) error {
		l.Schema = "vitalog.storage-work/v1"
		return line(l)
	}
	last, err := n.workOn(r.Context(), r.URL.Query().Get("do"), say)
	if err != nil {
		last = StorageLine{Error: err.Error()}
	}
	last.Done = err == nil
	_ = say(last) // the client is gone otherwise
}

func (n *Node) workOn(ctx context.Context, what string, say func(StorageLine) error) (last StorageLine, err error) {
	if n.bucket == nil {
		return last, errors.New("this member has no bucket: its ciphertext is in data/, and 'vitalog verify --heal' looks after it")
	}
	switch what {
	case StorageFlush:
		last.Packed, err = n.Store.Flush(ctx)
		return last, err
	case StorageScrub:
		return last, n.scrub(ctx, say)
	case StorageReindex:
		found, err := n.Store.Reindex(ctx)
		last.Found = &found
		return last, err
	case StorageRepair:
		found, err := n.Store.Sweep(ctx)
		if err == nil {
			err = n.Store.Expunge(ctx, time.Now())
		}
		last.Found = &found
		if err == nil {
			err = n.fetched(ctx, say)
		}
		return last, err
	}
	return last, fmt.Errorf("%w: no such work: %q", exchange.ErrInvalid, what)
}

// scrub reads every pack once.
func (n *Node) scrub(ctx context.Context, say func(StorageLine) error) error {
	s := n.Store.Status()
	var read int64
	for i := 0; i < s.Packs; i++ {
		b, err := n.Store.Scrub(ctx)
		if err != nil {
			return err
		}
		if b == 0 { // it began again
			i--
			if n.Store.Status().Packs == 0 {
				return nil
			}
		}
		read += b
		if err := say(StorageLine{Read: read, Of: s.Bytes}); err != nil {
			return err
		}
	}
	return n.fetched(ctx, say)
}

// fetched waits until nothing is missing.
func (n *Node) fetched(ctx context.Context, say func(StorageLine) error) error {
	again := time.NewTicker(progressEvery)
	defer again.Stop()
	for {
		left, err := n.Member.Missing()
		if err != nil || left == 0 {
			return err
		}
		if err := say(StorageLine{Left: left}); err != nil {
			return err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
