package heap

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestPercent(t *testing.T) {
	for alive, want := range map[uint64]int{0: 400, 4 << 20: 400, 32 << 20: 200, 64 << 20: 100, 1 << 30: 100} {
		if got := percent(alive); got != want {
			t.Errorf("%d MiB alive: %d %%, want %d", alive>>20, got, want)
		}
	}
}

// TestRelax: a heap that has become large is collected as Go does, and one that has become small again is not.
func TestRelax(t *testing.T) {
	t.Setenv("GOGC", "")
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	Relax()
	becomes(t, most)
	large := make([]byte, 2*room)
	becomes(t, least)
	runtime.KeepAlive(large)
	becomes(t, most)
}

// becomes collects until the percentage is what it should be.
func becomes(t *testing.T, want int) {
	t.Helper()
	for range 100 {
		runtime.GC()
		got := debug.SetGCPercent(want)
		debug.SetGCPercent(got)
		if got == want {
			return
		}
		runtime.Gosched()
	}
	t.Fatalf("after 100 collections it is not %d %%", want)
}
