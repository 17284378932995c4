package progress

import (
	"strconv"
	"time"

	"github.com/nodeos-dev/gitd/internal/units"
)

// The times after which a wait is told of: the first, the pause after it, doubled each time, and the longest pause.
const (
	Patience   = time.Second
	FirstPause = 5 * time.Second
	LongPause  = time.Minute
	// An answer that differs from the one before is told at once, so often; then only with the pauses, because an app
	// may give two answers in turn.
	maxChanges = 20
)

// Repeats tells of answers that come again and again, in few lines: one when the answer is new, and then one with a
// count, each after a longer pause.
type Repeats struct {
	Say    func(format string, args ...any)
	Answer string // the last one
	Count  int    // of Answer, in succession

	since   time.Time // of the first of these
	changes int
	pause   time.Duration
	next    time.Time // when a repeated answer is told again
}

// Note takes an answer that came at now. detail is what differs in each, such as its time.
func (f *Repeats) Note(now time.Time, answer, detail string) {
	fresh := answer != f.Answer || f.Count == 0
	if fresh {
		f.Answer, f.Count, f.since = answer, 0, now
	}
	f.Count++
	switch {
	case fresh && f.changes < maxChanges:
		f.changes++
		f.pause = FirstPause
		f.Say("%s%s", answer, detail)
	case now.Before(f.next):
		return
	default:
		f.Say("%s%s", answer, f.Times(now))
		f.pause = min(2*f.pause, LongPause)
	}
	f.next = now.Add(f.pause)
}

// Times is the count, for people; empty: the answer came once.
func (f *Repeats) Times(now time.Time) string {
	if f.Count < 2 {
		return ""
	}
	return " (×" + strconv.Itoa(f.Count) + " in " + units.Took(now.Sub(f.since)) + ")"
}
