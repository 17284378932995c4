// Package session keeps a connection to libvirt.
//
// It owns the connection, libvirt's event loop, and that both are there again when a libvirt daemon has been away. It
// does not own what is asked of libvirt, nor the machines.
package session

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"libvirt.org/go/libvirt"

	"github.com/nodeos-dev/gitd/internal/background"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/latch"
)

const (
	// awayLimit is how long a call waits for a libvirt that is away. A libvirtd restarts in a second or a few.
	awayLimit = 30 * time.Second

	// The pauses between two attempts to reach a libvirt that is away.
	firstPause = 50 * time.Millisecond
	mostPause  = 2 * time.Second

	// A daemon that answers none of so many questions, one each period, is away: it hangs, or its host does. A guest
	// counts as hung after a minute, so this must be less.
	keepAlivePeriod = 5 // seconds
	keepAliveCount  = 4
)

// ErrLost says that a connection ended before it was of use.
var ErrLost = errors.New("the connection was lost again")

// ErrAway says that libvirt cannot be reached, or went away before it had answered.
var ErrAway = errors.New("libvirt is away")

// Link is one connection to libvirt, from its beginning to its end.
type Link struct {
	Conn   *libvirt.Connect
	events *int          // what the session has registered; nil: nothing
	over   chan struct{} // closed when the connection is lost, or is taken out of use
	users  int           // the session and the calls that use conn, of which the last one closes it
	lanes  []*Link       // those that no call uses now
	trunk  *Link         // the connection whose lane this one is; nil: it is none
	stream bool          // a stream uses it, and goes on when the call has ended
}

// Config is what a Session works with. Every field but Daemon is required.
type Config struct {
	URI    string
	Daemon bool // libvirt is another process, which may end and come back
	Log    zerolog.Logger

	// Lifecycle is called for the events of all domains, and must not wait.
	Lifecycle func(id string, e *libvirt.DomainEventLifecycle)
	// Resume is called with a new connection, before the first call uses it, and Lost when that connection is over.
	Resume func(*Link) error
	Lost   func(why string)
}

// Session owns the connection to libvirt. A daemon may end and come back: the session notices it, connects again, and
// replaces the connection. Nobody else keeps one, nor a domain, from one call to the next.
type Session struct {
	Config
	work *background.Work

	mu    sync.Mutex    // guards what follows, and Link.users, Link.lanes and the closing of Link.over
	now   *Link         // nil: libvirt is away
	back  chan struct{} // closed when now is set; nil until libvirt was away
	since time.Time     // when libvirt went away last
	why   string
}

// Open connects.
func Open(ctx context.Context, cfg Config) (*Session, error) {
	s := &Session{Config: cfg, work: background.New()}
	return s, s.open(ctx)
}

// Context ends when the session settles.
func (s *Session) Context() context.Context { return s.work.Context() }

// open connects. It is called at the beginning, and by restore.
func (s *Session) open(ctx context.Context) error {
	conn, err := Connect(ctx, s.URI)
	if err != nil {
		return err
	}
	l := &Link{Conn: conn, over: make(chan struct{}), users: 1}
	if err = s.watch(l); err == nil {
		err = s.Resume(l)
	}
	if err == nil {
		err = s.enter(l)
	}
	if err != nil {
		s.Lost(err.Error())
		s.discard(l)
	}
	return err
}

// watch registers for the events of a connection, and for its end.
func (s *Session) watch(l *Link) error {
	if s.Daemon {
		err := l.Conn.RegisterCloseCallback(func(_ *libvirt.Connect, reason libvirt.ConnectCloseReason) {
			if reason != libvirt.CONNECT_CLOSE_REASON_CLIENT {
				s.lose(l, closeReason(reason))
			}
		})
		if err == nil {
			err = keepAlive(l.Conn)
		}
		if err != nil { // a call that fails shows it too
			s.Log.Debug().Err(err).Msg("libvirt does not report a lost connection")
		}
	}
	tell := func(_ *libvirt.Connect, dom *libvirt.Domain, e *libvirt.DomainEventLifecycle) {
		if name, err := dom.GetName(); err == nil {
			s.Lifecycle(name, e)
		}
	}
	id, err := l.Conn.DomainEventLifecycleRegister(nil, tell)
	if err != nil {
		return fmt.Errorf("libvirt's lifecycle events: %w", err)
	}
	l.events = &id
	return nil
}

func closeReason(reason libvirt.ConnectCloseReason) string {
	switch reason {
	case libvirt.CONNECT_CLOSE_REASON_EOF:
		return "it has closed the connection"
	case libvirt.CONNECT_CLOSE_REASON_KEEPALIVE:
		return "it has not answered for " + (keepAlivePeriod * (keepAliveCount + 1) * time.Second).String()
	default:
		return "the connection failed"
	}
}

// enter gives l to the calls.
func (s *Session) enter(l *Link) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if latch.Closed(l.over) {
		return ErrLost
	}
	s.now = l
	if s.back != nil {
		latch.Close(s.back)
		s.Log.Info().Dur("away", time.Since(s.since)).Msg("libvirt is back")
	}
	return nil
}

// lose notes that l is lost. It is called by the event loop, and by calls that failed.
func (s *Session) lose(l *Link, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	latch.Close(l.over)
	if s.now != l || !s.work.Go(func(ctx context.Context) { s.restore(ctx, l, why) }) {
		return // it is not in use yet, or not any more
	}
	s.now, s.back, s.since, s.why = nil, make(chan struct{}), time.Now(), why
}

// restore takes the place of a lost connection. It makes one attempt after the other: one that hangs, because the
// daemon does, ends with the daemon or with TCP.
func (s *Session) restore(ctx context.Context, l *Link, why string) {
	s.Log.Warn().Str("because", why).Msg("libvirt is away; machines go on, and gitd connects again by itself")
	s.Lost(why)
	s.discard(l)
	for pause := firstPause; ; pause = min(2*pause, mostPause) {
		err := s.open(ctx)
		if err == nil || background.Sleep(ctx, pause) != nil {
			return
		}
		s.mu.Lock()
		news := s.why != err.Error()
		s.why = err.Error()
		s.mu.Unlock()
		if news {
			s.Log.Warn().Err(err).Msg("libvirt is still away")
		}
	}
}

// drop takes l out of use. What still uses it goes on, and the last one closes the connection.
func (s *Session) drop(l *Link) (err error) {
	s.mu.Lock()
	latch.Close(l.over)
	lanes := l.lanes
	l.lanes = nil
	s.mu.Unlock()
	for _, lane := range lanes {
		lane.close()
	}
	if l.events != nil {
		err = l.Conn.DomainEventDeregister(*l.events)
	}
	return errors.Join(err, l.Conn.UnregisterCloseCallback(), s.give(l))
}

// discard is drop for a connection that is of no use: it can hardly be told to end.
func (s *Session) discard(l *Link) {
	if err := s.drop(l); err != nil {
		s.Log.Debug().Err(err).Msg("a connection to libvirt that was lost")
	}
}

// With calls f with the connection. While libvirt is away, it waits, up to awayLimit. If libvirt goes away while f
// runs, an error of f becomes one that says so.
func (s *Session) With(ctx context.Context, f func(*Link) error) error {
	l, err := s.take(ctx)
	if err != nil {
		return err
	}
	defer s.give(l) //nolint:errcheck // what the close of a lost connection says helps nobody
	called, dead := false, false
	err = s.Beside(ctx, l, func(l *Link) error {
		err := f(l)
		called, dead = true, l.Dead()
		return err
	})
	if !called && ctx.Err() == nil { // libvirt lets nobody in: it is about to be away
		dead = true
	}
	if err != nil && (dead || l.Dead()) {
		s.lose(l, Plain(err).Error())
		return s.unreachable(err)
	}
	return err
}

// Over reports whether Lost was called for l, or is about to be.
func (l *Link) Over() bool { return latch.Closed(l.over) }

// Dead reports whether l is lost, perhaps before the event loop has heard of it.
func (l *Link) Dead() bool {
	alive, err := l.Conn.IsAlive()
	return l.Over() || err == nil && !alive
}

// take returns the connection. The caller gives it back.
func (s *Session) take(ctx context.Context) (*Link, error) {
	ctx, cancel := context.WithTimeout(ctx, awayLimit)
	defer cancel()
	for {
		s.mu.Lock()
		l, back := s.now, s.back
		if l != nil {
			l.users++
		}
		s.mu.Unlock()
		if l != nil {
			return l, nil
		}
		select {
		case <-back:
		case <-s.work.Context().Done():
			return nil, s.work.Context().Err()
		case <-ctx.Done():
			return nil, s.unreachable(ctx.Err())
		}
	}
}

// give is the opposite of take.
func (s *Session) give(l *Link) error {
	s.mu.Lock()
	l.users--
	last := l.users == 0
	s.mu.Unlock()
	if !last {
		return nil
	}
	_, err := l.Conn.Close()
	return err
}

// unreachable is the answer to what libvirt is asked while it is away.
func (s *Session) unreachable(cause error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &core.Rejection{
		Reason: "libvirt is away: " + s.why,
		Hint:   "try again, for a release push again, once it runs: gitd connects to it by itself, and what serves goes on",
		Err:    errors.Join(ErrAway, cause),
	}
}

// Away says why libvirt cannot be reached, and since when. An empty text says that it can.
func (s *Session) Away() (why string, since time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now != nil {
		return "", time.Time{}
	}
	return s.why, s.since
}

// Settle ends the attempts to connect again, and waits for that.
func (s *Session) Settle() { s.work.Close() }

// Close closes the connection.
func (s *Session) Close() error {
	s.Settle()
	s.mu.Lock()
	l := s.now
	s.now = nil
	s.mu.Unlock()
	if l == nil {
		return nil
	}
	return s.drop(l)
}
