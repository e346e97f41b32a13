package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"time"

	"vitalog/consent"
)

const (
	spareGoroutines = 32  // more than before that are no leak: the engine's own come and go
	spareHeap       = 32. // MiB
)

// account holds what clients were told against charts that are opened anew and against the ledger.
func (c *crowd) account(ctx context.Context) error {
	if err := c.flushed(ctx); err != nil {
		return err
	}
	if err := c.trace(); err != nil {
		return err
	}
	c.nodes[0].Member.CloseCharts()
	for _, s := range c.charts {
		lost, err := c.missing(ctx, s)
		if err != nil {
			return err
		}
		c.out.Acknowledged += len(s.versions)
		c.out.Lost += lost
		c.out.Overwritten += s.twice
	}
	c.nodes[0].Member.CloseCharts()
	if err := c.rest(ctx); err != nil {
		return err
	}
	c.judge()
	return nil
}

// missing counts acknowledged versions that a chart doesn't have, or has otherwise.
func (c *crowd) missing(ctx context.Context, s *shared) (lost int, err error) {
	type at struct{ id, version string }
	have := map[at]int64{}
	for offset, size := 0, 1; offset < size; {
		body, err := c.desk.ask(ctx, http.MethodGet, fmt.Sprintf("/Observation/_history?patient=%s&_count=5000&_offset=%d", s.chart, offset), nil)
		if err != nil {
			return 0, err
		}
		var b struct {
			Total int
			Entry []struct {
				Resource struct {
					ID            string
					Meta          struct{ VersionID string }
					ValueQuantity struct{ Value json.Number }
				}
			}
		}
		if err := json.Unmarshal(body, &b); err != nil {
			return 0, err
		}
		for _, e := range b.Entry {
			if n, err := e.Resource.ValueQuantity.Value.Int64(); err == nil {
				have[at{e.Resource.ID, e.Resource.Meta.VersionID}] = n
			}
		}
		if size = b.Total; len(b.Entry) == 0 {
			break
		}
		offset += len(b.Entry)
	}
	for _, v := range s.versions {
		if n, ok := have[at{v.id, v.version}]; !ok || n != v.value {
			lost++
		}
	}
	return lost, nil
}

// trace counts the rows of the ledger for what was shown. What came from a chart in memory has its row when the outbox is empty.
func (c *crowd) trace() error {
	number := map[string]int{}
	for i := range c.o.Clients {
		number[reader(i)] = i
	}
	for _, s := range c.charts {
		for _, n := range s.shown {
			c.out.Shown += n
		}
	}
	for _, s := range c.charts {
		deeds, err := c.nodes[0].Member.Deeds(s.chart)
		if err != nil {
			return err
		}
		rows := map[view]int{}
		for _, d := range deeds {
			if d.Wrote || d.Why != consent.Allowed || d.Detail == nil {
				continue
			}
			if i, ok := number[d.Detail.Practitioner]; ok {
				rows[view{i, d.Section}]++
				c.out.Traced++
			}
		}
		c.out.Untraced += unseen(s.shown, rows)
	}
	return nil
}

// unseen is how many answers showed a section to somebody who has no row for it.
func unseen(shown, rows map[view]int) (n int) {
	for v, times := range shown {
		n += max(0, times-rows[v])
	}
	return n
}

// quiet waits until what served those before is gone, and notes what is left.
func (c *crowd) quiet(ctx context.Context) error {
	c.door.lines.CloseIdleConnections()
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	for {
		before := c.out.Goroutines[0]
		c.out.Goroutines[0] = runtime.NumGoroutine()
		if before > 0 && c.out.Goroutines[0] >= before {
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// rest waits until what worked for the clients is gone.
func (c *crowd) rest(ctx context.Context) error {
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	for began := time.Now(); ; {
		c.door.lines.CloseIdleConnections()
		c.out.LeftOpen, c.out.Goroutines[1] = int(c.door.lines.open.Load()), runtime.NumGoroutine()
		if c.out.LeftOpen == 0 && c.out.Goroutines[1] <= c.out.Goroutines[0]+spareGoroutines || time.Since(began) > settleFor {
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// judge tells which promises broke.
func (c *crowd) judge() {
	o, failed := c.out, 0
	broken := func(when bool, format string, a ...any) {
		if when {
			o.Broken = append(o.Broken, fmt.Sprintf(format, a...))
		}
	}
	for _, n := range c.failures {
		failed += n
	}
	broken(failed > 0, "%d requests failed", failed)
	broken(o.Lost > 0, "%d acknowledged versions were lost", o.Lost)
	broken(o.Overwritten > 0, "%d versions were replaced by two updates", o.Overwritten)
	broken(o.Untraced > 0, "%d answers showed a section without a row on the ledger", o.Untraced)
	broken(o.LeftOpen > 0, "%d connections stayed open", o.LeftOpen)
	broken(o.Goroutines[1] > o.Goroutines[0]+spareGoroutines, "%d goroutines are left of the clients", o.Goroutines[1]-o.Goroutines[0])
	if n := len(o.Rows); n >= 4 {
		early, late := meanHeap(o.Rows[n/4:n/2]), meanHeap(o.Rows[n-n/4:])
		if each, err := time.ParseDuration(o.Row); err == nil && n > 1 {
			o.HeapTrend = (late - meanHeap(o.Rows[n/2:n-n/4])) / (each.Hours() * float64(n) / 4)
		}
		broken(late > 1.5*early+spareHeap, "the live heap grew from %s to %s MiB", digits(early), digits(late))
	}
}

func meanHeap(rows []Minute) (sum float64) {
	for _, m := range rows {
		sum += m.HeapMiB
	}
	return sum / float64(max(1, len(rows)))
}

// Broken says which promises didn't hold, nil if all did.
func (r *Report) Broken() error {
	var errs []error
	if r.Soak != nil && (r.Soak.Lost > 0 || r.Soak.Untraced > 0) {
		errs = append(errs, fmt.Errorf("the soak lost %d writes and left %d reads without a trace: see the report", r.Soak.Lost, r.Soak.Untraced))
	}
	if r.Clients != nil {
		for _, b := range r.Clients.Broken {
			errs = append(errs, errors.New("clients: "+b))
		}
	}
	return errors.Join(errs...)
}
