package debian

import (
	"cmp"
	"slices"
	"strings"
)

// mostNear is how many names are proposed.
const mostNear = 4

// near are the names that somebody may have meant by name: those that it begins, as "libcairo" does, and those that
// differ by two letters at most. The nearest come first.
func near(name string, known map[string]bool) []string {
	type candidate struct {
		name string
		far  int
	}
	var all []candidate
	for k := range known {
		switch far := distance(name, k, 2); {
		case far <= 2:
			all = append(all, candidate{k, far})
		case len(name) > 3 && strings.HasPrefix(k, name) && len(k)-len(name) <= 4:
			all = append(all, candidate{k, len(k) - len(name)})
		}
	}
	slices.SortFunc(all, func(a, b candidate) int { return cmp.Or(cmp.Compare(a.far, b.far), cmp.Compare(a.name, b.name)) })
	var names []string
	for _, c := range all[:min(len(all), mostNear)] {
		names = append(names, c.name)
	}
	return names
}

// distance is how many letters must be put in, left out or changed to make b of a; more than most if there are more.
func distance(a, b string, most int) int {
	if max(len(a)-len(b), len(b)-len(a)) > most {
		return most + 1
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
