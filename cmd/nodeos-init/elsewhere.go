package main

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// The rule by which an app is taken to serve where it listens, though that is not its port;
// docs/decisions/0063-wrong-port.md has the reasons.
const (
	settledSoon = 2 * time.Second  // so long nothing changes: a framework's port that answers HTTP
	settledLate = 10 * time.Second // likewise: any port
	settledPoll = 250 * time.Millisecond

	// An app that uses more processor time is still starting: this much at once, or this part of one processor.
	burst, idlePart = 250 * time.Millisecond, 10

	mostAsked = 8 // sockets, each of which may take its time to answer
)

// appPorts are ports at which web frameworks listen unless they are told another.
var appPorts = []uint16{1337, 3000, 3001, 3333, 4000, 4173, 4200, 4321, 5000, 5173, 8000, 8888}

// sidePorts are those of debuggers and of servers of metrics, which answer HTTP and are not the app.
var sidePorts = []uint16{9090, 9091, 9100, 9229, 9230, 9464}

// settling watches whether anything changes while an app does not listen on its port.
type settling struct {
	port    int
	use     func() time.Duration         // processor time of the app so far
	answers func(at netip.AddrPort) bool // whether HTTP is spoken there
	sockets []listener                   // as they were since
	since   time.Time
	used    time.Duration
	next    time.Time // of the look at what it uses, which costs some time
	asked   time.Duration
}

func newSettling(port int) *settling { return &settling{port: port, use: appUse, answers: speaksHTTP} }

// look is told what listens now, of which nothing is reachable on the port, and reports where the app serves. served is
// the port where it did before.
func (s *settling) look(now time.Time, sockets []listener, served uint16) (where listener, sure bool) {
	places := s.candidates(sockets)
	for _, p := range places {
		if int(p.Port()) == s.port || p.Port() == served {
			return p, true
		}
	}
	if len(places) == 0 {
		s.sockets = nil
		return where, false
	}
	if now.Before(s.next) {
		return where, false
	}
	s.next = now.Add(settledPoll)
	return s.choose(places, s.quiet(now, sockets))
}

// quiet is for how long nothing has changed.
func (s *settling) quiet(now time.Time, sockets []listener) time.Duration {
	used, quiet := s.use(), now.Sub(s.since)
	if !slices.Equal(sockets, s.sockets) || used-s.used > max(burst, quiet/idlePart) {
		s.sockets, s.since, s.used, s.asked = slices.Clone(sockets), now, used, 0
		return 0
	}
	return quiet
}

// choose picks a place after a quiet time, and asks each place once whether it speaks HTTP at each of the two limits.
func (s *settling) choose(places []listener, quiet time.Duration) (where listener, sure bool) {
	limit := settledSoon
	if quiet >= settledLate {
		limit = settledLate
	}
	if quiet < limit || s.asked == limit {
		return where, false
	}
	s.asked = limit
	for _, p := range places[:min(len(places), mostAsked)] {
		if (limit == settledLate || isAppPort(p)) && s.answers(p.AddrPort) {
			return p, true
		}
	}
	return places[0], limit == settledLate
}

// candidates are the sockets at which an app may serve, those first that are more likely: a framework's port, then a
// lower port, then an address that is not IPv6's alone.
func (s *settling) candidates(sockets []listener) []listener {
	places := slices.DeleteFunc(slices.Clone(sockets), s.isAside)
	order := func(l listener) (n int) {
		if !isAppPort(l) {
			n = 2
		}
		if l.Addr().Is6() {
			n++
		}
		return n
	}
	slices.SortFunc(places, func(a, b listener) int {
		return cmp.Or(order(a)/2-order(b)/2, cmp.Compare(a.Port(), b.Port()), order(a)-order(b))
	})
	return places
}

// isAside reports whether a socket is not the app's own.
func (s *settling) isAside(l listener) bool {
	return int(l.Port()) != s.port && slices.Contains(sidePorts, l.Port())
}

// aside returns a socket for others than the machine itself, if there are none but those at the side.
func (s *settling) aside(sockets []listener) (l listener, only bool) {
	i := slices.IndexFunc(sockets, func(l listener) bool { return !l.Addr().IsLoopback() })
	if i < 0 || len(s.candidates(sockets)) > 0 {
		return l, false
	}
	return sockets[i], true
}

func isAppPort(l listener) bool { return slices.Contains(appPorts, l.Port()) }

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
