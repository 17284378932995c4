package base

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/base/stamp"
)

// TestSound: the files of a base are not read at every push, which took 80 MB each time. They are read again when
// somebody has touched them, even with the old size and time, and after a day. What was wrong is not remembered.
func TestSound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "root.erofs")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("right")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	var s sound
	reads, bad := 0, error(nil)
	check := func(at time.Time, want int) {
		t.Helper()
		err := s.check(path, at, func() error { reads++; return bad })
		if !errors.Is(err, bad) || reads != want {
			t.Errorf("%v; read %d times, want %v and %d", err, reads, bad, want)
		}
	}
	now := time.Now()
	check(now, 1) // it was written a moment ago: its stamp may stay the same if it is written again
	later := now.Add(time.Minute)
	check(later, 2)
	for range 100 {
		check(later.Add(time.Hour), 2)
	}
	check(later.Add(soundFor), 3)

	later = later.Add(soundFor)
	for was := changed(t, path); changed(t, path).Equal(was); { // until the kernel's clock has made a step
		write("wrong")
	}
	if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	bad = errors.New("another digest")
	check(later, 4)
	check(later, 5)
}

func changed(t *testing.T, path string) time.Time {
	t.Helper()
	at, err := stamp.Changed(path)
	if err != nil {
		t.Fatal(err)
	}
	return at
}
