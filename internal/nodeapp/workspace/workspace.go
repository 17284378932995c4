package workspace

import (
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// Package is a package.json of a monorepo, as far as others depend on it.
type Package struct {
	Dir     string
	Name    string
	Scripts map[string]string
	Deps    map[string]string // of all kinds: name to version
}

// Set is the packages of one root, by their folders.
type Set map[string]Package

const (
	nodeModules = "node_modules"
	file        = "package.json"
)

// How far packages are looked for.
const (
	maxDepth   = 6
	maxFolders = 2000
)

// Find reads the packages that the patterns name. One that read cannot read is left out: its package manager will say
// so, if it matters.
func Find(repo fs.FS, named Patterns, read func(dir string) (Package, error)) Set {
	all := Set{}
	for _, dir := range Folders(repo) {
		if !named.Match(dir) {
			continue
		}
		if p, err := read(dir); err == nil {
			p.Dir = dir
			all[dir] = p
		}
	}
	return all
}

// Folders are those that have a package.json, but the root: those near it first, and then by name. It reads a bounded
// part of a large repository.
func Folders(repo fs.FS) []string {
	var found []string
	level := []string{"."}
	for left, depth := maxFolders, 0; len(level) > 0 && depth <= maxDepth; depth++ {
		var below []string
		for _, dir := range level {
			entries, err := fs.ReadDir(repo, dir)
			if left--; err != nil || left < 0 {
				continue
			}
			for _, e := range entries {
				switch {
				case e.Name() == file && e.Type().IsRegular() && dir != ".":
					found = append(found, dir)
				case e.IsDir() && e.Name() != nodeModules && !strings.HasPrefix(e.Name(), "."):
					below = append(below, path.Join(dir, e.Name()))
				}
			}
		}
		level = below
	}
	return found
}

// Order is the package of a folder and those that it needs, each after the ones that it needs itself. Of packages that
// need one another, the one that is reached first comes last.
func (s Set) Order(dir string) []Package {
	byName := map[string]string{}
	for _, d := range slices.Backward(slices.Sorted(maps.Keys(s))) {
		byName[s[d].Name] = d
	}
	delete(byName, "")
	var order []Package
	seen := map[string]bool{}
	var visit func(dir string)
	visit = func(dir string) {
		p, ok := s[dir]
		if !ok || seen[dir] {
			return
		}
		seen[dir] = true
		for _, name := range slices.Sorted(maps.Keys(p.Deps)) {
			if at, ok := byName[name]; ok {
				visit(at)
			}
			visit(local(dir, p.Deps[name]))
		}
		order = append(order, p)
	}
	visit(dir)
	return order
}

// local is the folder that a dependency is, for "file:../shared" of the package in dir; "": it is none.
func local(dir, spec string) string {
	for _, scheme := range []string{"file:", "link:", "portal:", "workspace:"} {
		if rest, ok := strings.CutPrefix(spec, scheme); ok && strings.HasPrefix(rest, ".") {
			return path.Join(dir, rest)
		}
	}
	return ""
}

// Others are the folders that are not in order, sorted.
func (s Set) Others(order []Package) []string {
	var all []string
	for _, dir := range slices.Sorted(maps.Keys(s)) {
		if !slices.ContainsFunc(order, func(p Package) bool { return p.Dir == dir }) {
			all = append(all, dir)
		}
	}
	return all
}
