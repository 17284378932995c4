package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// house is what was measured.
type house struct {
	packages map[string]*folder // by folder
	long     []string           // lines over maxColumns: "FILE:LINE: …"
}

// folder is one package, without its tests.
type folder struct {
	lines     int
	methods   map[string]int // how many each type declares
	functions []function
}

type function struct {
	name  string
	lines int
}

func (h *house) folder(name string) *folder {
	if h.packages == nil {
		h.packages = map[string]*folder{}
	}
	if h.packages[name] == nil {
		h.packages[name] = &folder{methods: map[string]int{}}
	}
	return h.packages[name]
}

// largest returns the type with the most methods; among equals, the first by name.
func (f *folder) largest() (name string, methods int) {
	for _, t := range slices.Sorted(maps.Keys(f.methods)) {
		if f.methods[t] > methods {
			name, methods = t, f.methods[t]
		}
	}
	return name, methods
}

// functions returns all functions, the shortest first.
func (h *house) functions() []function {
	var all []function
	for _, f := range h.packages {
		all = append(all, f.functions...)
	}
	return byLength(all)
}

func byLength(fs []function) []function {
	return slices.SortedFunc(slices.Values(fs), func(a, b function) int { return a.lines - b.lines })
}

// at returns the length that a share of the functions has at most; fs are sorted.
func at(fs []function, share float64) int {
	if len(fs) == 0 {
		return 0
	}
	return fs[min(int(share*float64(len(fs))), len(fs)-1)].lines
}

// broken names each limit that is broken, and what to do.
func (h *house) broken() (all []string) {
	for _, name := range slices.Sorted(maps.Keys(h.packages)) {
		f := h.packages[name]
		if f.lines > maxPackage && !strings.HasPrefix(name, "cmd/") {
			all = append(all, fmt.Sprintf("%s has %d lines outside tests, and at most %d are allowed: divide it by subject",
				name, f.lines, maxPackage))
		}
		for _, t := range slices.Sorted(maps.Keys(f.methods)) {
			if n := f.methods[t]; n > maxMethods {
				all = append(all, fmt.Sprintf("%s.%s has %d methods, and at most %d are allowed: divide it by subject",
					name, t, n, maxMethods))
			}
		}
	}
	if p := at(h.functions(), 0.9); p > maxP90 {
		all = append(all, fmt.Sprintf("one in ten functions has more than %d lines (p90 is %d): divide the longest", maxP90, p))
	}
	return append(all, h.long...)
}
