package certs

import (
	"slices"
	"time"
)

// allowance is how many certificates are asked for in an hour. Half of them are for names that a handshake has come
// for, so that names that lead nowhere do not take the place of those that lead here; and one app may have a quarter.
type allowance struct {
	all   int
	taken []taken // in the last hour, the oldest first
}

type taken struct {
	app      string
	demanded bool
	at       time.Time
}

func newAllowance(perHour int) *allowance { return &allowance{all: max(1, perHour)} }

// take takes one for app, or says after which time there may be one.
func (a *allowance) take(app string, demanded bool, now time.Time) (wait time.Duration) {
	a.taken = slices.DeleteFunc(a.taken, func(t taken) bool { return now.Sub(t.at) >= time.Hour })
	limits := []struct {
		most int
		of   func(taken) bool
	}{
		{a.all, func(taken) bool { return true }},
		{max(1, a.all/4), func(t taken) bool { return app != "" && t.app == app }},
	}
	if !demanded {
		limits = append(limits, struct {
			most int
			of   func(taken) bool
		}{max(1, a.all/2), func(t taken) bool { return !t.demanded }})
	}
	for _, l := range limits {
		wait = max(wait, a.free(l.most, l.of, now))
	}
	if wait == 0 {
		a.taken = append(a.taken, taken{app, demanded, now})
	}
	return wait
}

// free says after which time fewer than most of those that of names are left.
func (a *allowance) free(most int, of func(taken) bool, now time.Time) time.Duration {
	var times []time.Time
	for _, t := range a.taken {
		if of(t) {
			times = append(times, t.at)
		}
	}
	if len(times) < most {
		return 0
	}
	return times[len(times)-most].Add(time.Hour).Sub(now)
}
