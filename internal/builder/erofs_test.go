package builder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gitd/internal/core"
	"gitd/internal/guest"
)

// plant makes the same tree in dir, its files created in the given order.
func plant(t *testing.T, dir string, names []string, modified time.Time) {
	t.Helper()
	for _, name := range names {
		p := filepath.Join(dir, name)
		check(t, os.MkdirAll(filepath.Dir(p), 0o755))
		check(t, os.WriteFile(p, bytes.Repeat([]byte("content of "+name+"\n"), 400), 0o644))
		check(t, os.Chtimes(p, modified, modified))
	}
	check(t, os.Symlink("a/1.js", filepath.Join(dir, "link")))
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func manyNames() []string {
	var names []string
	for i := range 200 {
		names = append(names, fmt.Sprintf("%c/%d.js", 'a'+i%5, i/5), fmt.Sprintf("top%d", i))
	}
	return names
}

func TestPackIsDeterministic(t *testing.T) {
	names := manyNames()
	first, second := t.TempDir(), filepath.Join(t.TempDir(), "elsewhere")
	plant(t, first, names, time.Unix(1e9, 0))
	slices.Reverse(names)
	check(t, os.Mkdir(second, 0o755))
	plant(t, second, names, time.Now())
	if os.Geteuid() == 0 {
		check(t, os.Chown(filepath.Join(second, "a/1.js"), 12345, 12345))
	}
	for name, opts := range map[string]packOptions{
		"plain": {}, "dense": {Compression: dense}, "quick, owned": {Compression: quick, Owner: guest.AppUID},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := pack(t, first, opts), pack(t, second, opts)
			if !bytes.Equal(a, b) {
				t.Error("the same tree gave other bytes")
			}
		})
	}
}

func pack(t *testing.T, dir string, opts packOptions) []byte {
	t.Helper()
	image := filepath.Join(t.TempDir(), "image")
	check(t, packEROFS(t.Context(), dir, image, opts))
	b, err := os.ReadFile(image)
	check(t, err)
	return b
}

func TestPackErrors(t *testing.T) {
	dir := t.TempDir()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, tc := range map[string]struct {
		ctx      context.Context
		src, dst string
		want     string
	}{
		"no folder":   {t.Context(), filepath.Join(dir, "none"), filepath.Join(dir, "i"), "mkfs.erofs"},
		"option-like": {t.Context(), "--help", filepath.Join(dir, "i"), "absolute"},
		"cancelled":   {cancelled, dir, filepath.Join(t.TempDir(), "i"), "context canceled"},
	} {
		err := packEROFS(tc.ctx, tc.src, tc.dst, packOptions{})
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", name, err, tc.want)
		}
	}
}

func newTestBuilder(t *testing.T) *Builder {
	t.Helper()
	state := core.StateDir(t.TempDir())
	check(t, state.Create())
	return &Builder{cfg: Config{State: state, Kernel: StockKernel, StockKernel: setupKernel}}
}

func TestStoreLayer(t *testing.T) {
	b := newTestBuilder(t)
	dir := t.TempDir()
	plant(t, dir, []string{"server.js", "bin/tool", "caf\xe9.txt"}, time.Now())
	check(t, os.Chmod(filepath.Join(dir, "bin/tool"), os.ModeSetuid|0o711))
	check(t, os.Chmod(filepath.Join(dir, "server.js"), 0o600))

	layer, err := b.storeLayer(t.Context(), dir, nil)
	check(t, err)
	path := b.cfg.State.Layer(layer.Digest)
	info, err := os.Stat(path)
	check(t, err)
	if info.Mode() != 0o644 || info.Size() != layer.Size {
		t.Errorf("layer file: mode %v, %d bytes; want 0644, %d", info.Mode(), info.Size(), layer.Size)
	}
	out := filepath.Join(t.TempDir(), "x")
	extract(t, path, out)
	for name, want := range map[string]os.FileMode{"bin/tool": 0o755, "server.js": 0o644, "bin": os.ModeDir | 0o755} {
		if info, err := os.Lstat(filepath.Join(out, name)); err != nil || info.Mode() != want {
			t.Errorf("%s: mode %v (%v), want %v", name, info.Mode(), err, want)
		}
	}

	// What has rotted since is whole again.
	check(t, os.WriteFile(path, make([]byte, layer.Size), 0o644))
	again, err := b.storeLayer(t.Context(), dir, nil)
	check(t, err)
	if err := verifyFile(t.Context(), path, layer); err != nil || again != layer {
		t.Errorf("stored again as %v: %v", again, err)
	}
	if left, err := os.ReadDir(b.cfg.State.Builds()); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// extract unpacks an image, and checks it on the way.
func extract(t *testing.T, image, dir string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "fsck.erofs", "--extract="+dir, image)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("fsck.erofs: %v: %s", err, out)
	}
}

func TestStoreLayerRefusesSpecialFiles(t *testing.T) {
	b := newTestBuilder(t)
	dir := t.TempDir()
	check(t, os.Mkdir(filepath.Join(dir, "run"), 0o755))
	check(t, unix.Mkfifo(filepath.Join(dir, "run/pipe\n"), 0o644))
	_, err := b.storeLayer(t.Context(), dir, nil)
	var rejection *core.Rejection
	if !errors.As(err, &rejection) || !strings.Contains(rejection.Reason, `"run/pipe\n"`) {
		t.Errorf("got %v, want a rejection that names the pipe", err)
	}
}
