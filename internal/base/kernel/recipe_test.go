package kernel

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestRecipeFollowsItsInputs: another source is another kernel, though its
// size and time are the same; the same source in another place is not.
func TestRecipeFollowsItsInputs(t *testing.T) {
	c := Config{Source: filepath.Join(t.TempDir(), "linux.tar"), Cache: t.TempDir(), Arch: runtime.GOARCH}
	write := func(content string) string {
		t.Helper()
		if err := os.WriteFile(c.Source, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		r, err := c.recipe()
		if err != nil {
			t.Fatal(err)
		}
		return r.digest()
	}
	first := write("one")
	if again, err := c.recipe(); err != nil || again.digest() != first {
		t.Errorf("asked again: %s, %v; want %s", again.digest(), err, first)
	}
	if second := write("two"); second == first {
		t.Error("another source has the same digest")
	}
	if memos, err := filepath.Glob(filepath.Join(c.Cache, ".inputs-*")); err != nil || len(memos) != 1 {
		t.Errorf("memos %v, %v; want one", memos, err)
	}
	c.Source = filepath.Join(t.TempDir(), "elsewhere.tar")
	if moved := write("one"); moved != first {
		t.Error("the same source in another place has another digest")
	}
}

func TestFindSaysWhatIsMissing(t *testing.T) {
	c := Config{Source: filepath.Join(t.TempDir(), "none.tar.xz"), Cache: t.TempDir(), Packaged: filepath.Join(t.TempDir(), "none")}
	if _, err := c.Find(); !errors.Is(err, ErrCannotCompile) || !strings.Contains(err.Error(), "run scripts/setup kernel") {
		t.Errorf("no source: %v", err)
	}
	if err := os.WriteFile(c.Source, []byte("a source"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Find(); !errors.Is(err, ErrNotCompiled) {
		t.Errorf("not compiled: %v", err)
	}
}

// TestPackaged: the kernel of the package is taken where none is compiled, or an older one.
func TestPackaged(t *testing.T) {
	c := Config{Source: filepath.Join(t.TempDir(), "linux.tar"), Cache: t.TempDir(), Packaged: t.TempDir(), Arch: runtime.GOARCH}
	put := func(dir, release string) {
		t.Helper()
		err := errors.Join(os.MkdirAll(dir, 0o755),
			os.WriteFile(filepath.Join(dir, "kernel.json"), []byte(`{"release": "`+release+`"}`), 0o644))
		if err != nil {
			t.Fatal(err)
		}
	}
	find := func(want string) {
		t.Helper()
		if k, err := c.Find(); err != nil || k.Dir != want {
			t.Errorf("%s (%s), %v; want %s", k.Dir, k.Release, err, want)
		}
	}
	put(c.Packaged, "6.1.99-nodeos")
	find(c.Packaged) // a host without a source, as packages make it
	if err := os.WriteFile(c.Source, []byte("a source"), 0o644); err != nil {
		t.Fatal(err)
	}
	find(c.Packaged) // a source that nobody has compiled
	r, err := c.recipe()
	if err != nil {
		t.Fatal(err)
	}
	compiled := filepath.Join(c.Cache, r.digest())
	for release, want := range map[string]string{
		"6.1.98-nodeos": c.Packaged, "6.1.99-nodeos": compiled, "6.1.100-nodeos": compiled, "6.12.1-nodeos": compiled, "5.10.200-nodeos": c.Packaged,
	} {
		put(compiled, release)
		find(want)
	}
	if err := os.WriteFile(filepath.Join(c.Packaged, "kernel.json"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if k, err := c.Find(); err == nil {
		t.Errorf("a broken package gives %+v", k)
	}
}

// TestPrune keeps the newest kernels and nothing of abandoned compiles.
func TestPrune(t *testing.T) {
	cache := t.TempDir()
	for _, name := range []string{"1111111111111111", "2222222222222222", "3333333333333333", "4444444444444444", "5555555555555555.build"} {
		dir := filepath.Join(cache, name)
		if err := errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(filepath.Join(dir, "kernel.json"), []byte("{}"), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	old := filepath.Join(cache, "2222222222222222")
	if err := os.Chtimes(old, modTime(old).Add(-1e9), modTime(old).Add(-1e9)); err != nil {
		t.Fatal(err)
	}
	if _, err := openAndPrune(filepath.Join(cache, "4444444444444444"), cache); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(cache)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range left {
		names = append(names, e.Name()[:1])
	}
	if got := strings.Join(names, ""); got != "134" {
		t.Errorf("left: %s, want 1, 3 and 4", got)
	}
}
