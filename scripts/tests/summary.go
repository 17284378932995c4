package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// shown is how many of the slowest packages and tests are named.
const shown = 10

// summary ends the run: skips, times, and one line of figures.
func (r *report) summary() {
	r.skips()
	r.slowest("packages", func(t test) bool { return t.name == "" })
	r.slowest("tests", func(t test) bool { return t.name != "" && !strings.Contains(t.name, "/") })
	for _, s := range r.unexplained() {
		fmt.Fprintf(r.out, "FAIL  %s %s was skipped: %q; install what it needs (scripts/setup), "+
			"or leave it out with -short\n", s.pkg, s.name, s.reason)
	}
	for _, t := range r.unstable {
		fmt.Fprintf(r.out, "UNSTABLE  %s %s failed, and passed by itself: what it said is above; find the cause\n", t.pkg, t.name)
	}
	fmt.Fprintf(r.out, "%d passed, %d failed, %d skipped\n", r.passed, r.failed+len(r.unexplained()), len(r.skipped))
}

// skips says how many tests were skipped for each reason.
func (r *report) skips() {
	n := map[string]int{}
	for _, s := range r.skipped {
		n[s.reason]++
	}
	if len(n) > 0 {
		fmt.Fprintln(r.out, "\nSkipped:")
	}
	for _, why := range slices.Sorted(maps.Keys(n)) {
		fmt.Fprintf(r.out, "  %4d  %s\n", n[why], why)
	}
}

func (r *report) slowest(what string, of func(test) bool) {
	times := slices.DeleteFunc(slices.Clone(r.times), func(t timing) bool { return !of(t.test) || t.took < time.Second })
	slices.SortFunc(times, func(a, b timing) int { return cmp.Compare(b.took, a.took) })
	if len(times) > 0 {
		fmt.Fprintf(r.out, "\nThe slowest %s:\n", what)
	}
	for _, t := range times[:min(shown, len(times))] {
		fmt.Fprintf(r.out, "  %6.1fs  %s\n", t.took.Seconds(), strings.TrimSpace(t.pkg+" "+t.name))
	}
}
