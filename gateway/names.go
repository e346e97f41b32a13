package gateway

import (
	"context"
	"sync"

	"vitalog/fhir"
)

// names are held by one request at a time. The zero value holds none.
type names struct {
	mu   sync.Mutex
	held map[fhir.Identifier]chan struct{} // closed when the holder is done
}

// hold waits until nobody holds any of the names and then holds them all at once, so that two requests can't wait for each other. The
// caller must call done.
func (n *names) hold(ctx context.Context, all []fhir.Identifier) (done func(), err error) {
	for {
		busy := n.try(all)
		if busy == nil {
			return func() { n.release(all) }, nil
		}
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// try holds all names, or returns what ends when the first busy one is free.
func (n *names) try(all []fhir.Identifier) (busy chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, name := range all {
		if busy := n.held[name]; busy != nil {
			return busy
		}
	}
	if n.held == nil {
		n.held = map[fhir.Identifier]chan struct{}{}
	}
	mine := make(chan struct{})
	for _, name := range all {
		n.held[name] = mine
	}
	return nil
}

func (n *names) release(all []fhir.Identifier) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(all) > 0 {
		close(n.held[all[0]])
	}
	for _, name := range all {
		delete(n.held, name)
	}
}
