package builder

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/nodeapp"
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
	has := disk.Space{Free: 100 << 20, Files: 1000, Size: 200 << 20}
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
		err := tt.need.checkIn(has, "this build")
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
	b := builderIn(t, smallDisk(t, 64<<20))
	r := newRepository(t)
	for size, fits := range map[int]bool{1 << 20: true, 30 << 20: false} {
		id := r.commit(map[string]string{"package.json": `{"scripts": {"start": "node x.js"}}`, "x.js": "", "big": strings.Repeat("x", size)})
		c, err := openCommit(image.Source{App: "shop", Repo: r.path, Commit: id})
		check(t, err)
		defer c.close() //nolint:errcheck // it was only read
		p, err := nodeapp.MakePlan(repoFS{c}, "")
		check(t, err)
		err = (&job{b: b, plan: p, src: image.Source{App: "shop"}}).checkRoom(c)
		if (err == nil) != fits {
			t.Errorf("%d bytes in a file: %v", size, err)
		}
		if u, err := disk.Use(b.cfg.State.Builds()); u.Bytes > 0 || err != nil {
			t.Errorf("%d bytes were written, %v", u.Bytes, err)
		}
	}
}
