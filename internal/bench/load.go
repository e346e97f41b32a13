package bench

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"vitalog/op"
)

const (
	importers    = 4 // bundles at the same time
	importPeople = 24
)

// bringIn posts bundles to the first member: those of a directory, or those of synthetic people.
func (b *network) bringIn(ctx context.Context, dir string) ([]Measure, error) {
	first, rest, err := bundlesOf(dir)
	if err != nil {
		return nil, err
	}
	before, err := b.bytes()
	if err != nil {
		return nil, err
	}
	records, err := b.records()
	if err != nil {
		return nil, err
	}
	var resources atomic.Int64
	post := func(ctx context.Context, bundle []byte) error {
		answer, err := b.desk.ask(ctx, http.MethodPost, "", bundle)
		if err != nil {
			return err
		}
		where, err := taken(answer)
		if err != nil {
			return err
		}
		resources.Add(int64(len(where)))
		return nil
	}
	began := time.Now()
	for _, bundle := range first {
		if err := post(ctx, bundle); err != nil {
			return nil, err
		}
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(importers)
	for _, bundle := range rest {
		g.Go(func() error { return post(gctx, bundle) })
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	took := time.Since(began).Seconds()
	if err := b.settle(ctx); err != nil {
		return nil, err
	}
	whole := time.Since(began).Seconds()
	after, err := b.bytes()
	if err != nil {
		return nil, err
	}
	now, err := b.records()
	if err != nil {
		return nil, err
	}
	n, made := float64(resources.Load()), float64(now-records)
	return []Measure{
		{What: fmt.Sprintf("import of %.0f resources in %.0f records by FHIR transactions", n, made), Value: n / took, Unit: "resources/s", Bar: "≥ 700, then 2,500", Others: "Aidbox 2,678, HAPI 2,214, Medplum 764 on 8 vCPU; wso2 517-621 on two cores; none sealed"},
		{What: "the same, until all four validators hold everything", Value: n / whole, Unit: "resources/s"},
		{What: "storage of one member per record, everything counted", Value: float64(after-before) / made, Unit: "bytes"},
	}, nil
}

// records is how many the ledger of the first member names.
func (b *network) records() (n int, err error) {
	l := b.nodes[0].Chain.Ledger()
	for i := range l.Logs() {
		h, err := l.HeadByNumber(i)
		if err != nil {
			return 0, err
		}
		if err := l.Entries(h.Log, 0, h.Size, func(e *op.Entry) error {
			if _, ok := e.Says.(*op.Recorded); ok {
				n++
			}
			return nil
		}); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// bytes is what lies on the disk of the second member, which only takes part.
func (b *network) bytes() (sum int64, err error) {
	err = filepath.WalkDir(b.dirs[1], func(path string, e os.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil
		}
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		if info, err := e.Info(); err == nil {
			sum += info.Size()
		}
		return nil
	})
	return sum, err
}
