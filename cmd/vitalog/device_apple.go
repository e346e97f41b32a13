package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"vitalog/fhir"
	"vitalog/wearable"
)

// window is how many readings of an export are in memory at once: some days, whole.
const window = 20_000

// isAppleExport tells whether a file is taken for the export.xml of Apple Health.
func isAppleExport(path string) bool { return strings.HasSuffix(strings.ToLower(path), ".xml") }

// pushApple pushes an export day by day. Its records are ordered by type, not by day, so the file is read once to count the days and once
// more for each window of them.
func (p *program) pushApple(ctx context.Context, path, since string, write func([]*fhir.Resource) error) error {
	days := map[string]int{}
	left, err := readApple(ctx, path, func(r *wearable.Reading) error {
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
		if _, err := readApple(ctx, path, func(r *wearable.Reading) error {
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

func readApple(ctx context.Context, path string, each func(*wearable.Reading) error) (left int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	left, err = wearable.Apple(bufio.NewReaderSize(f, 1<<18), func(r *wearable.Reading) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return each(r)
	})
	if err != nil {
		return left, fmt.Errorf("%s: %w", path, err)
	}
	return left, nil
}
