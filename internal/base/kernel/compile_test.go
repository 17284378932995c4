package kernel

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// compileAgain runs what compiles a whole kernel: make test-base.
var compileAgain = flag.Bool("compile", false, "compile kernels from nothing, some ten minutes each")

// fakeClock has every program of a compile see a time some 13 months ahead,
// in another time zone.
func fakeClock() []string {
	libraries, err := filepath.Glob("/usr/lib/*/faketime/libfaketime.so.1")
	if err != nil || len(libraries) == 0 {
		return nil
	}
	return []string{"LD_PRELOAD=" + libraries[0], "FAKETIME=+400d", "NO_FAKE_STAT=1", "TZ=Asia/Kolkata"}
}

// TestKernelReproducible compiles the kernel a second time, in another folder,
// by another clock, with other jobs, interrupted once, and compares the bytes.
// It writes what it found, for TestKernelIsTheReproducedOne.
func TestKernelReproducible(t *testing.T) {
	if !*compileAgain {
		t.Skip("takes ten minutes or two: make test-base runs it")
	}
	first, err := Config{}.Build(t.Context(), logProgress(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(fakeClock()) == 0 {
		t.Fatal("no libfaketime: scripts/setup test installs it")
	}
	again := Config{Cache: filepath.Join(t.TempDir(), "elsewhere"), Jobs: 3, env: fakeClock()}
	checkClock(t, again)
	interrupt(t, again)
	second, err := again.Build(t.Context(), logProgress(t))
	if err != nil {
		t.Fatal(err)
	}
	if first.Dir == second.Dir || first.Digest != second.Digest {
		t.Fatalf("compared %s with %s", first.Dir, second.Dir)
	}
	a, b := first, second
	a.Dir, a.Objects, b.Dir, b.Objects = "", 0, "", 0
	if a != b {
		t.Errorf("%+v is not %+v", b, a)
	}
	for _, name := range compared {
		a, b := read(t, filepath.Join(first.Dir, name)), read(t, filepath.Join(second.Dir, name))
		if !bytes.Equal(a, b) {
			t.Errorf("%s has %d bytes and %d, the first other one at %d", name, len(a), len(b), firstOther(a, b))
		}
	}
	if n := second.Objects; n < usualObjects*95/100 || n > usualObjects*105/100 {
		t.Errorf("%d objects: correct usualObjects", n)
	}
	if left, err := filepath.Glob(filepath.Join(again.Cache, "*.build")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	c, err := again.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.recipe()
	if err != nil {
		t.Fatal(err)
	}
	if !t.Failed() {
		writeReproduced(t, reproduced{shortened(r), digests(t, second)})
	}
}

// checkClock looks at the time that a compile sees.
func checkClock(t *testing.T, c Config) {
	t.Helper()
	w := &work{dir: t.TempDir(), config: c}
	if err := w.run(t.Context(), w.dir, nil, "date", "+%s %z"); err != nil {
		t.Fatal(err)
	}
	log := read(t, filepath.Join(w.dir, "log"))
	seen := regexp.MustCompile(`^(\d+) \+0530\n$`).FindSubmatch(log)
	if seen == nil {
		t.Fatalf("the compile's clock says %q", log)
	}
	if at, err := strconv.ParseInt(string(seen[1]), 10, 64); err != nil || time.Until(time.Unix(at, 0)) < 399*24*time.Hour {
		t.Fatalf("the compile's clock says %q (%v), and it is %d", log, err, time.Now().Unix())
	}
}

// interrupt ends a compile after some objects.
func interrupt(t *testing.T, c Config) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := c.Build(ctx, func(p Progress) {
		if p.Done >= 40 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("an interrupted compile gave %v", err)
	}
	resumed := false
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	_, err = c.Build(ctx, func(p Progress) {
		// What was announced and not finished does not count.
		resumed = p.Resumed && p.Done >= 20
		cancel()
	})
	if !errors.Is(err, context.Canceled) || !resumed {
		t.Errorf("the compile did not go on where it stopped: %v", err)
	}
}

func logProgress(t *testing.T) func(Progress) {
	var next time.Time
	return func(p Progress) {
		if time.Now().After(next) {
			t.Logf("%d of about %d objects, %s", p.Done, p.Total, p.Elapsed.Round(time.Second))
			next = time.Now().Add(time.Minute)
		}
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func firstOther(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}
