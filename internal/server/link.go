package server

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/gliderlabs/ssh"
	gossh "golang.org/x/crypto/ssh"

	"github.com/nodeos-dev/gitd/internal/admit"
	"github.com/nodeos-dev/gitd/internal/audit"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// link is one connection, from its acceptance to its end: what it counts for
// in the limits, who proved to be there, and how long it may be idle.
type link struct {
	net.Conn
	s    *Server
	from netip.Addr
	src  *source

	mu       sync.Mutex
	endTurn  func()    // ends its turn among the logins of its address; nil once it has ended
	user     string    // whom the client says to be, without the code of an invitation
	tried    []string  // the keys that were not let through, and why
	spoke    bool      // the client has sent something
	late     time.Time // when a login takes too long
	closed   bool
	proved   *proved    // nil: nothing yet
	actor    core.Actor // of the newest session
	sessions int        // open channels
	running  int        // commands
	idle     *time.Timer
	expiry   *time.Timer
}

type linkKey struct{}

func linkOf(ctx ssh.Context) *link { return ctx.Value(linkKey{}).(*link) }

// accept lets a new connection try to log in, within the limits of its
// address and for a bounded time.
func (s *Server) accept(ctx ssh.Context, conn net.Conn) net.Conn {
	from := admit.SourceOf(conn.RemoteAddr())
	src, err := s.limits.admit(from)
	if err != nil {
		s.turnAway(conn, err)
		return nil
	}
	done, err := src.login(s.cfg.LoginTimeout)
	if err != nil {
		src.failed() // it took a turn of others all this time
		s.limits.leave(from, src, true)
		s.turnAway(conn, err)
		return nil
	}
	l := &link{Conn: conn, s: s, from: from, src: src, endTurn: done, late: time.Now().Add(s.cfg.LoginTimeout)}
	conn.SetDeadline(time.Now().Add(s.cfg.LoginTimeout)) //nolint:errcheck // a closed connection fails at its next read
	ctx.SetValue(linkKey{}, l)
	s.arrivals.add(l)
	return l
}

// turnAway says why, in a line before the protocol begins (RFC 4253, 4.2),
// at no cost.
func (s *Server) turnAway(conn net.Conn, why error) {
	s.cfg.Log.Debug().Stringer("from", conn.RemoteAddr()).Err(why).Msg("turned away")
	conn.SetDeadline(time.Now().Add(time.Second)) //nolint:errcheck // see accept
	fmt.Fprintf(conn, "gitd: %v\r\n", why)
}

func (l *link) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	if n > 0 {
		l.mu.Lock()
		l.spoke = true
		l.mu.Unlock()
	}
	return n, err
}

// SetDeadline does nothing: gliderlabs/ssh takes every deadline off before
// each read and write, and with it the limit of a login.
func (l *link) SetDeadline(time.Time) error { return nil }

// loggedIn is called when the client has proved p.
func (l *link) loggedIn(p proved) {
	if surplus := l.begin(p); surplus != nil {
		surplus.end("its user has too many connections")
	}
}

// begin lets the client in, and returns the connection that must go for it, or nil.
func (l *link) begin(p proved) (surplus *link) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.proved = &p
	l.Conn.SetDeadline(time.Time{}) //nolint:errcheck // see accept
	l.endLogin()
	l.s.limits.loggedIn(l.from, l.src)
	l.idle = time.AfterFunc(l.s.cfg.IdleTimeout, func() { l.end("idle") })
	if !p.until.IsZero() {
		l.expiry = time.AfterFunc(time.Until(p.until), func() { l.end("expired") })
	}
	l.s.keep(l)
	return l.s.Seats.arrive(l, p.account)
}

// account is whose budget the connection counts against.
func (l *link) account() string {
	p, _ := l.identity()
	return p.account
}

// offered notes a key that was not let through.
func (l *link) offered(conn gossh.ConnMetadata, key gossh.PublicKey, why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.user = progress.Printable(progress.Shorten(userOf(conn)))
	if len(l.tried) < maxAuthTries {
		l.tried = append(l.tried, gossh.FingerprintSHA256(key)+": "+progress.OneLine(why.Error()))
	}
}

func (l *link) endLogin() {
	if l.endTurn != nil {
		l.endTurn()
		l.endTurn = nil
	}
}

// end closes the connection from our side.
func (l *link) end(why string) {
	l.mu.Lock()
	closed := l.closed
	l.mu.Unlock()
	if closed {
		return
	}
	l.s.cfg.Log.Info().Stringer("from", l.RemoteAddr()).Str("why", why).Msg("connection ended")
	l.Close()
}

// Close counts the connection out, once.
func (l *link) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	l.endLogin()
	for _, t := range []*time.Timer{l.idle, l.expiry} {
		if t != nil {
			t.Stop()
		}
	}
	// A client that connects and sends nothing is no failed login: it may be a
	// check of whether the port is open. One that stays is.
	starting := l.proved == nil
	if starting && (l.spoke || time.Now().After(l.late)) {
		l.src.failed()
		l.s.watch.Note(audit.Event{
			Action: "login", Result: audit.Refused, Actor: l.user, From: l.RemoteAddr().String(), Detail: strings.Join(l.tried, "; "),
		})
	}
	l.mu.Unlock()
	l.s.forget(l)
	l.s.arrivals.remove(l)
	if !starting {
		l.s.Seats.depart(l, l.account())
	}
	l.s.limits.leave(l.from, l.src, starting)
	return l.Conn.Close()
}

// openSession counts a session channel in, or reports that there are too many.
func (l *link) openSession() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sessions == maxSessions {
		return false
	}
	l.sessions++
	return true
}

func (l *link) closeSession() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sessions--
}

// beginCommand counts a command in. While one runs, the connection is not
// idle.
func (l *link) beginCommand() (ended func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running++
	l.idle.Stop()
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.running--
		if l.running == 0 && !l.closed {
			l.idle.Reset(l.s.cfg.IdleTimeout)
		}
	}
}

// setActor notes who the newest session of the connection acts as.
func (l *link) setActor(a core.Actor) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.actor = a
}

// identity is what the client has proved, and who its newest session acts as.
func (l *link) identity() (proved, core.Actor) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return *l.proved, l.actor
}
