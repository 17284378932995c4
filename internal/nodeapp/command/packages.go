package command

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
)

const nodeModules = "node_modules"

// How far the packages of a repository are looked for.
const (
	maxDepth   = 6
	maxFolders = 2000
)

// Package is a package.json, as far as a start command can depend on it.
type Package struct {
	Name, Version string
	Scripts       map[string]string
	Config        map[string]string
	Deps          map[string]string // that the running app has
	DevDeps       map[string]string
	Workspaces    bool
	Nodemon       bool // it has settings of nodemon
}

// File is the name of a Package's file.
const File = "package.json"

// packages are those of a repository, read when they are needed.
type packages struct {
	repo fs.FS
	read func(dir string) (Package, error)
	seen map[string]Package
}

// at returns the package of a folder; "" is the root.
func (p *packages) at(dir string) (Package, error) {
	if m, ok := p.seen[dir]; ok {
		return m, nil
	}
	m, err := p.read(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return m, core.Reject(fmt.Sprintf("the start command uses %s, which is not in the repository", shorten(path.Join(dir, File))),
			"name a folder of the repository with a package.json")
	}
	if err == nil {
		p.seen[dir] = m
	}
	return m, err
}

func exists(repo fs.FS, name string) bool {
	_, err := fs.Lstat(repo, name)
	return err == nil
}

func shorten(s string) string { return progress.Shorten(s) }

// nearest returns the folder whose package.json npm uses in dir.
func (p *packages) nearest(dir string) string {
	for dir != "" && !exists(p.repo, path.Join(dir, File)) {
		dir = parent(dir)
	}
	return dir
}

func parent(dir string) string {
	if dir = path.Dir(dir); dir == "." {
		return ""
	}
	return dir
}

// workspace finds a package by its name, or by its folder, as -w, --filter and yarn workspace do.
func (p *packages) workspace(name, option string) (dir string, err error) {
	refuse := func(why string) (string, error) {
		return "", core.Reject(fmt.Sprintf("the start command chooses the workspace %q, %s", shorten(name), why),
			option+" takes the name of one package in the repository, or its folder")
	}
	if strings.ContainsAny(name, "*{}!^[]") || strings.Contains(name, "...") {
		return refuse("which can be several")
	}
	folder := path.Clean(name)
	if fs.ValidPath(folder) && folder != "." && exists(p.repo, path.Join(folder, File)) {
		return folder, nil
	}
	var exact, scoped []string
	for _, dir := range p.folders() {
		m, err := p.at(dir)
		if err != nil {
			continue // a broken one that is not asked for
		}
		if own := m.Name; own == name {
			exact = append(exact, dir)
		} else if strings.HasPrefix(own, "@") && strings.HasSuffix(own, "/"+name) {
			scoped = append(scoped, dir)
		}
	}
	if len(exact) == 0 && option == "--filter" {
		exact = scoped
	}
	switch len(exact) {
	case 0:
		return refuse("which is not in the repository")
	case 1:
		return exact[0], nil
	}
	return refuse("which is there more than once: " + strings.Join(exact, ", "))
}

// folders are those that have a package.json, but the root.
func (p *packages) folders() []string {
	var found []string
	left := maxFolders
	var walk func(dir string, depth int)
	walk = func(dir string, depth int) {
		entries, err := fs.ReadDir(p.repo, dir)
		if err != nil || left <= 0 || depth > maxDepth {
			return
		}
		left--
		if dir != "." && slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == File }) {
			found = append(found, dir)
		}
		for _, e := range entries {
			if e.IsDir() && e.Name() != nodeModules && !strings.HasPrefix(e.Name(), ".") {
				walk(path.Join(dir, e.Name()), depth+1)
			}
		}
	}
	walk(".", 0)
	return found
}
