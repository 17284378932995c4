package workspace

import (
	"path"
	"strings"
)

// Patterns name the folders that are packages of a root: "packages/*", "apps/**", "server", and "!apps/old" for one
// that is none after all.
type Patterns []string

// Match reports whether a folder is named. As for npm and pnpm, the last pattern that fits decides.
func (p Patterns) Match(dir string) bool {
	named := false
	for _, one := range p {
		one, not := strings.CutPrefix(strings.TrimSpace(one), "!")
		if fits(strings.Split(path.Clean(one), "/"), strings.Split(dir, "/")) {
			named = !not
		}
	}
	return named
}

// fits compares a path with a pattern, part by part. "**" stands for any number of folders. A pattern of many of them
// takes no more than one step for each pair of parts.
func fits(pattern, parts []string) bool {
	reached := make([]bool, len(parts)+1) // reached[i]: the patterns so far fit the first i parts
	reached[0] = true
	for _, one := range pattern {
		next := make([]bool, len(parts)+1)
		for i, ok := range reached {
			switch {
			case one == "**":
				next[i] = ok || (i > 0 && next[i-1])
			case ok && i < len(parts):
				match, err := path.Match(one, parts[i])
				next[i+1] = err == nil && match
			}
		}
		reached = next
	}
	return reached[len(parts)]
}
