package cloud

import "sync/atomic"

// Usage is what a bucket was used for since it was opened.
type Usage struct {
	Puts        uint64 `json:"puts"` // requests, those that were tried again too
	Gets        uint64 `json:"gets"`
	Deletes     uint64 `json:"deletes"`
	Lists       uint64 `json:"lists"`
	Inspections uint64 `json:"inspections"` // of the bucket's settings
	Up          uint64 `json:"upBytes"`     // of objects, of requests that ended well
	Down        uint64 `json:"downBytes"`
	Retries     uint64 `json:"retries"` // requests that were made again
	Errors      uint64 `json:"errors"`  // calls that failed, but for ErrNotFound
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
