package image

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeos-dev/gitd/internal/core"
)

func newLayers(t *testing.T) Layers {
	t.Helper()
	state := core.StateDir(t.TempDir())
	check(t, state.Create())
	return OpenLayers(state)
}

func TestStoreLayer(t *testing.T) {
	if testing.Short() {
		t.Skip("needs mkfs.erofs")
	}
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

// TestVerifyLayer: a layer that is not what its name says is removed and named; one that is whole stays.
func TestVerifyLayer(t *testing.T) {
	if testing.Short() {
		t.Skip("needs mkfs.erofs")
	}
	layers := newLayers(t)
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "a.js"), []byte("content"), 0o644))
	l, err := layers.Store(t.Context(), dir, nil)
	check(t, err)
	check(t, layers.Verify(t.Context(), l))
	path := layers.state.Layer(l.Digest)
	check(t, os.Truncate(path, l.Size-1))
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := layers.Verify(cancelled, l); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("a cancelled look removed the layer: %v", err)
	}
	var damage *core.Rejection
	if err := layers.Verify(t.Context(), l); !errors.As(err, &damage) || !strings.Contains(damage.Reason, l.Digest[:12]) || damage.Err == nil {
		t.Errorf("damaged: %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the damaged layer is still there: %v", err)
	}
}

// TestSweepLayers: the layers that nobody needs go, and what is no layer is left alone.
func TestSweepLayers(t *testing.T) {
	layers, shelf := newLayers(t), &Shelf{}
	for _, name := range []string{"kept", "held", "needless"} {
		check(t, os.WriteFile(layers.state.Layer(name), make([]byte, 8192), 0o644))
	}
	check(t, os.WriteFile(filepath.Join(layers.state.Layers(), "other"), nil, 0o644))
	shelf.Hold().Take("held")
	sweep := shelf.Sweep()
	defer sweep.End()
	sweep.Keep("kept")
	freed, err := layers.Sweep(sweep)
	if err != nil || freed != 8192 {
		t.Errorf("freed %d bytes, %v", freed, err)
	}
	left, err := os.ReadDir(layers.state.Layers())
	check(t, err)
	if len(left) != 3 {
		t.Errorf("left: %v", left)
	}
}

// TestDropFolder: a folder that is needed stays where it is; another one goes, and so does what an earlier removal of
// the same name left.
func TestDropFolder(t *testing.T) {
	state, shelf := newLayers(t).state, &Shelf{}
	folder := filepath.Join(state.Cache(), "tools")
	for _, dir := range []string{folder, trash(state, folder)} {
		check(t, os.MkdirAll(filepath.Join(dir, "below"), 0o755))
		// Folders alone take no room on every file system.
		check(t, os.WriteFile(filepath.Join(dir, "below/tool"), []byte("content"), 0o644))
	}
	hold := shelf.Hold()
	hold.Take("tools")
	for _, held := range []bool{true, false} {
		want := error(nil)
		if !held {
			want = fs.ErrNotExist
			hold.Release()
		}
		sweep := shelf.Sweep()
		freed, err := sweep.DropFolder(state, "tools", folder)
		sweep.End()
		if err != nil || (freed > 0) == held {
			t.Errorf("held %t: freed %d bytes, %v", held, freed, err)
		}
		if _, err := os.Stat(folder); !errors.Is(err, want) {
			t.Errorf("held %t: %v", held, err)
		}
	}
	if left, err := os.ReadDir(state.Builds()); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	check(t, RemoveFolder(state, state.Machines()))
	if _, err := os.Stat(state.Machines()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
}
