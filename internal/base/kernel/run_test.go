package kernel

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestCounter: what make prints comes in pieces, and has lines of other
// kinds, of other programs, and longer ones than are kept.
func TestCounter(t *testing.T) {
	var told []int
	c := &counter{done: 10, tell: func(n int) { told = append(told, n) }}
	out := "  HOSTCC  scripts/basic/fixdep\n  CC      init/main.o\n  AS      arch/x86/entry/entry_64.o\n" +
		"  CC      /build/linux/tools/objtool/check.o\n  AR      init/built-in.a\n" + strings.Repeat("x", 3*maxLine) + "\n  CC      init/version.o\n"
	for i := 0; i < len(out); i += 7 {
		if _, err := c.Write([]byte(out[i:min(i+7, len(out))])); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(told, []int{11, 12, 13}) {
		t.Errorf("told %v", told)
	}
	if len(c.rest) > maxLine {
		t.Errorf("%d bytes are kept", len(c.rest))
	}
}

func newWork(t *testing.T) *work { return &work{dir: t.TempDir(), progress: func(Progress) {}} }

// TestRunSaysWhy: the first error, and where all of it is.
func TestRunSaysWhy(t *testing.T) {
	w := newWork(t)
	makefile := "all:\n\t@echo fine\n\t@echo 'x.c:1: error: expected a semicolon'\n\t@echo later\n\t@false\n"
	if err := os.WriteFile(filepath.Join(w.dir, "Makefile"), []byte(makefile), 0o644); err != nil {
		t.Fatal(err)
	}
	err := w.run(t.Context(), w.dir, nil, "make")
	if err == nil || !strings.Contains(err.Error(), "make: exit status 2: x.c:1: error: expected a semicolon; all it said is in "+w.dir+"/log") {
		t.Errorf("got %v", err)
	}
	if log, err := os.ReadFile(filepath.Join(w.dir, "log")); err != nil || !strings.Contains(string(log), "fine\n") {
		t.Errorf("log %q, %v", log, err)
	}
}

// TestRunIsClean: nothing of the caller's environment reaches a compile, and
// for root there is no network either.
func TestRunIsClean(t *testing.T) {
	t.Setenv("KCFLAGS", "-DEVIL")
	t.Setenv("MAKEFLAGS", "--jobs=99")
	w := newWork(t)
	if err := w.run(t.Context(), w.dir, nil, "env"); err != nil {
		t.Fatal(err)
	}
	if err := w.run(t.Context(), w.dir, nil, "cat", "/proc/net/dev"); err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(filepath.Join(w.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"EVIL", "jobs=99"} {
		if strings.Contains(string(log), bad) {
			t.Errorf("the compile sees %s:\n%s", bad, log)
		}
	}
	interfaces := strings.Count(string(log), ": ") // one a line, after its name
	if os.Geteuid() == 0 && interfaces != 1 {
		t.Errorf("the compile sees %d network interfaces, want its own loopback alone:\n%s", interfaces, log)
	}
}

// TestRunEndsWithItsContext: with the children of what was started.
func TestRunEndsWithItsContext(t *testing.T) {
	w := newWork(t)
	if err := os.WriteFile(filepath.Join(w.dir, "Makefile"), []byte("all:\n\t@echo started\n\t@sleep 1000\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	c := &counter{tell: func(int) {}}
	done := make(chan error, 1)
	go func() { done <- w.run(ctx, w.dir, c, "make") }()
	for { // until make has started its child
		if log, err := os.ReadFile(filepath.Join(w.dir, "log")); err == nil && strings.Contains(string(log), "started") {
			break
		}
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestCountObjects(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"init/main.o", "fs/ext4/super.o", "fs/built-in.a", "scripts/mod/x.o", "tools/objtool/y.o", "vmlinux.o", ".tmp_vmlinux.o"} {
		if err := errors.Join(os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755), os.WriteFile(filepath.Join(dir, name), nil, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := countObjects(dir); err != nil || n != 2 {
		t.Errorf("%d objects (%v), want 2", n, err)
	}
}
