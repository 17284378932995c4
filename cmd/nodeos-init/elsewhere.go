package main

import (
	"net/netip"
	"slices"
	"time"
)

// The rule by which an app is taken to have settled where the host cannot
// reach it; docs/decisions/0063-wrong-port.md has the reasons.
const (
	settledFor  = 5 * time.Second        // so long nothing changes
	settledUse  = 500 * time.Millisecond // of processor time in that time at most: it is not starting any more
	settledPoll = 250 * time.Millisecond
)

// appPorts are ports at which web frameworks listen unless they are told
// another. A port for debugging or metrics, which an app may open long before
// it serves, is none of them.
var appPorts = []uint16{1337, 3000, 3001, 3333, 4000, 4173, 4200, 4321, 5000, 5173, 8000, 8888}

// misplaced finds the socket by which the app serves where the host cannot
// reach it, among sockets of which none is reachable on port.
func misplaced(sockets []netip.AddrPort, port int) (where netip.AddrPort, found bool) {
	for _, s := range sockets {
		if int(s.Port()) == port {
			return s, true // on the loopback interface
		}
	}
	for _, s := range sockets {
		if slices.Contains(appPorts, s.Port()) {
			return s, true
		}
	}
	return netip.AddrPort{}, false
}

// settling watches whether anything changes while an app is misplaced.
type settling struct {
	use     func() time.Duration // processor time of the app so far
	sockets []netip.AddrPort     // as they were since
	since   time.Time
	used    time.Duration
	next    time.Time // of the look at what it uses, which costs some time
}

// look is told what listens now, and reports where the app has settled.
func (s *settling) look(now time.Time, sockets []netip.AddrPort, port int) (where netip.AddrPort, sure bool) {
	where, found := misplaced(sockets, port)
	if !found {
		s.sockets = nil
		return where, false
	}
	if now.Before(s.next) {
		return where, false
	}
	s.next = now.Add(settledPoll)
	used := s.use()
	if !slices.Equal(sockets, s.sockets) || used-s.used > settledUse {
		s.sockets, s.since, s.used = slices.Clone(sockets), now, used
	}
	return where, now.Sub(s.since) >= settledFor
}

// appUse is the processor time of all processes but init.
func appUse() time.Duration {
	var ticks int64
	for _, pid := range processIDs() {
		if p, ok := parseProcess(slurp("/proc/" + pid + "/stat")); ok {
			ticks += p.ticks
		}
	}
	return time.Duration(ticks) * time.Second / ticksPerSecond
}
