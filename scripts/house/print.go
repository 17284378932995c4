package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
)

// longest is how many of the longest functions are named.
const longest = 10

// print writes one row for each package, and the figures of the whole.
func (h *house) print(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "PACKAGE\tLINES\tFUNCTIONS\tMEDIAN\tP90\tMAX\tMOST METHODS")
	for _, name := range slices.Sorted(maps.Keys(h.packages)) {
		f := h.packages[name]
		fs := byLength(f.functions)
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\t%s\n", name, f.lines, len(fs), at(fs, 0.5), at(fs, 0.9), at(fs, 1), f.most())
	}
	if err := table.Flush(); err != nil {
		return err
	}
	all := h.functions()
	fmt.Fprintf(w, "\n%d functions outside tests: median %d lines, p90 %d, max %d. The longest:\n",
		len(all), at(all, 0.5), at(all, 0.9), at(all, 1))
	slices.Reverse(all)
	for _, f := range all[:min(longest, len(all))] {
		fmt.Fprintf(w, "  %4d  %s\n", f.lines, f.name)
	}
	return nil
}

// most is the last column: "Deployer (84)".
func (f *folder) most() string {
	name, n := f.largest()
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%s (%d)", name, n)
}
