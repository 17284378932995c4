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

	"github.com/Masterminds/semver/v3"

	"gitd/internal/disk"
	"gitd/internal/image"
)

// What stays although no image needs it.
const (
	npmCacheLimit = 1 << 30            // bytes, for each app
	youngBase     = 24 * time.Hour     // `base:build` made it for a push to come
	unusedTools   = 7 * 24 * time.Hour // a Node that nothing was built with
	leftBehind    = 24 * time.Hour     // of a build; none takes that long
)

// Sweep removes what sweep does not keep: layers, bases, caches of apps that
// are gone, tools that nothing needs any more, and what crashed builds left.
// It returns the bytes that this freed. What cannot be removed does not stop
// it; the errors are returned together.
func (b *Builder) Sweep(ctx context.Context, sweep *image.Sweep) (freed int64, err error) {
	s := &sweeper{b: b, sweep: sweep}
	for _, part := range []func(){s.layers, s.bases, s.appCaches, s.tools, s.leftovers} {
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

// drop removes the folder at path, known to the shelf by name. It leaves its
// place at once and is removed afterwards, so that no build waits for that,
// and no crash leaves half of it there.
func (s *sweeper) drop(name, path string) {
	trash := filepath.Join(s.b.cfg.State.Builds(), "trash-"+filepath.Base(path))
	s.failed(removeTree(trash))
	dropped, err := s.sweep.Drop(name, func() error { return os.Rename(path, trash) })
	s.failed(err)
	if dropped && err == nil {
		s.freed += disk.Use(trash)
		s.failed(removeTree(trash))
	}
}

func (s *sweeper) layers() {
	for _, e := range s.list(s.b.cfg.State.Layers()) {
		digest, ok := strings.CutSuffix(e.Name(), ".erofs")
		if !ok || s.sweep.Kept(digest) {
			continue
		}
		path := s.b.cfg.State.Layer(digest)
		size := disk.Use(path)
		dropped, err := s.sweep.Drop(digest, func() error { return os.Remove(path) })
		s.failed(err)
		if dropped && err == nil {
			s.freed += size
		}
	}
}

// bases leaves the newest one of the newest Node, which the next app will
// want.
func (s *sweeper) bases() {
	all := s.b.bases()
	best := newest(all)
	for _, x := range all {
		if !s.sweep.Kept(x.id) && x.id != best && time.Since(x.made) > youngBase {
			s.drop(x.id, s.b.cfg.State.Base(x.id))
		}
	}
}

// madeBase is what a sweep looks at in a base.
type madeBase struct {
	id   string
	node *semver.Version // nil: it cannot be read
	made time.Time
}

func (b *Builder) bases() []madeBase {
	entries, err := os.ReadDir(b.cfg.State.Bases())
	if err != nil {
		return nil
	}
	var all []madeBase
	for _, e := range entries {
		if !isBaseID(e.Name()) {
			continue
		}
		x := madeBase{id: e.Name(), made: modified(b.cfg.State.Base(e.Name()))}
		if base, err := ReadBase(b.cfg.State, x.id); err == nil {
			x.node, _ = semver.NewVersion(base.Node)
		}
		all = append(all, x)
	}
	return all
}

func newest(all []madeBase) (id string) {
	var best madeBase
	for _, x := range all {
		switch {
		case x.node == nil:
		case best.node == nil, x.node.GreaterThan(best.node), x.node.Equal(best.node) && x.made.After(best.made):
			best = x
		}
	}
	return best.id
}

func (s *sweeper) appCaches() {
	parent := s.b.cfg.State.AppCaches()
	for _, e := range s.list(parent) {
		app, dir := e.Name(), filepath.Join(parent, e.Name())
		if !s.sweep.Kept(image.AppCache(app)) {
			s.drop(image.AppCache(app), dir)
			continue
		}
		if npm := (store{dir: dir}).npmCache(); disk.Use(npm) > npmCacheLimit {
			s.drop(npmCacheOf(app), npm)
		}
	}
}

// npmCacheOf is the name by which an app's npm cache is known to the shelf.
func npmCacheOf(app string) string { return "npm cache of " + app }

// tools removes each Node and npm that no base has and nothing was built with
// for a while, but of each the one that was used last.
func (s *sweeper) tools() {
	have := map[string]bool{}
	for _, x := range s.b.bases() {
		if x.node != nil {
			have[x.node.String()] = true
		}
	}
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
			s.freed += disk.Use(path)
			s.failed(removeTree(path))
		}
	}
}
