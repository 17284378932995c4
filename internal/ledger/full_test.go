package ledger_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/ledger"
)

// TestFullDisk: a write that does not fit is an ENOSPC and changes nothing;
// what was there can be read, and with room again the ledger writes.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("mounting a small file system needs root: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, 0) }) //nolint:errcheck // the test has ended
	l, err := ledger.Open(t.Context(), filepath.Join(dir, "gitd.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := l.CreateApp(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	fill(t, dir)
	for n := 0; err == nil && n < 10_000; n++ { // what it has allocated is used up at some point
		_, err = l.CreateApp(t.Context(), fmt.Sprintf("app%d", n))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("on a full disk: %v", err)
	}
	if app, err := l.App(t.Context(), "shop"); err != nil || app.Name != "shop" {
		t.Errorf("what was there: %+v, %v", app, err)
	}
	if err := os.Remove(filepath.Join(dir, "ballast")); err != nil {
		t.Fatal(err)
	}
	if _, err := l.AddRelease(t.Context(), core.Release{
		App: "shop", Commit: fmt.Sprintf("%040d", 1), Trigger: core.ByPush, State: core.Building, Created: time.Now(),
	}); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

// TestFullDiskAtTheStart: gitd that was started on a full disk said "disk I/O error (4874)", SQLite's code for shared
// memory that cannot grow. So does a reader, which makes that memory when it is the first.
func TestFullDiskAtTheStart(t *testing.T) {
	for _, room := range []int64{0, 4096, 16 << 10, 40 << 10} {
		t.Run(fmt.Sprint(room), func(t *testing.T) {
			dir := t.TempDir()
			if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
				t.Skipf("mounting a small file system needs root: %v", err)
			}
			t.Cleanup(func() { syscall.Unmount(dir, 0) }) //nolint:errcheck // the test has ended
			path := filepath.Join(dir, "gitd.db")
			l, err := ledger.Open(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := l.CreateApp(t.Context(), "shop"); err != nil {
				t.Fatal(err)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			fill(t, dir)
			if info, err := os.Stat(filepath.Join(dir, "ballast")); err != nil || os.Truncate(filepath.Join(dir, "ballast"), info.Size()-room) != nil {
				t.Fatal(err)
			}
			if l, err = ledger.Open(t.Context(), path); err == nil {
				_, err = l.CreateApp(t.Context(), "blog")
				l.Close()
			}
			if !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("with %d bytes: %v", room, err)
			}
		})
	}
}

// fill leaves no room in dir.
func fill(t *testing.T, dir string) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 4096); err == nil; {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}
