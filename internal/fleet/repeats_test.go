package fleet

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// TestRepeatsAreFolded: a push once had a line for each probe, 501 of them for an app that answered 500 for two and a
// half minutes.
func TestRepeatsAreFolded(t *testing.T) {
	var said []string
	f := repeats{say: func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }}
	start := time.Now()
	for n := range 501 {
		f.note(start.Add(time.Duration(n)*300*time.Millisecond), "GET / → 500", " in 3ms")
	}
	want := []string{
		"GET / → 500 in 3ms", "GET / → 500 (×18 in 5.1s)", "GET / → 500 (×52 in 15.3s)", "GET / → 500 (×119 in 35.4s)",
		"GET / → 500 (×253 in 75.6s)", "GET / → 500 (×453 in 135.6s)",
	}
	if strings.Join(said, "\n") != strings.Join(want, "\n") {
		t.Errorf("%d lines:\n%s", len(said), strings.Join(said, "\n"))
	}
	f.note(start.Add(151*time.Second), "GET / → 200", " in 2ms")
	if last := said[len(said)-1]; last != "GET / → 200 in 2ms" {
		t.Errorf("a new answer: %q", last)
	}
}

// TestChangesAreBounded: an app that gives two answers in turn does not fill the push either.
func TestChangesAreBounded(t *testing.T) {
	lines := 0
	f := repeats{say: func(string, ...any) { lines++ }}
	start := time.Now()
	for n := range 3000 {
		f.note(start.Add(time.Duration(n)*300*time.Millisecond), fmt.Sprintf("GET / → %d", 500+n%2), "")
	}
	if lines > 50 {
		t.Errorf("%d lines", lines)
	}
}

// TestThrash: a machine is found to thrash by its own figures, and one that reads much while it starts is not.
func TestThrash(t *testing.T) {
	const total = 100 << 20
	for name, tt := range map[string]struct {
		again []int64 // bytes read again since the boot, one figure each ten seconds
		want  bool
	}{
		"enough memory":        {[]int64{0, 0, 0, 0}, false},
		"once":                 {[]int64{0, total, total, total + 10<<20}, false},
		"all the time":         {[]int64{0, total, 2 * total}, true},
		"from the first on":    {[]int64{total, 2 * total, 3 * total}, true},
		"a guest that lies":    {[]int64{1 << 62, 0, 1 << 62, 0}, false},
		"slowly, emulated":     {[]int64{0, 20 << 20, 36 << 20}, true},
		"an older guest":       {[]int64{0, 0, 0}, false},
		"a little, for longer": {[]int64{0, 10 << 20, 20 << 20, 30 << 20}, false},
	} {
		var th thrash
		got := false
		for n, again := range tt.again {
			s := core.Stats{MemoryTotal: total, Uptime: time.Duration(n+1) * 10 * time.Second, Refaults: again}
			got = th.note(s) || got
		}
		if got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
