package bench

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"vitalog/exchange"
	"vitalog/section"
)

// perRecord is how many resources an encounter's record holds here, which is about what hospitals' encounters have.
const perRecord = 5

// newChart enrols a patient with so many resources in one section.
func (b *network) newChart(ctx context.Context, resources int) (string, error) {
	id, err := b.nodes[0].Member.Enrol(ctx)
	if err != nil {
		return "", err
	}
	for done := 0; done < resources; {
		var drafts []exchange.Draft
		for len(drafts) < 500 && done+len(drafts) < resources {
			drafts = append(drafts, observation(id, section.Vitals, fmt.Sprint("Encounter/", (done+len(drafts))/perRecord)))
		}
		if _, err := b.nodes[0].Member.Publish(ctx, physician, id, drafts); err != nil {
			return "", err
		}
		done += len(drafts)
	}
	return id, nil
}

// get is ask for what must hold so many resources, and how long it took.
func (b *network) get(ctx context.Context, path string, resources int) (time.Duration, error) {
	began := time.Now()
	answer, err := b.desk.ask(ctx, http.MethodGet, path, nil)
	took := time.Since(began)
	if n := bytes.Count(answer, []byte(`"resourceType":"Observation"`)); err == nil && n != resources {
		err = fmt.Errorf("%s holds %d resources, want %d", path, n, resources)
	}
	return took, err
}

// chartOf500 opens charts for the first time and then searches in one that is open.
func (b *network) chartOf500(ctx context.Context) ([]Measure, error) {
	const resources, charts = 500, 3
	var ids [charts + 1]string
	var g errgroup.Group
	g.SetLimit(2)
	for i := range ids {
		n := resources
		if i == charts {
			n = 400
		}
		g.Go(func() (err error) { ids[i], err = b.newChart(ctx, n); return err })
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if err := b.settle(ctx); err != nil {
		return nil, err
	}
	search := func(id string) string {
		return "/Observation?patient=" + id + "&code=http://loinc.org|8867-4&date=ge2018-01-01&_count=20"
	}
	next := 0
	cold, err := b.timed(func() error {
		if next == charts {
			return errSpent
		}
		next++
		_, err := b.get(ctx, search(ids[next-1]), 20)
		return err
	})
	if err != nil {
		return nil, err
	}
	open, err := b.timed(func() error { _, err := b.get(ctx, search(ids[0]), 20); return err })
	if err != nil {
		return nil, err
	}
	if _, err := b.get(ctx, "/Patient/"+ids[charts]+"/$everything", 400); err != nil {
		return nil, err
	}
	all, err := b.timed(func() error { _, err := b.get(ctx, "/Patient/"+ids[charts]+"/$everything", 400); return err })
	if err != nil {
		return nil, err
	}
	return []Measure{
		{What: "chart of 500 resources, closed: search over HTTP, p50", Value: milliseconds(cold, 50), Unit: "ms", Bar: "≤ 1,000 ms", Others: "ePA 1/2: 20-50 s"},
		{What: "the same chart open: a search, traced, p50", Value: milliseconds(open, 50), Unit: "ms", Bar: "≤ 5 ms"},
		{What: "the same, p99", Value: milliseconds(open, 99), Unit: "ms"},
		{What: "$everything of 400 resources, open, p50", Value: milliseconds(all, 50), Unit: "ms", Bar: "≤ 100 ms"},
	}, nil
}

func (b *network) searchTenThousand(ctx context.Context) ([]Measure, error) {
	const resources = 10_000
	id, err := b.newChart(ctx, resources)
	if err != nil {
		return nil, err
	}
	if err := b.settle(ctx); err != nil {
		return nil, err
	}
	path := "/Observation?patient=" + id + "&code=http://loinc.org|8867-4&date=ge2018-01-01&_count=20"
	cold, err := b.get(ctx, path, 20)
	if err != nil {
		return nil, err
	}
	open, err := b.timed(func() error { _, err := b.get(ctx, path, 20); return err })
	return []Measure{
		{What: "chart of 10,000 resources, closed: search over HTTP", Value: float64(cold.Milliseconds()), Unit: "ms"},
		{What: "the same chart open: a search, traced, p50", Value: milliseconds(open, 50), Unit: "ms", Bar: "≤ 50 ms"},
	}, err
}
