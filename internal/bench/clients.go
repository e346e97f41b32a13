package bench

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"vitalog/section"
)

// Clients is what was seen while many clients worked at one member's FHIR door at the same time.
type Clients struct {
	Clients      int            `json:"clients"`
	Seconds      float64        `json:"seconds"`
	Kinds        []Kind         `json:"kinds"`
	Statuses     map[string]int `json:"statuses"` // how many answers had each; "none": there was no answer
	FirstFail    string         `json:"firstFailure,omitempty"`
	Row          string         `json:"row"` // how long a row is
	Rows         []Minute       `json:"rows"`
	Acknowledged int            `json:"acknowledged"` // versions that were written
	Lost         int            `json:"lost"`         // of them, not there or not as written at the end
	Overwritten  int            `json:"overwritten"`  // versions that two acknowledged updates replaced
	Shown        int            `json:"shown"`        // sections of charts that answers showed, each of which needs its row
	Traced       int            `json:"traced"`       // rows on the ledger for those who asked
	Untraced     int            `json:"untraced"`     // shown without a row
	Connections  int            `json:"connections"`  // made
	LeftOpen     int            `json:"leftOpen"`
	Goroutines   [2]int         `json:"goroutines"`     // before the first client, and after the last
	HeapTrend    float64        `json:"heapMiBPerHour"` // of the second half, live
	Broken       []string       `json:"broken,omitempty"`
}

// Kind is what one kind of request took.
type Kind struct {
	What   string  `json:"what"`
	Times  int     `json:"times"` // answered as they should be
	Failed int     `json:"failed"`
	P50    float64 `json:"p50Ms"`
	P99    float64 `json:"p99Ms"`
}

func (c *Clients) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "## %d clients at the FHIR door for %.0f s\n\n| request | answered | failed | p50 | p99 |\n|---|---|---|---|---|\n", c.Clients, c.Seconds)
	for _, k := range c.Kinds {
		fmt.Fprintf(&b, "| %s | %d | %d | %s ms | %s ms |\n", k.What, k.Times, k.Failed, digits(k.P50), digits(k.P99))
	}
	b.WriteString("\nAnswers by status:")
	for _, s := range slices.Sorted(maps.Keys(c.Statuses)) {
		fmt.Fprintf(&b, " %s: %d;", s, c.Statuses[s])
	}
	fmt.Fprintf(&b, " a 412 is an update that came second. %s\n\nA row is %s:\n\n%s\n", c.FirstFail, c.Row, minuteRows("row", c.Rows))
	fmt.Fprintf(&b, "- %d versions acknowledged, %d of them lost, %d replaced twice\n- %d sections shown, %d rows on the ledger for those who asked, %d shown without one\n"+
		"- %d connections made, %d left open; goroutines %d before and %d after; live heap %+.1f MiB an hour in the second half\n",
		c.Acknowledged, c.Lost, c.Overwritten, c.Shown, c.Traced, c.Untraced, c.Connections, c.LeftOpen, c.Goroutines[0], c.Goroutines[1], c.HeapTrend)
	for _, x := range c.Broken {
		fmt.Fprintf(&b, "- **broken: %s**\n", x)
	}
	return b.String()
}

// crowd is the clients at work.
type crowd struct {
	*ward
	pace   pace
	marks  atomic.Int64 // values of what is written, each once
	charts []*shared

	mu       sync.Mutex
	out      *Clients
	took     map[string][]time.Duration
	failures map[string]int
}

// shared is a chart in which all clients work.
type shared struct {
	*patient
	mu       sync.Mutex
	sections map[string]section.Section // of each resource, by "Type/id"
	subjects []*subject                 // that updates are about
	versions []version                  // that were acknowledged
	replaced map[string]bool            // "id/version" that an acknowledged update named
	twice    int
	shown    map[view]int
}

// subject is a resource that clients made and update.
type subject struct {
	id, version string
	part        section.Section
}

// version is one that was acknowledged, and the value that it was given.
type version struct {
	id, version string
	value       int64
}

// view is who saw which section.
type view struct {
	client int
	part   section.Section
}

const (
	crowdCharts = 50 // in which clients work
	crowdRows   = 10 // at least
)

// press lets so many clients work for so long and then holds what they were told against what is there.
func (w *ward) press(ctx context.Context) (*Clients, error) {
	o := w.o
	c := &crowd{ward: w, out: &Clients{Clients: o.Clients, Statuses: map[string]int{}}, took: map[string][]time.Duration{}, failures: map[string]int{}}
	for _, p := range w.spread(crowdCharts) {
		s, err := w.share(ctx, p)
		if err != nil {
			return c.out, err
		}
		c.charts = append(c.charts, s)
	}
	if err := w.settle(ctx); err != nil {
		return c.out, err
	}
	if err := c.quiet(ctx); err != nil {
		return c.out, err
	}
	made := w.door.lines.made.Load()
	o.Begin(fmt.Sprintf("%d clients for %v", o.Clients, o.ClientsFor))
	working, stop := context.WithTimeout(ctx, o.ClientsFor)
	defer stop()
	var work sync.WaitGroup
	began := time.Now()
	for i := range o.Clients {
		work.Go(func() { c.work(working, ctx, i) })
	}
	c.rows(working, min(time.Minute, o.ClientsFor/crowdRows))
	work.Wait()
	c.out.Seconds = time.Since(began).Seconds()
	c.out.Connections = int(w.door.lines.made.Load() - made)
	if err := ctx.Err(); err != nil {
		return c.out, err
	}
	c.kinds()
	o.Begin("what the clients were told, against charts and ledger")
	err := c.account(ctx)
	return c.out, err
}

// rows takes figures until the work ends.
func (c *crowd) rows(working context.Context, each time.Duration) {
	c.out.Row = each.String()
	began, tick := time.Now(), time.NewTicker(each)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-tick.C:
		case <-working.Done():
			return
		}
		m := c.pace.end(n)
		c.out.Rows = append(c.out.Rows, m)
		c.o.Note(fmt.Sprintf("%v of %v: %v", time.Since(began).Round(time.Second), c.o.ClientsFor, m))
	}
}

// kinds sums up what each kind of request took.
func (c *crowd) kinds() {
	for _, a := range acts {
		took := c.took[a.what]
		slices.Sort(took)
		c.out.Kinds = append(c.out.Kinds, Kind{a.what, len(took), c.failures[a.what], milliseconds(took, 50), milliseconds(took, 99)})
	}
}

// work asks one thing after the other until working ends. What was begun is waited for.
func (c *crowd) work(working, ctx context.Context, number int) {
	who := physician
	who.Practitioner, who.Name = reader(number), fmt.Sprint("Client ", number)
	reads := c.door.visitor(who)
	who.Practitioner = fmt.Sprint("writer-", number) // so that the rows of what writing opens don't count as those of reads
	writes := c.door.visitor(who)
	for n := 0; (n < len(acts) || working.Err() == nil) && ctx.Err() == nil; n++ {
		a := anyAct()
		if n < len(acts) { // each of them once, however short the time is
			a = acts[(number+n)%len(acts)]
		}
		v := reads
		if a.writes {
			v = writes
		}
		began := time.Now()
		got, err := a.do(ctx, c, v, number)
		c.note(a, got, err, time.Since(began))
	}
}

// reader is how the ledger's rows name client number n.
func reader(n int) string { return fmt.Sprint("reader-", n) }

// note counts an answer, or that there was none.
func (c *crowd) note(a *act, got answer, err error, took time.Duration) {
	status := "none"
	if got.status != 0 {
		status = strconv.Itoa(got.status)
	}
	second := a.writes && got.status == http.StatusPreconditionFailed
	if err == nil && got.status > 299 && !second {
		err = fmt.Errorf("%d: %.300s", got.status, got.body)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out.Statuses[status]++
	switch {
	case err != nil:
		if c.failures[a.what]++; c.out.FirstFail == "" {
			c.out.FirstFail = fmt.Sprintf("The first failure: %s: %v", a.what, err)
		}
	case !second:
		c.took[a.what] = append(c.took[a.what], took)
		c.pace.took(a.writes, took)
	}
}
