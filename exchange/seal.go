package exchange

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"

	"vitalog/chart"
	"vitalog/envelope"
	"vitalog/key"
	"vitalog/op"
	"vitalog/section"

	"golang.org/x/sync/errgroup"
)

// compressFrom is the size in bytes from which content is compressed before it is sealed.
const compressFrom = 512

// writer is who writes into one log, and the keys that its records are sealed to.
type writer struct {
	log    key.Log
	signer key.Signer                       // of the operations: a grantee key, or the owner's
	owner  *key.Exchange                    // nil: the log has no owner lock
	keeper envelope.Author                  // of a member that must keep what it writes; nil: there is no author lock
	reader func(epoch uint32) *key.Exchange // of the log's owner, who derives them; nil: the key is asked for by the ledger's hash
	author chart.Author                     // what stands in the content
	sign   key.Signer                       // signs the content: a member's long-term key, or the same as signer
}

// part is what goes into one log in one call.
type part struct {
	writer
	section section.Section
	before  []*op.Operation             // of the log: executed before the appends
	drafts  []int                       // what is published, by place in the caller's list
	again   *again                      // nil: what is published again is another record
	salt    func(group string) [16]byte // makes a record's id; nil: it is drawn

	epoch   uint32
	records []*group
}

// group is a sealed record and the drafts in it, by their place in the caller's list.
type group struct {
	Sealed
	context envelope.Context
	drafts  []int
	kept    bool // it is durable since an earlier attempt
}

// seal seals what the parts have to write, on all processors. What is on the ledger already gets its place in out instead.
func seal(ctx context.Context, home Home, net *op.NetworkKey, parts []*part, drafts []Draft, out []Published) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, p := range parts {
		reader, err := p.prepare(ctx, home, net, drafts, out)
		if err != nil {
			return errors.Join(err, g.Wait())
		}
		for _, r := range p.records {
			if !r.kept {
				g.Go(func() error {
					if err := gctx.Err(); err != nil {
						return err
					}
					return p.seal(r, reader, net, drafts)
				})
			}
		}
	}
	return g.Wait()
}

// prepare makes records of a part's drafts, one of each group, and looks up the log's present reader key.
func (p *part) prepare(ctx context.Context, home Home, net *op.NetworkKey, drafts []Draft, out []Published) (reader *key.Exchange, err error) {
	if len(p.drafts) == 0 {
		return nil, nil
	}
	if p.epoch, reader, err = p.readerKey(ctx, home); err != nil {
		return nil, err
	}
	groups := map[string]*group{}
	var names []string
	for _, i := range p.drafts {
		name := drafts[i].Group
		if groups[name] == nil {
			groups[name] = &group{}
			names = append(names, name)
		}
		groups[name].drafts = append(groups[name].drafts, i)
	}
	if p.again != nil {
		if err := p.again.writer(p, names[0]); err != nil {
			return nil, err
		}
	}
	for _, name := range names {
		r := groups[name]
		size := 0
		for _, i := range r.drafts {
			size += len(drafts[i].Resource.Raw())
		}
		r.context = envelope.NewContext(home.Genesis().Network(), p.log, p.signer.Public(), nowMillis(), size >= compressFrom)
		if p.salt != nil {
			r.context.Salt = p.salt(name)
		}
		if p.again != nil {
			there, err := p.again.find(p, r, name, net, out)
			if err != nil {
				return nil, err
			}
			if there {
				continue
			}
		}
		p.records = append(p.records, r)
	}
	return reader, nil
}

// readerKey is the public reader key of the log's present epoch, checked against the head.
func (p *part) readerKey(ctx context.Context, home Home) (epoch uint32, k *key.Exchange, err error) {
	head, err := home.Head(ctx, p.log)
	if errors.Is(err, ErrNotShared) && len(p.before) > 0 {
		return 1, p.reader(1), nil // it is created in the same call
	}
	if err != nil {
		return 0, nil, err
	}
	if p.reader != nil {
		return head.Epoch, p.reader(head.Epoch), nil
	}
	raw, err := home.Blob(ctx, head.EpochKey)
	if err != nil {
		return 0, nil, fmt.Errorf("reader key of epoch %d: %w", head.Epoch, err)
	}
	k, err = key.ParseExchange(raw)
	if err == nil && k.Hash() != head.EpochKey {
		err = fmt.Errorf("reader key of epoch %d differs from the ledger's", head.Epoch)
	}
	return head.Epoch, k, err
}

// seal seals one record.
func (p *part) seal(r *group, reader *key.Exchange, net *op.NetworkKey, drafts []Draft) error {
	content := &chart.Content{Author: p.author, Created: r.context.Created}
	for _, i := range r.drafts {
		d := drafts[i]
		item := chart.Item{Type: d.Resource.Type(), ID: d.ID, Status: chart.Active, Supersedes: d.Supersedes, Refs: d.Refs, Raw: d.Resource.Raw()}
		if d.Deleted {
			item.Status, item.Refs, item.Raw = chart.Deleted, nil, nil
		}
		content.Items = append(content.Items, item)
	}
	if err := content.Sign(p.sign, r.context.Record()); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	plain, err := content.Encode()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	var cipher bytes.Buffer
	locks := envelope.Locks{Owner: p.owner, Reader: reader, Epoch: p.epoch, Network: net.Public(), NetGen: net.Gen, Author: p.keeper}
	h, err := envelope.Seal(&cipher, bytes.NewReader(plain), r.context, locks)
	if err != nil {
		return err
	}
	r.Sealed = Sealed{Header: h, Blob: cipher.Bytes()}
	return nil
}
