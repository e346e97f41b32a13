package consensus

import (
	"errors"
	"runtime"

	dbm "github.com/cometbft/cometbft-db"

	"vitalog/kv"
	"vitalog/ledger"
)

// ledgerStore is the ledger's store. What the node must remember of a block goes into the ledger's own write.
type ledgerStore struct {
	*kv.DB
	along []kv.Change // set before, and used by, ledger.Commit; by the engine's one goroutine that executes blocks
}

func (s *ledgerStore) Write(batch []ledger.Change) error {
	out := make([]kv.Change, 0, len(batch)+len(s.along))
	for _, c := range batch {
		out = append(out, kv.Change(c))
	}
	return s.DB.Write(append(out, s.along...))
}

// database is one of the engine's databases: a part of the member's one store.
//
// The engine panics when a database fails, in goroutines where nobody can recover. So an error stops the node, and a goroutine of the
// engine that can't go on ends here.
type database struct {
	node *Node
	part *kv.DB
	lazy bool // what is written needn't be durable before the ledger's next commit, or the next block: one log has them in order
}

func (n *Node) database(id string) *database {
	return &database{node: n, part: n.config.Store.Prefix("chain/" + id + "/"), lazy: id == "state"}
}

var (
	errEmptyKey = errors.New("empty key")
	errNoValue  = errors.New("nil value")
)

// check passes err on where the engine takes it.
func (d *database) check(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kv.ErrClosed):
		runtime.Goexit() // a reactor that outlived Stop
	case d.node.engine != nil && d.node.engine.ConsensusReactor().WaitSync():
		_ = d.node.fail(err)
		runtime.Goexit() // block sync would panic; consensus itself recovers
	}
	return d.node.fail(err)
}

func (d *database) Get(k []byte) ([]byte, error) {
	if len(k) == 0 {
		return nil, errEmptyKey
	}
	v, err := d.part.Get(k)
	return v, d.check(err)
}

func (d *database) Has(k []byte) (bool, error) {
	v, err := d.Get(k)
	return v != nil, err
}

func (d *database) Set(k, v []byte) error     { return d.one(k, v, false) }
func (d *database) SetSync(k, v []byte) error { return d.one(k, v, true) }
func (d *database) Delete(k []byte) error     { return d.change(k, nil, false) }
func (d *database) DeleteSync(k []byte) error { return d.change(k, nil, true) }

func (d *database) one(k, v []byte, sync bool) error {
	if v == nil {
		return errNoValue
	}
	return d.change(k, v, sync)
}

func (d *database) change(k, v []byte, sync bool) error {
	if len(k) == 0 {
		return errEmptyKey
	}
	return d.write([]kv.Change{{Key: k, Value: v}}, sync)
}

func (d *database) write(b []kv.Change, sync bool) error {
	if sync && !d.lazy {
		return d.check(d.part.Write(b))
	}
	return d.check(d.part.WriteLater(b))
}

func (d *database) Iterator(from, to []byte) (dbm.Iterator, error) { return d.iterate(from, to, false) }
func (d *database) ReverseIterator(from, to []byte) (dbm.Iterator, error) {
	return d.iterate(from, to, true)
}

func (d *database) iterate(from, to []byte, reverse bool) (dbm.Iterator, error) {
	if from != nil && len(from) == 0 || to != nil && len(to) == 0 {
		return nil, errEmptyKey
	}
	i, err := d.part.Iterate(from, to, reverse)
	if err != nil {
		return nil, d.check(err)
	}
	return &iterator{i, from, to}, nil
}

func (d *database) NewBatch() dbm.Batch           { return &batch{d: d} }
func (d *database) Close() error                  { return nil } // the store is the member's
func (d *database) Print() error                  { return nil }
func (d *database) Stats() map[string]string      { return nil }
func (d *database) Compact(from, to []byte) error { return nil } // the store does by itself

type iterator struct {
	*kv.Iterator
	from, to []byte
}

func (i *iterator) Domain() (from, to []byte) { return i.from, i.to }
func (i *iterator) Key() []byte               { return append([]byte{}, i.Iterator.Key()...) }
func (i *iterator) Value() []byte             { return append([]byte{}, i.Iterator.Value()...) }
func (i *iterator) Error() error              { return i.Err() }

type batch struct {
	d       *database
	changes []kv.Change
	done    bool
}

var errBatchDone = errors.New("batch was written or closed")

func (b *batch) Set(k, v []byte) error {
	if v == nil {
		return errNoValue
	}
	return b.add(k, v)
}

func (b *batch) Delete(k []byte) error { return b.add(k, nil) }

func (b *batch) add(k, v []byte) error {
	switch {
	case b.done:
		return errBatchDone
	case len(k) == 0:
		return errEmptyKey
	}
	b.changes = append(b.changes, kv.Change{Key: k, Value: v})
	return nil
}

func (b *batch) Write() error     { return b.write(false) }
func (b *batch) WriteSync() error { return b.write(true) }

func (b *batch) write(sync bool) error {
	if b.done {
		return errBatchDone
	}
	b.done = true
	return b.d.write(b.changes, sync)
}

func (b *batch) Close() error {
	b.done, b.changes = true, nil
	return nil
}
