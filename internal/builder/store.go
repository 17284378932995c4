package builder

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"github.com/nodeos-dev/gitd/internal/builder/native"
	"github.com/nodeos-dev/gitd/internal/builder/tools"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/nodeapp"
)

// storeFormat is part of every key: raise it when what a build makes of the
// same input changes.
const storeFormat = 3

// keptInstalls is how many sets of installed dependencies an app keeps.
const keptInstalls = 2

// store is what an app's builds keep for the next one: npm's cache and
// installed dependencies. It is the app's own and shared with no other. npm
// checks what it finds in its cache against the lockfile, but a lockfile need
// not have a checksum for everything, and install scripts can write to the
// cache: what one app's pushers put there must not reach another's.
type store struct {
	dir string
	own func(path string) error
}

func (b *Builder) openStore(app string) (store, error) {
	if err := os.MkdirAll(b.cfg.State.AppCaches(), 0o711); err != nil {
		return store{}, err
	}
	s := b.storeOf(app)
	return s, s.open()
}

// store is one that ends with the build.
func (w *workshop) store() (store, error) {
	s := store{dir: w.path("store"), own: w.own}
	return s, s.open()
}

// open makes the folders that are not there yet.
func (s store) open() error {
	for _, dir := range []string{s.dir, s.npmCache(), filepath.Join(s.dir, "installs")} {
		if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
		if err := errors.Join(s.own(dir), disk.Unlock(dir)); err != nil { // a build may have locked the cache
			return err
		}
	}
	return nil
}

// storeOf is an app's store as it is; its folders may not be there yet.
func (b *Builder) storeOf(app string) store {
	return store{dir: b.cfg.State.AppCache(app), own: b.own}
}

func (s store) npmCache() string { return filepath.Join(s.dir, "npm") }

// install is one set of installed dependencies: all that a package manager made of one lockfile. Its folder holds
// node_modules with the devDependencies, if a build script may want them.
type install struct {
	Layer    core.Layer       `json:"layer"` // node_modules without the devDependencies; zero: not packed yet
	Programs nodeapp.Programs `json:"programs,omitempty"`
	Wants    []native.Want    `json:"wants,omitempty"`  // of the compiled files in Layer
	Bundle   string           `json:"bundle,omitempty"` // what is in the bundle of its files

	// Scripts is a package with an install script: it may read any file of the repository, so nothing is kept. "":
	// none.
	Scripts string `json:"scripts,omitempty"`
	NPM     string `json:"npm,omitempty"` // another npm has to be taken for this lockfile, and has a record of its own

	dir string
}

// installKey names the result of an installation: two builds with one key install the same. The lockfile counts as it
// is written, because reading it would take longer than the rare needless installation.
func installKey(p nodeapp.Plan, t tools.Toolchain) (string, error) {
	pkg, err := p.Root.InstallInput()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintf(h, "%d %s/%s node %s npm %s %s dev %t bundle %t\n",
		storeFormat, runtime.GOOS, runtime.GOARCH, t.Node, t.NPM, t.Manager, p.DevDeps, p.Package.Settings.Bundle)
	parts := [][]byte{[]byte(p.LockName), p.Lock, pkg}
	for _, name := range slices.Sorted(maps.Keys(p.Inputs)) {
		parts = append(parts, []byte(name), p.Inputs[name])
	}
	for _, part := range parts {
		fmt.Fprintf(h, "%d ", len(part))
		h.Write(part)
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}

func (i *install) take(d dependencies) {
	i.Layer, i.Programs, i.Wants, i.Bundle = d.layer, d.programs, d.wants, d.bundle
}

func (i install) cached() dependencies {
	return dependencies{i.Layer, i.Programs, i.Wants, i.Bundle, true}
}

func (s store) install(key string) install {
	return install{dir: filepath.Join(s.dir, "installs", key)}
}

func (i install) record() string  { return i.dir + ".json" }
func (i install) modules() string { return filepath.Join(i.dir, nodeapp.NodeModules) }

// load reads what is known of i, and keeps collections from removing its
// layer. It reports false when
// nothing is known.
func (i *install) load(state core.StateDir, hold *image.Hold) bool {
	b, err := os.ReadFile(i.record())
	if err != nil || json.Unmarshal(b, i) != nil {
		return false
	}
	hold.Take(i.Layer.Digest)
	if i.Layer.Digest != "" && image.CheckLayer(state, i.Layer) != nil {
		i.Layer = core.Layer{} // removed since, or cut short; it is packed again
	}
	now := time.Now()
	os.Chtimes(i.record(), now, now) //nolint:errcheck // only the order of removal depends on it
	return true
}

func (i install) save() error {
	b, err := json.Marshal(i)
	if err != nil {
		return err
	}
	return renameio.WriteFile(i.record(), b, 0o600)
}

// trim removes all but the installs that were used last.
func (s store) trim() error {
	records, err := filepath.Glob(filepath.Join(s.dir, "installs", "*.json"))
	if err != nil {
		return err
	}
	slices.SortFunc(records, func(a, b string) int { return modified(b).Compare(modified(a)) })
	for _, r := range records[min(keptInstalls, len(records)):] {
		if err := errors.Join(os.Remove(r), disk.RemoveAll(strings.TrimSuffix(r, ".json"))); err != nil {
			return err
		}
	}
	return nil
}

func modified(path string) time.Time {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}
