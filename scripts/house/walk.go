package main

import (
	"io/fs"
	"path/filepath"
	"strings"
)

// walk calls visit with each file of the repository, its name relative to root. What is built (bin), what Go ignores
// and what belongs to git is left out.
func walk(root string, visit func(name string) error) error {
	return filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path == root {
			return nil
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if e.IsDir() {
			if base := e.Name(); base == "testdata" || base[0] == '.' || base[0] == '_' || name == "bin" || name == "node_modules" {
				return fs.SkipDir
			}
			return nil
		}
		if strings.HasPrefix(e.Name(), ".") || !e.Type().IsRegular() {
			return nil
		}
		return visit(filepath.ToSlash(name))
	})
}
