package bench

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Markdown is the report as a document.
func (r *Report) Markdown() string {
	var b strings.Builder
	m := r.Machine
	fmt.Fprintf(&b, "# What was measured\n\n%s, %.0f s. Four validators in one process share %d processors (%s, %s, %s); a real network has four machines.\n",
		r.Began.Format("2006-01-02 15:04 MST"), r.Seconds, m.Processors, m.Processor, m.Memory, m.Platform)
	fmt.Fprintf(&b, "%s, GOGC %s, revision %s; load before %s, after %s.\n\n", m.Go, cmp.Or(m.GOGC, "400"), cmp.Or(m.Revision, "unknown"), m.LoadBefore, m.LoadAfter)
	for _, name := range slices.Sorted(maps.Keys(m.Modules)) {
		fmt.Fprintf(&b, "- %s %s\n", name, m.Modules[name])
	}
	if len(r.Measures) > 0 {
		b.WriteString("\n" + TableHead + "\n")
	}
	for _, x := range r.Measures {
		b.WriteString(x.Row() + "\n")
	}
	if r.Hospital != nil {
		b.WriteString("\n" + r.Hospital.markdown())
	}
	if r.Clients != nil {
		b.WriteString("\n" + r.Clients.markdown())
	}
	if len(r.Growth) > 0 {
		b.WriteString("\n## The same as the network grows\n\n" + grownHead + "\n")
		for _, g := range r.Growth {
			b.WriteString(g.row() + "\n")
		}
	}
	if r.Soak != nil {
		b.WriteString("\n" + r.Soak.markdown())
	}
	return b.String()
}

// TableHead stands above the rows of measures.
const TableHead = "| measure | here | bar | others |\n|---|---|---|---|"

// Row is the measure as a row of a Markdown table.
func (m Measure) Row() string {
	return fmt.Sprintf("| %s | **%s %s** | %s | %s |", m.What, digits(m.Value), m.Unit, m.Bar, m.Others)
}

// digits keeps three significant ones.
func digits(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}
