package libvirt

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

// errLost says that a connection ended before it was of use.
var errLost = errors.New("the connection was lost again")

// errAway says that libvirt cannot be reached, or went away before it had answered.
var errAway = errors.New("libvirt is away")

// link is one connection to libvirt, from its beginning to its end.
type link struct {
	conn   *libvirt.Connect
	events *int          // what the session has registered; nil: nothing
	over   chan struct{} // closed when the connection is lost, or is taken out of use
	users  int           // the session and the calls that use conn, of which the last one closes it
}

// session owns the connection to libvirt. A daemon may end and come back: the session notices it, connects again, and
// replaces the connection. Nobody else keeps one, nor a domain, from one call to the next.
type session struct {
	uri    string
	daemon bool // libvirt is another process
	log    zerolog.Logger
	work   *background.Work

	lifecycle func(id string, e *libvirt.DomainEventLifecycle) // called for the events of all domains; must not wait
	lost      func(why string)                                 // called when a connection that resume was given is over
	resume    func(*link) error                                // called with a new connection, before the first call uses it

	mu    sync.Mutex    // guards what follows, and link.users and the closing of link.over
	now   *link         // nil: libvirt is away
	back  chan struct{} // closed when now is set; nil until libvirt was away
	since time.Time     // when libvirt went away last
	why   string
}

// open connects. It is called at the beginning, and by restore.
func (s *session) open(ctx context.Context) error {
	conn, err := connect(ctx, s.uri)
	if err != nil {
		return err
	}
	l := &link{conn: conn, over: make(chan struct{}), users: 1}
	if err = s.watch(l); err == nil {
		err = s.resume(l)
	}
	if err == nil {
		err = s.enter(l)
	}
	if err != nil {
		s.lost(err.Error())
		s.discard(l)
	}
	return err
}

// watch registers for the events of a connection, and for its end.
func (s *session) watch(l *link) error {
	if s.daemon {
		err := l.conn.RegisterCloseCallback(func(_ *libvirt.Connect, reason libvirt.ConnectCloseReason) {
			if reason != libvirt.CONNECT_CLOSE_REASON_CLIENT {
				s.lose(l, closeReason(reason))
			}
		})
		if err == nil {
			err = l.conn.SetKeepAlive(keepAlivePeriod, keepAliveCount)
		}
		if err != nil { // a call that fails shows it too
			s.log.Debug().Err(err).Msg("libvirt does not report a lost connection")
		}
	}
	id, err := l.conn.DomainEventLifecycleRegister(nil, func(_ *libvirt.Connect, dom *libvirt.Domain, e *libvirt.DomainEventLifecycle) {
		if name, err := dom.GetName(); err == nil {
			s.lifecycle(name, e)
		}
	})
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
func (s *session) enter(l *link) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if latch.Closed(l.over) {
		return errLost
	}
	s.now = l
	if s.back != nil {
		latch.Close(s.back)
		s.log.Info().Dur("away", time.Since(s.since)).Msg("libvirt is back")
	}
	return nil
}

// lose notes that l is lost. It is called by the event loop, and by calls that failed.
func (s *session) lose(l *link, why string) {
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
func (s *session) restore(ctx context.Context, l *link, why string) {
	s.log.Warn().Str("because", why).Msg("libvirt is away; machines go on, and gitd connects again by itself")
	s.lost(why)
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
			s.log.Warn().Err(err).Msg("libvirt is still away")
		}
	}
}

// drop takes l out of use. What still uses it goes on, and the last one closes the connection.
func (s *session) drop(l *link) (err error) {
	s.mu.Lock()
	latch.Close(l.over)
	s.mu.Unlock()
	if l.events != nil {
		err = l.conn.DomainEventDeregister(*l.events)
	}
	return errors.Join(err, l.conn.UnregisterCloseCallback(), s.give(l))
}

// discard is drop for a connection that is of no use: it can hardly be told to end.
func (s *session) discard(l *link) {
	if err := s.drop(l); err != nil {
		s.log.Debug().Err(err).Msg("a connection to libvirt that was lost")
	}
}

// with calls f with the connection. While libvirt is away, it waits, up to awayLimit. If libvirt goes away while f
// runs, an error of f becomes one that says so.
func (s *session) with(ctx context.Context, f func(*link) error) error {
	l, err := s.take(ctx)
	if err != nil {
		return err
	}
	defer s.give(l) //nolint:errcheck // what the close of a lost connection says helps nobody
	if err = f(l); err == nil {
		return nil
	}
	if l.dead() {
		s.lose(l, plain(err).Error())
		return s.unreachable(err)
	}
	return err
}

// dead reports whether l is lost, perhaps before the event loop has heard of it.
func (l *link) dead() bool {
	alive, err := l.conn.IsAlive()
	return latch.Closed(l.over) || err == nil && !alive
}

// take returns the connection. The caller gives it back.
func (s *session) take(ctx context.Context) (*link, error) {
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
func (s *session) give(l *link) error {
	s.mu.Lock()
	l.users--
	last := l.users == 0
	s.mu.Unlock()
	if !last {
		return nil
	}
	_, err := l.conn.Close()
	return err
}

// unreachable is the answer to what libvirt is asked while it is away.
func (s *session) unreachable(cause error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &core.Rejection{
		Reason: "libvirt is away: " + s.why,
		Hint:   "try again, for a release push again, once it runs: gitd connects to it by itself, and what serves goes on",
		Err:    errors.Join(errAway, cause),
	}
}

// away says why libvirt cannot be reached, and since when. An empty text says that it can.
func (s *session) away() (why string, since time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now != nil {
		return "", time.Time{}
	}
	return s.why, s.since
}

// close closes the connection.
func (s *session) close() error {
	s.work.Close()
	s.mu.Lock()
	l := s.now
	s.now = nil
	s.mu.Unlock()
	if l == nil {
		return nil
	}
	return s.drop(l)
}
