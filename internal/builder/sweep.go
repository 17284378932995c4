package builder

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/image"
)

// What stays although no image needs it.
const (
	npmCacheLimit = 1 << 30            // bytes, for each app
	unusedTools   = 7 * 24 * time.Hour // a Node that nothing was built with
	leftBehind    = 24 * time.Hour     // of a build; none takes that long
)

// Sweep removes what sweep does not keep: layers, bases, caches of apps that are gone, tools that nothing needs any
// more, and what crashed builds left. It returns the bytes that this freed. What cannot be removed does not stop it;
// the errors are returned together.
func (b *Builder) Sweep(ctx context.Context, sweep *image.Sweep) (freed int64, err error) {
	s := &sweeper{b: b, sweep: sweep}
	parts := []func(){
		func() { s.count(b.layers.Sweep(sweep)) },
		func() { s.count(b.cfg.Bases.Sweep(sweep)) },
		s.appCaches, s.tools, s.leftovers,
	}
	for _, part := range parts {
		if ctx.Err() != nil {
			break
		}
		part()
	}
	return s.freed, errors.Join(append(s.errs, ctx.Err())...)
}

type sweeper struct {
	b     *Builder
	sweep *image.Sweep
	freed int64
	errs  []error
}

// count notes what a part of the sweep freed.
func (s *sweeper) count(freed int64, err error) {
	s.freed += freed
	s.failed(err)
}

func (s *sweeper) failed(err error) {
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.errs = append(s.errs, err)
	}
}

func (s *sweeper) list(dir string) []os.DirEntry {
	entries, err := os.ReadDir(dir)
	s.failed(err)
	return entries
}

// drop removes the folder at path, known to the shelf by name.
func (s *sweeper) drop(name, path string) {
	s.count(s.sweep.DropFolder(s.b.cfg.State, name, path))
}

func (s *sweeper) appCaches() {
	parent := s.b.cfg.State.AppCaches()
	for _, e := range s.list(parent) {
		app, dir := e.Name(), filepath.Join(parent, e.Name())
		if !s.sweep.Kept(image.AppCache(app)) {
			s.drop(image.AppCache(app), dir)
			continue
		}
		npm := (store{dir: dir}).npmCache()
		use, err := disk.Use(npm)
		s.failed(err)
		if err != nil || use.Bytes > npmCacheLimit { // what cannot be measured may be any size, and npm cannot use it
			s.drop(npmCacheOf(app), npm)
		}
	}
}

// npmCacheOf is the name by which an app's npm cache is known to the shelf.
func npmCacheOf(app string) string { return "npm cache of " + app }

// tools removes each Node and npm that no base has and nothing was built with
// for a while, but of each the one that was used last.
func (s *sweeper) tools() {
	have := s.b.cfg.Bases.NodeVersions()
	for _, p := range s.list(s.b.toolCache()) {
		dirs, err := filepath.Glob(filepath.Join(s.b.toolCache(), p.Name(), "*-*"))
		s.failed(err)
		slices.SortFunc(dirs, func(a, b string) int { return modified(b).Compare(modified(a)) })
		for _, dir := range dirs[min(1, len(dirs)):] {
			name := filepath.Base(dir)
			version := name[:strings.LastIndex(name, "-")]
			if !have[version] && time.Since(modified(dir)) > unusedTools {
				s.drop("tools in "+dir, dir)
			}
		}
	}
}

func (s *sweeper) leftovers() {
	for _, e := range s.list(s.b.cfg.State.Builds()) {
		path := filepath.Join(s.b.cfg.State.Builds(), e.Name())
		if !strings.HasPrefix(e.Name(), ".") && time.Since(modified(path)) > leftBehind {
			use, err := disk.Use(path)
			s.count(use.Bytes, errors.Join(err, disk.RemoveAll(path)))
		}
	}
}
