package chart_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"vitalog/chart"
	"vitalog/key"
	"vitalog/section"
)

// describe tells everything that a reader can see of a chart.
func describe(c *chart.Chart) string {
	var b strings.Builder
	fmt.Fprintln(&b, c.Len(), "resources of", c.Bytes(), "bytes")
	for _, name := range []string{"Condition", "Observation", "Patient"} {
		for n := range 12 {
			r := c.Get(name, fmt.Sprint(n))
			if r == nil {
				continue
			}
			fmt.Fprintln(&b, name, n, "by", r.Author().Key, "deleted", r.Deleted())
			for _, v := range r.History() {
				fmt.Fprintf(&b, "  %x %v %d %d %s\n", v.Log[0], v.Section, v.Entry, v.At, v.Render(""))
			}
			for _, v := range r.Heads() {
				fmt.Fprintf(&b, "  head %x %d\n", v.Log[0], v.Entry)
			}
		}
		found, err := c.Search(name, map[string][]string{"status": {"s1,s2"}})
		fmt.Fprintln(&b, "found", ids(found), err)
	}
	for r := range c.All() {
		fmt.Fprint(&b, r.Type, r.ID, " ")
	}
	for _, p := range c.Problems() {
		fmt.Fprintf(&b, "\n%x %d %s/%s: %s", p.Log[0], p.Entry, p.Type, p.ID, p.Text)
	}
	return b.String()
}

// history is a random one: several logs, sections and authors, forks, deletions, amendments by others, records of several items.
func history(t *testing.T, rnd *rand.Rand) (out []chart.Opened) {
	for log := range byte(1 + rnd.IntN(3)) {
		for entry := range uint64(rnd.IntN(30)) {
			c := &chart.Content{}
			for range 1 + rnd.IntN(3) {
				x := chart.Item{Type: []string{"Condition", "Observation", "Patient"}[rnd.IntN(3)], ID: fmt.Sprint(rnd.IntN(12)), Status: chart.Active}
				if slices.ContainsFunc(c.Items, func(y chart.Item) bool { return x.Type == y.Type && x.ID == y.ID }) {
					continue
				}
				if entry > 0 {
					for range rnd.IntN(3) {
						x.Supersedes = append(x.Supersedes, rnd.Uint64N(entry))
					}
					slices.Sort(x.Supersedes)
					x.Supersedes = slices.Compact(x.Supersedes)
				}
				if rnd.IntN(5) == 0 {
					x.Status = chart.Deleted
				} else {
					x.Raw = fmt.Appendf(nil, `{"resourceType":%q,"status":"s%d","x":%d}`, x.Type, rnd.IntN(4), rnd.IntN(1000))
				}
				c.Items = append(c.Items, x)
			}
			by := hospital
			if rnd.IntN(6) == 0 {
				by = lab
			}
			if err := c.Sign(by, rid); err != nil {
				t.Fatal(err)
			}
			out = append(out, chart.Opened{Log: key.Log{log}, Section: section.Section(1 + log%2), Entry: entry, At: 1772357400000 + 60_000*(entry+rnd.Uint64N(2)), Content: c})
		}
	}
	return out
}

func TestAChartMadeInPiecesIsTheFoldOfAllRecords(t *testing.T) {
	for seed := range uint64(150) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		all := history(t, rnd)
		want := describe(chart.Fold(all))
		pieces := slices.Clone(all)
		for range rnd.IntN(1 + len(all)) {
			pieces = append(pieces, all[rnd.IntN(len(all))]) // given again
		}
		rnd.Shuffle(len(pieces), func(i, j int) { pieces[i], pieces[j] = pieces[j], pieces[i] })
		c := new(chart.Chart)
		for given := 0; given < len(pieces); {
			n := min(1+rnd.IntN(8), len(pieces)-given)
			before := describe(c)
			next := c.With(pieces[given : given+n])
			if got := describe(c); got != before {
				t.Fatalf("seed %d: With changed the chart that it was called on:\n%s\nwas\n%s", seed, got, before)
			}
			c, given = next, given+n
			if rnd.IntN(4) == 0 {
				if got, want := describe(c), describe(chart.Fold(pieces[:given])); got != want {
					t.Fatalf("seed %d: after %d records got\n%s\nwant\n%s", seed, given, got, want)
				}
			}
		}
		if got := describe(c); got != want {
			t.Fatalf("seed %d: got\n%s\nwant\n%s", seed, got, want)
		}
	}
}
