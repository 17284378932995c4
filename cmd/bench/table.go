package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// row is one figure of gitd's, and what there would be otherwise.
type row struct {
	part, what, unit, other string
	ours, theirs            []float64 // one of each round
}

// table is what was measured, in the order in which it was first measured.
type table struct {
	part string // the one that runs
	rows []*row
}

func (t *table) row(what, unit, other string) *row {
	for _, r := range t.rows {
		if r.part == t.part && r.what == what && r.other == other {
			return r
		}
	}
	r := &row{part: t.part, what: what, unit: unit, other: other}
	t.rows = append(t.rows, r)
	return r
}

// note adds a figure that nothing is beside.
func (t *table) note(what, unit string, ours float64) {
	r := t.row(what, unit, "")
	r.ours = append(r.ours, ours)
}

// compare adds a round's figure, and that of the other in the same round.
func (t *table) compare(what, unit, other string, ours, theirs float64) {
	r := t.row(what, unit, other)
	r.ours, r.theirs = append(r.ours, ours), append(r.theirs, theirs)
}

// print writes medians (smallest–largest). A ratio is the median of those of the rounds: what else the host does is
// the same for both.
func (t *table) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	last := ""
	for _, r := range t.rows {
		if r.part != last {
			last = r.part
			fmt.Fprintf(w, "\n## %s\n\n| what\t| unit\t| gitd\t| otherwise\t| that is\t| ratio\t| rounds\t|\n|---\t|---\t|---\t|---\t|---\t|---\t|---\t|\n", r.part)
		}
		theirs, ratio := "", ""
		if len(r.theirs) > 0 {
			theirs, ratio = spread(r.theirs), fmt.Sprintf("%.2f", median(ratios(r.ours, r.theirs)))
		}
		fmt.Fprintf(w, "| %s\t| %s\t| %s\t| %s\t| %s\t| %s\t| %d\t|\n", r.what, r.unit, spread(r.ours), theirs, r.other, ratio, len(r.ours))
	}
	return w.Flush()
}

func ratios(ours, theirs []float64) []float64 {
	all := make([]float64, len(ours))
	for i := range ours {
		all[i] = ours[i] / theirs[i]
	}
	return all
}

func spread(values []float64) string {
	if len(values) == 1 {
		return figure(values[0])
	}
	return fmt.Sprintf("%s (%s–%s)", figure(median(values)), figure(slices.Min(values)), figure(slices.Max(values)))
}

// figure has three digits.
func figure(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// median of at least one value.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
