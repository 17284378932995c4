package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// nest makes folders in each other below top. make is called with each of them.
func nest(t *testing.T, top string, deep int, make func(at *os.Root, n int)) {
	t.Helper()
	at, err := os.OpenRoot(top)
	check(t, err)
	for n := range deep {
		check(t, at.Mkdir("d", 0o755))
		next, err := at.OpenRoot("d")
		check(t, err)
		make(at, n)
		check(t, at.Close())
		at = next
	}
	check(t, at.Close())
}

// fewDescriptors lets this process open 64 files until the test ends.
func fewDescriptors(t *testing.T) {
	t.Helper()
	var before syscall.Rlimit
	check(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before))
	limit := before
	limit.Cur = 64
	check(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
	t.Cleanup(func() { syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before) }) //nolint:errcheck // it was so before
}

// uses is what a folder takes, all of which can be read.
func uses(t *testing.T, path string) Used {
	t.Helper()
	u, err := Use(path)
	check(t, err)
	return u
}

// TestUse: holes take nothing, a file with two names is one, and a folder is what its files are.
func TestUse(t *testing.T) {
	dir := t.TempDir()
	empty := uses(t, dir)
	f, err := os.Create(filepath.Join(dir, "sparse"))
	check(t, err)
	defer f.Close()
	check(t, f.Truncate(1<<30))
	check(t, os.WriteFile(filepath.Join(dir, "full"), make([]byte, 1<<20), 0o600))
	for n := range 5 {
		check(t, os.Link(filepath.Join(dir, "full"), filepath.Join(dir, fmt.Sprint("name", n))))
	}
	check(t, os.Symlink(".", filepath.Join(dir, "again")))
	got := uses(t, dir)
	if bytes := got.Bytes - empty.Bytes; bytes < 1<<20 || bytes > 2<<20 || got.Files-empty.Files != 3 {
		t.Errorf("a file of 1 MiB with six names, a hole of 1 GiB and a link take %d bytes, %d files", bytes, got.Files-empty.Files)
	}
	if got := uses(t, filepath.Join(dir, "full")); got.Bytes < 1<<20 || got.Files != 1 {
		t.Errorf("a file of 1 MiB takes %+v", got)
	}
	if got := uses(t, filepath.Join(dir, "none")); got != (Used{}) {
		t.Errorf("what is not there takes %+v", got)
	}
}

// TestUseDeepTree: a build hid gigabytes from the limit of its cache, and from du, at the bottom of folders whose path
// is longer than the system takes one.
func TestUseDeepTree(t *testing.T) {
	const deep = 3_000
	top := t.TempDir()
	nest(t, top, deep, func(at *os.Root, n int) {
		if n == deep-1 {
			check(t, at.WriteFile("file", make([]byte, 1<<20), 0o600))
		}
	})
	t.Cleanup(func() { RemoveAll(filepath.Join(top, "d")) }) //nolint:errcheck // testing's own removal needs a descriptor a level
	fewDescriptors(t)
	if got := uses(t, top); got.Bytes < 1<<20 || got.Files != deep+2 || got.Depth != deep || got.Path != 2*(deep-1)+len("file") {
		t.Errorf("1 MiB below %d folders takes %+v", deep, got)
	}
}

// TestUseLocked: a build hid what it left in folders that their owner may not enter. They are read, and left as they
// were; the folders of somebody else, which cannot be, are said.
func TestUseLocked(t *testing.T) {
	ordinary(t)
	dir := t.TempDir()
	check(t, os.MkdirAll(filepath.Join(dir, "a/b/c"), 0o755))
	check(t, os.WriteFile(filepath.Join(dir, "a/b/c/file"), make([]byte, 1<<20), 0))
	locked := map[string]fs.FileMode{"a/b/c": 0o400, "a/b": 0, "a": 0o300}
	for _, name := range []string{"a/b/c", "a/b", "a"} {
		check(t, os.Chmod(filepath.Join(dir, name), locked[name]))
	}
	if got := uses(t, dir); got.Bytes < 1<<20 || got.Files != 5 {
		t.Errorf("1 MiB in locked folders takes %+v", got)
	}
	for _, name := range []string{"a", "a/b", "a/b/c"} {
		info, err := os.Lstat(filepath.Join(dir, name))
		check(t, err)
		if info.Mode().Perm() != locked[name] {
			t.Errorf("%s has the mode %s now, not %s", name, info.Mode(), locked[name])
		}
		check(t, os.Chmod(filepath.Join(dir, name), 0o700))
	}
	if os.Geteuid() == 0 {
		return
	}
	if _, err := Use("/root"); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "1 files or folders in /root cannot be read") {
		t.Errorf("root's own folder: %v", err)
	}
}

// TestUseWhileMoved: a build moves a folder while it is measured. What is beside it still counts, and the rest of what
// was moved away is said to be missing.
func TestUseWhileMoved(t *testing.T) {
	dir := t.TempDir()
	check(t, os.MkdirAll(filepath.Join(dir, "top/a/b/c"), 0o755))
	check(t, os.MkdirAll(filepath.Join(dir, "top/b"), 0o755))
	check(t, os.WriteFile(filepath.Join(dir, "top/b/file"), make([]byte, 1<<20), 0o600))
	var bytes int64
	moved := false
	w := walk{top: filepath.Join(dir, "top"), see: func(info fs.FileInfo, _, _ int) {
		bytes += Allocated(info)
		if info.Name() == "c" && !moved {
			moved = true
			check(t, os.Rename(filepath.Join(dir, "top/a/b"), filepath.Join(dir, "b")))
			check(t, os.Rename(filepath.Join(dir, "top/a"), filepath.Join(dir, "a")))
		}
	}}
	err := w.run()
	if !moved || err == nil || !strings.Contains(err.Error(), `somebody has moved the folder "a"`) || bytes < 1<<20 {
		t.Errorf("moved %t: %d bytes, %v", moved, bytes, err)
	}
}

// TestUseIsLinear: ten times the depth takes about ten times the time, and no hundred times.
func TestUseIsLinear(t *testing.T) {
	took := func(deep int) time.Duration {
		top := t.TempDir()
		nest(t, top, deep, func(*os.Root, int) {})
		defer RemoveAll(filepath.Join(top, "d")) //nolint:errcheck // testing removes it otherwise
		best := time.Hour
		for range 3 {
			began := time.Now()
			uses(t, top)
			best = min(best, time.Since(began))
		}
		return best
	}
	few, many := took(400), took(4_000)
	t.Logf("400 folders in each other: %s, 4,000: %s", few, many)
	if many > 40*few {
		t.Errorf("400 folders in each other take %s, 4,000 take %s", few, many)
	}
}
