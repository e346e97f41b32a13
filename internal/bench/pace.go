package bench

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// pace takes what reads and writes took, and makes a row of figures of each stretch of time.
type pace struct {
	mu     sync.Mutex
	reads  []time.Duration // of this stretch
	writes []time.Duration
}

// took notes a read or a write that was answered.
func (p *pace) took(write bool, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if write {
		p.writes = append(p.writes, d)
	} else {
		p.reads = append(p.reads, d)
	}
}

// end ends stretch n.
func (p *pace) end(n int) Minute {
	p.mu.Lock()
	reads, writes := p.reads, p.writes
	p.reads, p.writes = nil, nil
	p.mu.Unlock()
	slices.Sort(reads)
	slices.Sort(writes)
	return Minute{At: n, HeapMiB: heap(), Goroutines: runtime.NumGoroutine(),
		Reads: len(reads), ReadP50: milliseconds(reads, 50), ReadP99: milliseconds(reads, 99),
		Writes: len(writes), WriteP50: milliseconds(writes, 50), WriteP99: milliseconds(writes, 99)}
}

// Minute is one row of figures.
type Minute struct {
	At         int     `json:"minute"` // or whatever the length of a row is
	Reads      int     `json:"reads"`
	Writes     int     `json:"writes"`
	ReadP50    float64 `json:"readP50Ms"`
	ReadP99    float64 `json:"readP99Ms"`
	WriteP50   float64 `json:"writeP50Ms"`
	WriteP99   float64 `json:"writeP99Ms"`
	HeapMiB    float64 `json:"heapMiB"`
	Goroutines int     `json:"goroutines"`
}

func (m Minute) String() string {
	return fmt.Sprintf("%d reads p50 %s p99 %s ms, %d writes p50 %s p99 %s ms, heap %s MiB, %d goroutines",
		m.Reads, digits(m.ReadP50), digits(m.ReadP99), m.Writes, digits(m.WriteP50), digits(m.WriteP99), digits(m.HeapMiB), m.Goroutines)
}

func minuteRows(head string, all []Minute) string {
	var b strings.Builder
	b.WriteString("| " + head + " | reads | p50 | p99 | writes | p50 | p99 | heap | goroutines |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, m := range all {
		fmt.Fprintf(&b, "| %d | %d | %s ms | %s ms | %d | %s ms | %s ms | %s MiB | %d |\n", m.At, m.Reads, digits(m.ReadP50), digits(m.ReadP99), m.Writes, digits(m.WriteP50), digits(m.WriteP99), digits(m.HeapMiB), m.Goroutines)
	}
	return b.String()
}
