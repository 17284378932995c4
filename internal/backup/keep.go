package backup

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// Keep says which backups are kept: the newest of each of the last so many hours, days, … in which there are any, as
// restic and borg count them.
type Keep struct {
	Last, Hours, Days, Weeks, Months, Years int
}

// ParseKeep reads "7d,4w": numbers with h, d, w, m, y, or without a letter for the last ones.
func ParseKeep(text string) (k Keep, err error) {
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		digits := strings.TrimRight(part, "hdwmy")
		field, ok := map[string]*int{"": &k.Last, "h": &k.Hours, "d": &k.Days, "w": &k.Weeks, "m": &k.Months, "y": &k.Years}[part[len(digits):]]
		n, numberErr := strconv.Atoi(digits)
		if !ok || numberErr != nil || n < 1 || n > 10_000 || *field != 0 {
			return Keep{}, core.Reject(fmt.Sprintf("%.40q does not say what to keep", text),
				"for example 7d,4w: the newest of each of 7 days and of 4 weeks; h, m and y are hours, months and years, and 3 alone is the last three")
		}
		*field = n
	}
	return k, nil
}

// rule keeps one backup of each of so many periods.
type rule struct {
	most   int
	period func(t time.Time) string
}

func (k Keep) rules() []rule {
	in := func(layout string) func(time.Time) string {
		return func(t time.Time) string { return t.UTC().Format(layout) }
	}
	week := func(t time.Time) string {
		y, w := t.UTC().ISOWeek()
		return fmt.Sprint(y, "/", w)
	}
	return []rule{
		{k.Last, in(time.RFC3339Nano)}, {k.Hours, in("2006-01-02T15")}, {k.Days, in("2006-01-02")}, {k.Weeks, week}, {k.Months, in("2006-01")}, {k.Years, in("2006")},
	}
}

// Dispensable are those of all that need not be kept. The newest is always kept.
func (k Keep) Dispensable(all []time.Time) (rest []time.Time) {
	all = slices.SortedFunc(slices.Values(all), func(a, b time.Time) int { return b.Compare(a) })
	kept := map[time.Time]bool{}
	for _, r := range k.rules() {
		before, n := "", 0
		for _, t := range all {
			if p := r.period(t); p != before && n < r.most {
				before, n = p, n+1
				kept[t] = true
			}
		}
	}
	for i, t := range all {
		if i > 0 && !kept[t] {
			rest = append(rest, t)
		}
	}
	return rest
}

// checkPlan says why a plan cannot be, or nil.
func (b *Backups) checkPlan(p core.BackupPlan) error {
	_, keepErr := ParseKeep(p.Keep)
	if _, err := b.cfg.Next(p.Schedule, time.Now()); err != nil {
		return core.Reject(fmt.Sprintf("%.80q is no schedule: %v", p.Schedule, err), `for example '0 2 * * *', each night at two (UTC), or 'TZ=Europe/Berlin 0 2 * * *'`)
	}
	return cmp.Or(keepErr, checkDir(string(b.cfg.State), p.Dir))
}

// checkDir refuses a folder into which gitd cannot write, and the state folder: a backup beside what it is of goes with
// it.
func checkDir(state, dir string) error {
	if !strings.HasPrefix(dir, "/") {
		return core.Reject(fmt.Sprintf("--to %.200q is no absolute path", dir), "name a folder of this host, on another disk than the state folder, for example --to /srv/backups")
	}
	if dir == state || strings.HasPrefix(dir, state+"/") {
		return core.Reject("a backup in the state folder is lost with it", "name a folder on another disk, for example --to /srv/backups")
	}
	err := tryDir(dir)
	if err == nil {
		return nil
	}
	return &core.Rejection{Reason: fmt.Sprintf("gitd cannot write to %s: %v", dir, errors.Unwrap(err)),
		Hint: fmt.Sprintf("make the folder, and give it to gitd's user: install -d -o gitd -m 700 %s", dir), Err: err}
}
