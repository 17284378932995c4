package tools

import (
	"slices"
	"strings"
	"time"

	"github.com/nodeos-dev/gitd/internal/builder/registry"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// pick chooses among versions that have been published for a while: most of those that were made by a thief of a
// maintainer's password are found and removed within days. Where nothing older is what choose looks for, because it was
// named exactly or is the only one, the young one is taken.
func (s *Shop) pick(all []registry.Version, r *progress.Report, choose func([]registry.Version) (registry.Version, error)) (registry.Version, error) {
	newest, err := choose(all)
	if err != nil || s.old(newest) {
		return newest, err
	}
	older, err := choose(slices.DeleteFunc(slices.Clone(all), func(v registry.Version) bool { return !s.old(v) }))
	age := rounded(time.Since(newest.Latest()))
	if err != nil {
		r.Warn("%s %s was published only %s ago; it is taken before the %s of --node-wait are over, because no older one fits",
			newest.Name, newest.Number, age, rounded(s.Trust.Wait))
		return choose(all) // once more, so that what choose notes is of the version that is taken
	}
	r.Detail("%s %s was published only %s ago: a range takes it after %s (--node-wait)", newest.Name, newest.Number, age, rounded(s.Trust.Wait))
	return older, nil
}

func rounded(d time.Duration) string { return strings.TrimSuffix(d.Round(time.Minute).String(), "0s") }

// old reports whether v has been published for as long as gitd waits. What says no date counts as old.
func (s *Shop) old(v registry.Version) bool {
	at := v.Latest()
	return at.IsZero() || time.Since(at) >= s.Trust.Wait
}
