package release

import (
	"math"
	"sync"
	"time"
)

// maxStretch is how many times longer than usual a client waits before it asks one more holder.
const maxStretch = 10

// pace is how long holders took lately, in multiples of what a client waits for them before it asks one more. Where all are busy, asking one
// more makes all of them busier: so a client waits for what nearly all answers take now, as TCP does (RFC 6298). A holder that hangs doesn't answer, and so changes nothing.
type pace struct {
	mu    sync.Mutex
	ratio float64 // moving average over the last answers
	away  float64 // the same of how far they are from it
}

// usual is how long holders may take for that many records.
func usual(records int) time.Duration {
	return DefaultHedge + time.Duration(records)*time.Millisecond
}

func (p *pace) answered(records int, took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	off := float64(took)/float64(usual(records)) - p.ratio
	p.ratio += off / 8
	p.away += (math.Abs(off) - p.away) / 4
}

func (p *pace) hedge(records int) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Duration(min(max(p.ratio+4*p.away, 1), maxStretch) * float64(usual(records)))
}
