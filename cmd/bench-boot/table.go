package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"
)

// readSamples reads what earlier runs left. If there is no file, there are no samples.
func readSamples(name string) ([]sample, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []sample
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var s sample
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, s)
	}
	return all, nil
}

func (s sample) append(name string) error {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	return errors.Join(json.NewEncoder(f).Encode(s), f.Close())
}

func count(all []sample, c combination) (n int) {
	for _, s := range all {
		if s.combination == c {
			n++
		}
	}
	return n
}

// column is one figure of the table.
type column struct {
	name string
	of   func(sample) float64
}

// columns are times in seconds and memory in MiB.
func columns() []column {
	seconds := func(d time.Duration) float64 { return d.Seconds() }
	mebibytes := func(n int64) float64 { return float64(n) / (1 << 20) }
	return []column{
		{"host", func(s sample) float64 { return seconds(s.Boot.Host) }},
		{"firmware", func(s sample) float64 { return seconds(s.Boot.Firmware) }},
		{"kernel", func(s sample) float64 { return seconds(s.Boot.Kernel) }},
		{"init", func(s sample) float64 { return seconds(s.Boot.Init) }},
		{"Node", func(s sample) float64 { return seconds(s.Boot.Node) }},
		{"app", func(s sample) float64 { return seconds(s.Boot.App) }},
		{"QEMU's start to first answer", func(s sample) float64 { return seconds(s.Answer - s.Boot.Host) }},
		{"all", func(s sample) float64 { return seconds(s.Answer) }},
		{"of the machine: kernel's own", func(s sample) float64 { return mebibytes(int64(s.Memory)<<20 - s.Guest.MemoryTotal) }},
		{"of the machine: used, with Node", func(s sample) float64 { return mebibytes(s.Guest.MemoryUsed) }},
		{"Node's RSS", func(s sample) float64 { return mebibytes(s.Guest.AppRSS) }},
		{"init's RSS", func(s sample) float64 { return mebibytes(s.Guest.InitRSS) }},
		{"QEMU's RSS", func(s sample) float64 { return mebibytes(s.QEMU) }},
	}
}

// printTable prints a Markdown table: median (smallest–largest).
func printTable(w io.Writer, all []sample) error {
	var combinations []combination
	for _, s := range all {
		if !slices.Contains(combinations, s.combination) {
			combinations = append(combinations, s.combination)
		}
	}
	for _, c := range combinations {
		if _, err := fmt.Fprintf(w, "\n%s, %d boots; seconds and MiB\n\n| | median | smallest–largest |\n|---|---|---|\n", c, count(all, c)); err != nil {
			return err
		}
		for _, col := range columns() {
			var values []float64
			for _, s := range all {
				if s.combination == c {
					values = append(values, col.of(s))
				}
			}
			slices.Sort(values)
			if _, err := fmt.Fprintf(w, "| %s | %.2f | %.2f–%.2f |\n", col.name, median(values), values[0], values[len(values)-1]); err != nil {
				return err
			}
		}
	}
	return nil
}

// median of sorted values, at least one.
func median(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
