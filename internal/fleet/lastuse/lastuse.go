// Package lastuse says which machines boot first after a start of the host.
package lastuse

import (
	"cmp"
	"os"
	"slices"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// Stagger is between the beginnings of two boots, so that they begin in their order: much less than one takes.
const Stagger = 10 * time.Millisecond

// Sort sorts machines that are to boot: first one of each app, the app that was asked for last before the others. of is
// the app of a machine, and which of its machines it is. When an app was asked for last, its log of requests says.
func Sort[M any](state core.StateDir, all []M, of func(M) (app string, nth int)) {
	used := map[string]time.Time{}
	for _, m := range all {
		app, _ := of(m)
		if log, err := os.Stat(core.AccessLog(state, app)); err == nil {
			used[app] = log.ModTime()
		}
	}
	slices.SortStableFunc(all, func(a, b M) int {
		appA, nthA := of(a)
		appB, nthB := of(b)
		return cmp.Or(nthA-nthB, used[appB].Compare(used[appA]))
	})
}
