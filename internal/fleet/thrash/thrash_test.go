package thrash

import (
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

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
		var th Meter
		got := false
		for n, again := range tt.again {
			s := core.Stats{MemoryTotal: total, Uptime: time.Duration(n+1) * 10 * time.Second, Refaults: again}
			got = th.Note(s) || got
		}
		if got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
