package fleet

import (
	"strconv"
	"time"

	"github.com/nodeos-dev/gitd/internal/units"
)

const (
	patience   = time.Second     // after which a wait is told of
	firstPause = 5 * time.Second // between two lines about the same wait, doubled each time
	longPause  = time.Minute     // which it does not exceed
	// An answer that differs from the one before is told at once, so often; then only with the pauses, because an app
	// may give two answers in turn.
	maxChanges = 20
)

// repeats tells of answers that come again and again, in few lines: one when the answer is new, and then one with a
// count, each after a longer pause.
type repeats struct {
	say     func(format string, args ...any)
	answer  string
	count   int       // of answer, in succession
	since   time.Time // of the first of these
	changes int
	pause   time.Duration
	next    time.Time // when a repeated answer is told again
}

// note takes an answer that came at now. detail is what differs in each, such as its time.
func (f *repeats) note(now time.Time, answer, detail string) {
	fresh := answer != f.answer || f.count == 0
	if fresh {
		f.answer, f.count, f.since = answer, 0, now
	}
	f.count++
	switch {
	case fresh && f.changes < maxChanges:
		f.changes++
		f.pause = firstPause
		f.say("%s%s", answer, detail)
	case now.Before(f.next):
		return
	default:
		f.say("%s%s", answer, f.times(now))
		f.pause = min(2*f.pause, longPause)
	}
	f.next = now.Add(f.pause)
}

// times is the count, for people; empty: the answer came once.
func (f *repeats) times(now time.Time) string {
	if f.count < 2 {
		return ""
	}
	return " (×" + strconv.Itoa(f.count) + " in " + units.Took(now.Sub(f.since)) + ")"
}
