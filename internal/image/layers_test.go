package image

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gitd/internal/core"
)

func newLayers(t *testing.T) Layers {
	t.Helper()
	state := core.StateDir(t.TempDir())
	check(t, state.Create())
	return OpenLayers(state)
}

func TestStoreLayer(t *testing.T) {
	layers := newLayers(t)
	dir := t.TempDir()
	plant(t, dir, []string{"server.js", "bin/tool", "caf\xe9.txt"}, time.Now())
	check(t, os.Chmod(filepath.Join(dir, "bin/tool"), os.ModeSetuid|0o711))
	check(t, os.Chmod(filepath.Join(dir, "server.js"), 0o600))

	layer, err := layers.Store(t.Context(), dir, nil)
	check(t, err)
	path := layers.state.Layer(layer.Digest)
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
	again, err := layers.Store(t.Context(), dir, nil)
	check(t, err)
	if err := CheckDigest(t.Context(), path, layer); err != nil || again != layer {
		t.Errorf("stored again as %v: %v", again, err)
	}
	if left, err := os.ReadDir(layers.state.Builds()); err != nil || len(left) != 0 {
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
	layers := newLayers(t)
	dir := t.TempDir()
	check(t, os.Mkdir(filepath.Join(dir, "run"), 0o755))
	check(t, unix.Mkfifo(filepath.Join(dir, "run/pipe\n"), 0o644))
	_, err := layers.Store(t.Context(), dir, nil)
	var rejection *core.Rejection
	if !errors.As(err, &rejection) || !strings.Contains(rejection.Reason, `"run/pipe\n"`) {
		t.Errorf("got %v, want a rejection that names the pipe", err)
	}
}

// smallDisk mounts a file system of so many bytes.
func smallDisk(t *testing.T, bytes int) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", bytes)); err != nil {
		t.Skipf("mounting a small file system needs root: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, 0) }) //nolint:errcheck // the test has ended
	return dir
}

// TestPackOnFullDisk: the layer is not made, the cause is known, nothing is
// left, and with room again the same call works.
func TestPackOnFullDisk(t *testing.T) {
	layers := OpenLayers(core.StateDir(smallDisk(t, 4<<20)))
	check(t, layers.state.Create())
	dir := t.TempDir()
	random, err := os.ReadFile("/proc/self/exe")
	check(t, err)
	check(t, os.WriteFile(filepath.Join(dir, "app"), random[:min(len(random), 3<<20)], 0o644))
	ballast := filepath.Join(string(layers.state), "ballast")
	check(t, os.WriteFile(ballast, make([]byte, 3<<20+512<<10), 0o600))
	_, err = layers.Store(t.Context(), dir, nil)
	if !errors.Is(err, unix.ENOSPC) {
		t.Errorf("Store on a full disk: %v", err)
	}
	if left, err := os.ReadDir(layers.state.Builds()); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	check(t, os.Remove(ballast))
	l, err := layers.Store(t.Context(), dir, nil)
	if err != nil || CheckLayer(layers.state, l) != nil {
		t.Errorf("with room again: %v", err)
	}
}
