package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"vitalog/fhir"
	"vitalog/wearable"
)

// window is how many readings of an export are in memory at once: some days, whole.
const window = 20_000

// export is a file of a phone's health app, of any size.
type export struct {
	path string
	read func(io.Reader, func(*wearable.Reading) error) (left int, err error)
}

// exportAt is the export that a file is: the export.xml of Apple Health by its name, records of Health Connect by how it begins; nil if it is
// neither. Only files are: they are read more than once.
func exportAt(path string) (*export, error) {
	if strings.HasSuffix(strings.ToLower(path), ".xml") {
		return &export{path, wearable.Apple}, nil
	}
	if path == "-" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	begin := make([]byte, 4<<10)
	n, err := io.ReadFull(f, begin)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	if wearable.IsHealthConnect(begin[:n]) {
		return &export{path, wearable.HealthConnect}, nil
	}
	return nil, nil
}

// pushExport pushes an export day by day. Its records are ordered by type, not by day, so the file is read once to count the days and once
// more for each window of them.
func (p *program) pushExport(ctx context.Context, x *export, since string, write func([]*fhir.Resource) error) error {
	days := map[string]int{}
	left, err := x.each(ctx, func(r *wearable.Reading) error {
		if r.Day() >= since {
			days[r.Day()]++
		}
		return nil
	})
	if err != nil {
		return err
	}
	var order []string
	all := 0
	for day, n := range days {
		order = append(order, day)
		all += n
	}
	slices.Sort(order)
	p.say("%s of %s; %s left out", count(all, "reading"), count(len(order), "day"), count(left, "record"))
	for len(order) > 0 {
		n, readings := 0, 0
		for n < len(order) && (n == 0 || readings+days[order[n]] <= window) {
			readings += days[order[n]]
			n++
		}
		first, last := order[0], order[n-1]
		order = order[n:]
		some := make([]*fhir.Resource, 0, readings)
		if _, err := x.each(ctx, func(r *wearable.Reading) error {
			if r.Day() < first || r.Day() > last {
				return nil
			}
			raw, err := r.Observation()
			if err != nil {
				return err
			}
			o, err := fhir.Parse(raw)
			some = append(some, o)
			return err
		}); err != nil {
			return err
		}
		if err := write(some); err != nil {
			return err
		}
	}
	return nil
}

// each reads the export once.
func (x *export) each(ctx context.Context, each func(*wearable.Reading) error) (left int, err error) {
	f, err := os.Open(x.path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	left, err = x.read(bufio.NewReaderSize(f, 1<<18), func(r *wearable.Reading) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return each(r)
	})
	if err != nil {
		return left, fmt.Errorf("%s: %w", x.path, err)
	}
	return left, nil
}
