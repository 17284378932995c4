package workspace

import (
	"cmp"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Near are up to three folders with a package.json, for a name that is none: those with the same last part first, and
// then those that begin alike.
func Near(repo fs.FS, dir string) []string {
	folders := Folders(repo)
	slices.SortStableFunc(folders, func(a, b string) int {
		return cmp.Or(cmp.Compare(alike(b, dir), alike(a, dir)), strings.Compare(a, b))
	})
	return folders[:min(3, len(folders))]
}

// alike is how many bytes two paths have in common at their beginnings, or more than any path has if they end alike.
func alike(a, b string) (n int) {
	if strings.EqualFold(path.Base(a), path.Base(b)) {
		return 1 << 16
	}
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}
