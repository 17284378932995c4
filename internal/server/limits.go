package server

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// What one address may use. A team behind one router stays well below these
// limits; a machine that tries without end goes well above them.
const (
	maxConns     = 1024 // connections in all
	maxConnsFrom = 128  // from one address
	maxLogins    = 16   // logins under way from one address; more wait
	maxSessions  = 10   // on one connection, as with OpenSSH

	failBurst = 30              // failed logins at once
	failEvery = 6 * time.Second // and then one in this time
	codeBurst = 10              // wrong codes at once
	codeEvery = time.Minute     // and then one in this time

	maxSources = 16384 // addresses that are remembered
)

var (
	errFull     = errors.New("too many connections; try again later")
	errFailing  = errors.New("too many failed logins from your address; wait a minute")
	errGuessing = errors.New("too many wrong codes came from your address; wait a few minutes")
)

// limits counts what each address uses. It forgets an address that has no
// connection and no recent failure.
type limits struct {
	mu      sync.Mutex
	conns   int
	sources map[netip.Addr]*source
}

// source is what one address uses.
type source struct {
	conns  int           // guarded by limits.mu
	logins chan struct{} // holds one for each login under way
	fails  *rate.Limiter
	codes  *rate.Limiter
}

func newLimits() *limits { return &limits{sources: map[netip.Addr]*source{}} }

// sourceOf is what a client is counted by: its address, for IPv6 the network
// of 64 bits, of which one host can use every address.
func sourceOf(addr net.Addr) netip.Addr {
	ap, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return netip.Addr{}
	}
	ip := ap.Addr().Unmap().WithZone("")
	if ip.Is6() {
		p, _ := ip.Prefix(64) // it cannot fail: 64 bits fit an IPv6 address
		ip = p.Addr()
	}
	return ip
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
		src = &source{
			logins: make(chan struct{}, maxLogins),
			fails:  rate.NewLimiter(rate.Every(failEvery), failBurst),
			codes:  rate.NewLimiter(rate.Every(codeEvery), codeBurst),
		}
		l.sources[from] = src
	}
	switch {
	case src.fails.Tokens() < 1:
		return nil, errFailing
	case l.conns >= maxConns || src.conns >= maxConnsFrom:
		return nil, errFull
	}
	l.conns++
	src.conns++
	return src, nil
}

// leave counts a connection out.
func (l *limits) leave(from netip.Addr, src *source) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns--
	src.conns--
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
