package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/gliderlabs/ssh"

	"github.com/nodeos-dev/gitd/internal/cli"
	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
)

// SessionsOf is how many sessions one user may have at once, unless the operator says otherwise. A deploy key counts as
// a user of its own. Half of them may go on until somebody ends them (`logs -t`, `run`): the others stay free for what
// ends by itself, such as a push.
const SessionsOf = 20

// reserve are the places beyond those, in which a user sees and ends their sessions, and is told that there are too
// many. A user has as many connections as places: each may have one of them.
const reserve = 4

// endLimit is how long a session has to end by itself before its connection is cut.
const endLimit = 2 * time.Second

// errEnded is why a session ends that somebody has ended.
var errEnded = errors.New("this session was ended with sessions:end")

// Seats are the sessions of all users. What each may have is bounded, whatever the addresses are that they come from:
// with one key, and many addresses, nobody takes the memory and the places of others.
type Seats struct {
	most int // of one account

	mu       sync.Mutex
	last     int // id
	accounts map[string]*account
}

// account is what one user, or one deploy key, has open. All is guarded by Seats.mu.
type account struct {
	links    map[*link]*use
	channels int
	seats    map[int]*seat
}

// use is what a connection is used for.
type use struct {
	channels int
	since    time.Time // when the last of them was closed
}

// seat is one session that runs.
type seat struct {
	of      *Seats
	account string
	link    *link
	ctx     context.Context
	cancel  context.CancelCauseFunc
	hangUp  func() error
	shown   command.Session // guarded by Seats.mu
}

func newSeats(most int) *Seats {
	return &Seats{most: cmp.Or(most, SessionsOf), accounts: map[string]*account{}}
}

// arrive counts a connection in whose client has just logged in. If its account has too many, it returns the one that
// must go: the one that was not used for longest, and if all are, the new one.
func (s *Seats) arrive(l *link, of string) (surplus *link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[of]
	if a == nil {
		a = &account{links: map[*link]*use{}, seats: map[int]*seat{}}
		s.accounts[of] = a
	}
	if len(a.links) >= s.most+reserve {
		surplus = l
		for other, u := range a.links {
			if u.channels == 0 && (surplus == l || u.since.Before(a.links[surplus].since)) {
				surplus = other
			}
		}
	}
	a.links[l] = &use{since: time.Now()}
	return surplus
}

// depart counts a connection out.
func (s *Seats) depart(l *link, of string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.accounts[of]; a != nil {
		delete(a.links, l)
		s.forget(of, a)
	}
}

// forget drops an account that has nothing open; s.mu is held.
func (s *Seats) forget(of string, a *account) {
	if len(a.links) == 0 && a.channels == 0 && len(a.seats) == 0 {
		delete(s.accounts, of)
	}
}

// open counts a channel in, or reports that its account has too many: each may hold what its client has sent and no
// command has read.
func (s *Seats) open(l *link, of string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[of]
	if a == nil || a.links[l] == nil || a.channels >= s.most+reserve {
		return false
	}
	a.channels++
	a.links[l].channels++
	return true
}

func (s *Seats) close(l *link, of string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[of]
	a.channels--
	if u := a.links[l]; u != nil {
		u.channels--
		u.since = time.Now()
	}
	s.forget(of, a)
}

// take gives a session its seat, or says why there is none.
func (s *Seats) take(sess ssh.Session, l *link, who core.Actor, words []string) (*seat, error) {
	p, _ := l.identity()
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[p.account]
	most := s.most
	if len(words) > 0 && cli.Governs(words[0]) {
		most += reserve
	}
	if a == nil || len(a.seats) >= most {
		return nil, tooMany("%s has %d sessions open, and may have %d", who.Name, most, most)
	}
	s.last++
	x := &seat{of: s, account: p.account, link: l, hangUp: sess.Close}
	x.ctx, x.cancel = context.WithCancelCause(sess.Context())
	x.shown = command.Session{
		ID: s.last, Who: who.Name, Account: p.account, From: sess.RemoteAddr().String(), Command: nameOf(words), Since: time.Now(),
	}
	a.seats[x.shown.ID] = x
	return x, nil
}

func tooMany(format string, args ...any) error {
	return core.Reject(fmt.Sprintf(format, args...), "`sessions` lists them, and `sessions:end ID` ends one")
}

// nameOf is a command line without what could be a secret.
func nameOf(words []string) string {
	switch {
	case len(words) == 0:
		return cli.OverviewName
	case appOf(words) == "":
		return words[0]
	}
	return words[0] + " " + appOf(words)
}

// hangsUp closes the session's channel when somebody ends it: git cannot be told in another way.
func (x *seat) hangsUp() {
	context.AfterFunc(x.ctx, func() {
		if errors.Is(context.Cause(x.ctx), errEnded) {
			x.hangUp() //nolint:errcheck // the client has gone
		}
	})
}

// leave ends a session's right to its seat.
func (x *seat) leave() {
	x.cancel(nil)
	x.of.mu.Lock()
	defer x.of.mu.Unlock()
	a := x.of.accounts[x.account]
	delete(a.seats, x.shown.ID)
	x.of.forget(x.account, a)
}

// stay says that the session goes on until somebody ends it, or why it must not.
func (x *seat) stay() error {
	x.of.mu.Lock()
	defer x.of.mu.Unlock()
	n := 0
	for _, other := range x.of.accounts[x.account].seats {
		if other.shown.Stays && other != x {
			n++
		}
	}
	if most := max(1, x.of.most/2); n >= most {
		return tooMany("%s follows or runs %d things already (`logs -t`, `events --follow`, `overview`, `run`), and may do %d at once",
			x.shown.Who, n, most)
	}
	x.shown.Stays = true
	if gone, ok := x.ctx.Value(channelKey{}).(context.Context); ok {
		context.AfterFunc(gone, func() { x.cancel(context.Canceled) })
	}
	return nil
}

// List implements command.Sessions.
func (s *Seats) List() []command.Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []command.Session
	for _, a := range s.accounts {
		for _, x := range a.seats {
			all = append(all, x.shown)
		}
	}
	slices.SortFunc(all, func(a, b command.Session) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// End implements command.Sessions. A session that does not end by itself, because its client takes nothing, ends with
// its connection.
func (s *Seats) End(id int) bool {
	x := s.find(id)
	if x == nil {
		return false
	}
	x.cancel(errEnded)
	time.AfterFunc(endLimit, func() {
		if s.find(id) != nil {
			x.link.end("its session was ended")
		}
	})
	return true
}

func (s *Seats) find(id int) *seat {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.accounts {
		if x := a.seats[id]; x != nil {
			return x
		}
	}
	return nil
}
