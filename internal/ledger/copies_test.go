package ledger

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeos-dev/gitd/internal/ledger/copies"
)

// TestRestore: a ledger comes back from its newest sound copy, and what was there is not thrown away.
func TestRestore(t *testing.T) {
	ctx, path := t.Context(), newPath(t)
	l := openAt(t, path)
	day := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for i, app := range []string{"shop", "blog", "web"} {
		if _, err := l.CreateApp(ctx, app); err != nil {
			t.Fatal(err)
		}
		if i < 2 { // both with a log that is not folded
			if _, err := l.copy(ctx, day.Add(time.Duration(i)*time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := copies.Newest(ctx, path)
	if err != nil || c.Name() != "gitd-20260301T130000Z" {
		t.Fatalf("%+v, %v", c, err)
	}
	aside, err := Restore(ctx, path, c)
	if err != nil {
		t.Fatal(err)
	}
	if got := appNames(t, path); got != "blog shop" {
		t.Errorf("restored: %s", got)
	}
	if got := appNames(t, aside); got != "blog shop web" {
		t.Errorf("aside: %s", got)
	}
	if info, err := os.Stat(c.Path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("copy: %v, %v", info, err)
	}

	// A damaged copy is passed over, and refused by name.
	if err := os.Truncate(c.Path, 5000); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(ctx, path, c); err == nil || !strings.Contains(err.Error(), "not sound") {
		t.Errorf("a damaged copy: %v", err)
	}
	if c, err = copies.Newest(ctx, path); err != nil || c.Name() != "gitd-20260301T120000Z" {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := copies.Newest(ctx, newPath(t)); !errors.Is(err, copies.ErrNone) {
		t.Errorf("no copy: %v", err)
	}
}

func appNames(t *testing.T, path string) string {
	t.Helper()
	l, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	apps, err := l.Apps(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, a := range apps {
		names = append(names, a.Name)
	}
	return strings.Join(names, " ")
}

// TestPrune removes what is not kept, what was begun, and nothing else.
func TestPrune(t *testing.T) {
	l := openAt(t, newPath(t))
	hour := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, minute := range []int{0, 20, 40} {
		if _, err := l.copy(t.Context(), hour.Add(time.Duration(minute)*time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	dir := copies.Folder(l.path)
	for _, name := range []string{"gitd-20260301T130000Z.db.new", "aside-20260301T130000.000000000Z.db", "notes.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := copies.Prune(l.path); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	want := []string{"aside-20260301T130000.000000000Z.db", "gitd-20260301T120000Z.db", "gitd-20260301T124000Z.db", "notes.txt"}
	if !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
}

// TestNoCopyOnAFullDisk: the last room is left to the ledger itself.
func TestNoCopyOnAFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounts a small file system: run as root")
	}
	l := openAt(t, newPath(t))
	dir := copies.Folder(l.path)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=200M"); err != nil {
		t.Fatal(err)
	}
	defer unix.Unmount(dir, 0) //nolint:errcheck // the test has ended
	if l.KeepCopy(t.Context(), slog.New(slog.DiscardHandler)) {
		t.Error("a copy was made")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("%v, %v", entries, err)
	}
}
