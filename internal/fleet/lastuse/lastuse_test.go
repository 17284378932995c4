package lastuse

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// TestSort: after a start of the host, what was asked for last is there first.
func TestSort(t *testing.T) {
	state := core.StateDir(t.TempDir())
	for app, ago := range map[string]time.Duration{"yesterday": 24 * time.Hour, "now": 0} {
		log := core.AccessLog(state, app)
		if err := os.MkdirAll(filepath.Dir(log), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(log, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(log, time.Time{}, time.Now().Add(-ago)); err != nil {
			t.Fatal(err)
		}
	}
	type machine struct {
		app string
		nth int
	}
	all := []machine{{"never", 0}, {"yesterday", 0}, {"now", 0}, {"now", 1}}
	Sort(state, all, func(m machine) (string, int) { return m.app, m.nth })
	if got, want := fmt.Sprint(all), "[{now 0} {yesterday 0} {never 0} {now 1}]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
