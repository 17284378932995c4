package server

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/nodeos-dev/gitd/internal/admit"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/people"
)

// What one address may use. A team behind one router stays well below these
// limits; a machine that tries without end goes well above them.
const (
	maxConns     = 1024 // connections in all, if gitd may have enough files open
	maxConnsFrom = 128  // from one address
	maxLogins    = 16   // logins under way from one address; more wait
	maxSessions  = 10   // on one connection, as with OpenSSH

	failBurst = 30              // failed logins at once
	failEvery = 6 * time.Second // and then one in this time
	codeBurst = 10              // wrong codes at once
	codeEvery = time.Minute     // and then one in this time

	maxSources = 16384 // addresses that are remembered
)

// What connections may use that have not logged in. It is bounded apart, so that they never take the places of those
// that have. From earlyDrop of them on, a new one is dropped at random, more and more often, and at maxStarting always
// (OpenSSH's MaxStartups): whoever tries again gets in, however many others keep trying.
//
// An address from which somebody has logged in is spared both, and the last quarter of all places is for such addresses
// alone.
const (
	maxStarting     = 256
	earlyDrop       = 64
	dropPercent     = 30 // at earlyDrop
	maxStartingFrom = 32 // from an address from which nobody has logged in
	maxKnown        = 4096
)

var (
	errFull     = errors.New("too many connections; try again later")
	errFailing  = errors.New("too many failed logins from your address; wait a minute")
	errGuessing = errors.New("too many wrong codes came from your address; wait a few minutes")
)

// limits counts what each address uses. It forgets an address that has no
// connection and no recent failure.
type limits struct {
	most     int             // connections in all
	chance   func(n int) int // a number below n
	mu       sync.Mutex
	conns    int
	starting int // connections that have not logged in
	sources  map[netip.Addr]*source
	known    map[netip.Addr]time.Time // when somebody logged in from there, last
}

// source is what one address uses.
type source struct {
	conns    int           // guarded by limits.mu
	starting int           // of them, those that have not logged in; guarded by limits.mu
	logins   chan struct{} // holds one for each login under way
	fails    *rate.Limiter
	codes    *rate.Limiter
}

func newLimits() *limits {
	return &limits{
		most: min(maxConns, max(32, admit.Descriptors()/8)), chance: rand.IntN,
		sources: map[netip.Addr]*source{}, known: map[netip.Addr]time.Time{},
	}
}

// admit counts a new connection, or says why it may not come in.
func (l *limits) admit(from netip.Addr) (*source, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	src := l.sources[from]
	if src == nil {
		if len(l.sources) >= maxSources && !l.sweep() {
			return nil, errFull
		}
		src = newSource()
		l.sources[from] = src
	}
	if err := l.refuses(from, src); err != nil {
		return nil, err
	}
	l.conns++
	l.starting++
	src.conns++
	src.starting++
	return src, nil
}

func newSource() *source {
	return &source{
		logins: make(chan struct{}, maxLogins),
		fails:  rate.NewLimiter(rate.Every(failEvery), failBurst),
		codes:  rate.NewLimiter(rate.Every(codeEvery), codeBurst),
	}
}

// refuses says why an address gets no other connection now, or returns nil.
func (l *limits) refuses(from netip.Addr, src *source) error {
	_, known := l.known[from]
	switch {
	case src.fails.Tokens() < 1:
		return errFailing
	case l.conns >= l.most, src.conns >= maxConnsFrom:
		return errFull
	case known:
		return nil
	case l.conns >= l.most*3/4, src.starting >= maxStartingFrom, l.drops():
		return errFull
	}
	return nil
}

// drops reports whether a connection is turned away because so many others have not logged in yet.
func (l *limits) drops() bool {
	over := l.starting - earlyDrop
	return over >= 0 && l.chance(100) < dropPercent+(100-dropPercent)*over/(maxStarting-earlyDrop)
}

// loggedIn notes that somebody has logged in on a connection from an address.
func (l *limits) loggedIn(from netip.Addr, src *source) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.starting--
	src.starting--
	l.remember(from, time.Now())
}

// recall notes the addresses from which people have logged in before gitd's start.
func (l *limits) recall(ctx context.Context, known *people.Service) error {
	keys, err := known.VisibleKeys(ctx, core.Host())
	for _, k := range keys {
		if addr, err := netip.ParseAddr(k.LastFrom); err == nil {
			l.knows(admit.SourceOf(net.TCPAddrFromAddrPort(netip.AddrPortFrom(addr, 0))), k.LastUsed)
		}
	}
	return err
}

// knows notes an address from which somebody logged in before gitd's start.
func (l *limits) knows(from netip.Addr, when time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.remember(from, when)
}

// remember forgets the address that was used least lately if there are too many. Only who has a key adds to them.
func (l *limits) remember(from netip.Addr, when time.Time) {
	if l.known[from].Before(when) {
		l.known[from] = when
	}
	if len(l.known) <= maxKnown {
		return
	}
	oldest := from
	for a, t := range l.known {
		if t.Before(l.known[oldest]) {
			oldest = a
		}
	}
	delete(l.known, oldest)
}

// leave counts a connection out; starting says that it had not logged in.
func (l *limits) leave(from netip.Addr, src *source, starting bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns--
	src.conns--
	if starting {
		l.starting--
		src.starting--
	}
	if src.clean() {
		delete(l.sources, from)
	}
}

// clean reports whether there is nothing to remember of the address.
func (s *source) clean() bool {
	return s.conns == 0 && s.fails.Tokens() >= failBurst && s.codes.Tokens() >= codeBurst
}

// sweep forgets the addresses whose time is over, and reports whether there
// is room now.
func (l *limits) sweep() bool {
	for from, src := range l.sources {
		if src.clean() {
			delete(l.sources, from)
		}
	}
	return len(l.sources) < maxSources
}

// login waits for its turn among the logins of the address.
func (s *source) login(limit time.Duration) (done func(), err error) {
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case s.logins <- struct{}{}:
		return func() { <-s.logins }, nil
	case <-t.C:
		return nil, errFull
	}
}

// failed notes that a login from the address failed.
func (s *source) failed() { s.fails.Allow() }

// wrongCode notes that a wrong code came from the address.
func (s *source) wrongCode() { s.codes.Allow() }

// mayGuess reports whether the address may try another code.
func (s *source) mayGuess() bool { return s.codes.Tokens() >= 1 }
