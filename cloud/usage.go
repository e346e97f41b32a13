package cloud

import "sync/atomic"

// Usage is what a bucket was used for since it was opened.
type Usage struct {
	Puts, Gets, Deletes, Lists uint64 // requests, those that were tried again too
	Inspections                uint64 // of the bucket's settings
	Up, Down                   uint64 // bytes of objects, of requests that ended well
	Retries                    uint64 // requests that were made again
	Errors                     uint64 // calls that failed, but for ErrNotFound
}

type counters struct {
	puts, gets, deletes, lists, inspections, up, down, retries, errors atomic.Uint64
}

// Usage counts since Open.
func (b *Bucket) Usage() Usage {
	u := &b.usage
	return Usage{
		Puts: u.puts.Load(), Gets: u.gets.Load(), Deletes: u.deletes.Load(), Lists: u.lists.Load(), Inspections: u.inspections.Load(),
		Up: u.up.Load(), Down: u.down.Load(), Retries: u.retries.Load(), Errors: u.errors.Load(),
	}
}
