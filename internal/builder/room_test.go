package builder

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"gitd/internal/core"
	"gitd/internal/disk"
	"gitd/internal/image"
)

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

func TestNeedInRoom(t *testing.T) {
	has := room{bytes: 100 << 20, files: 1000, size: 200 << 20}
	tests := []struct {
		need need
		want string // in the reason; empty: it fits
	}{
		{need{50 << 20, 500}, ""},
		{need{100<<20 - reserve, 1000}, ""},
		{need{90 << 20, 1}, "needs about 122 MiB, and 100 MiB of 200 MiB are free"},
		{need{1, 1001}, "needs about 1001, and 1000 are free"},
	}
	for _, tt := range tests {
		err := tt.need.in(has, "this build")
		var rej *core.Rejection
		switch {
		case tt.want == "" && err != nil, tt.want != "" && !errors.As(err, &rej):
			t.Errorf("%v: %v", tt.need, err)
		case rej != nil && (!strings.Contains(rej.Reason, tt.want) || !strings.Contains(rej.Hint, "gitd du")):
			t.Errorf("%v: %q, %q", tt.need, rej.Reason, rej.Hint)
		}
	}
}

// TestPreflight: a repository that would not fit is refused before anything
// is written, and one that fits is not.
func TestPreflight(t *testing.T) {
	b := &Builder{cfg: Config{State: core.StateDir(smallDisk(t, 64<<20))}}
	check(t, b.cfg.State.Create())
	r := newRepository(t)
	for size, fits := range map[int]bool{1 << 20: true, 30 << 20: false} {
		id := r.commit(map[string]string{"package.json": `{"scripts": {"start": "node x.js"}}`, "x.js": "", "big": strings.Repeat("x", size)})
		c, err := openCommit(image.Source{App: "shop", Repo: r.path, Commit: id})
		check(t, err)
		defer c.close() //nolint:errcheck // it was only read
		p, err := makePlan(c)
		check(t, err)
		err = (&job{b: b, plan: p, src: image.Source{App: "shop"}}).fits(c)
		if (err == nil) != fits {
			t.Errorf("%d bytes in a file: %v", size, err)
		}
		if n := disk.Use(b.cfg.State.Builds()); n > 0 {
			t.Errorf("%d bytes were written", n)
		}
	}
}

// TestPackOnFullDisk: the layer is not made, the cause is known, nothing is
// left, and with room again the same call works.
func TestPackOnFullDisk(t *testing.T) {
	b := &Builder{cfg: Config{State: core.StateDir(smallDisk(t, 4<<20))}}
	check(t, b.cfg.State.Create())
	dir := t.TempDir()
	random, err := os.ReadFile("/proc/self/exe")
	check(t, err)
	check(t, os.WriteFile(filepath.Join(dir, "app"), random[:min(len(random), 3<<20)], 0o644))
	ballast := filepath.Join(string(b.cfg.State), "ballast")
	check(t, os.WriteFile(ballast, make([]byte, 3<<20+512<<10), 0o600))
	_, err = b.storeLayer(t.Context(), dir, nil)
	if !errors.Is(err, unix.ENOSPC) {
		t.Errorf("storeLayer on a full disk: %v", err)
	}
	if left, err := os.ReadDir(b.cfg.State.Builds()); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	check(t, os.Remove(ballast))
	l, err := b.storeLayer(t.Context(), dir, nil)
	if err != nil || image.CheckLayer(b.cfg.State, l) != nil {
		t.Errorf("with room again: %v", err)
	}
}

func TestSaysFull(t *testing.T) {
	cause := errors.New("exit status 1")
	for said, want := range map[string]bool{
		"npm error code ENOSPC":          true,
		"write: No space left on device": true,
		"npm error code ENOENT":          false,
		"":                               false,
	} {
		err := saysFull(cause, said)
		if errors.Is(err, unix.ENOSPC) != want || !errors.Is(err, cause) {
			t.Errorf("%q: %v", said, err)
		}
	}
	if saysFull(nil, "ENOSPC") != nil {
		t.Error("what did not fail has an error")
	}
}
