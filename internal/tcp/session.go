package tcp

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/core/guestport"
	"github.com/nodeos-dev/gitd/internal/core/offer"
)

// dialTime is for a machine to take a connection. After it, another one is tried.
const dialTime = 10 * time.Second

// connect finds a machine of app that takes a connection. port chooses among what the app offers. While the app's next
// machine is being started, it waits. The session is to be released.
func (r *Router) connect(ctx context.Context, app string, port func(offer.Offer) (int, error)) (*session, error) {
	var tried []*backend
	var failed error
	for {
		b, at, err := r.find(ctx, app, port, tried)
		if err != nil {
			return nil, errors.Join(failed, err)
		}
		if b == nil {
			return nil, refused(failed)
		}
		bound, cancel := context.WithTimeout(ctx, dialTime)
		stop := context.AfterFunc(b.life, cancel)
		machine, err := guestport.Dial(bound, b.addr, at)
		stop()
		cancel()
		if err == nil {
			return newSession(b, machine), nil
		}
		b.release()
		tried, failed = append(tried, b), err
	}
}

// refused is why no machine took a connection.
func refused(err error) error {
	if errors.Is(err, guestport.ErrNotListening) {
		return &core.Rejection{Reason: "does not listen on that port", Err: err}
	}
	return err
}

// find chooses a machine that was not tried. If there is none left, b is nil.
func (r *Router) find(ctx context.Context, app string, port func(offer.Offer) (int, error), tried []*backend) (b *backend, at int, err error) {
	for {
		b, at, wait, err := r.look(app, port, tried)
		if wait == nil || err != nil {
			return b, at, err
		}
		if wait.knock != nil {
			wait.knock()
		}
		late := time.NewTimer(wait.limit)
		select {
		case <-wait.ended:
			late.Stop()
		case <-late.C:
			return nil, 0, core.Reject("is starting, and takes longer than a connection may wait", "")
		case <-ctx.Done():
			late.Stop()
			return nil, 0, ctx.Err()
		}
	}
}

// look is one look at the place of an app.
func (r *Router) look(app string, port func(offer.Offer) (int, error), tried []*backend) (b *backend, at int, wait *hold, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p, ok := r.places[app]
	switch {
	case !ok:
		return nil, 0, nil, core.Reject("does not run", "")
	case p.hold != nil:
		return nil, 0, p.hold, nil
	case len(p.backends) == 0:
		return nil, 0, nil, core.Reject("does not run: "+p.reason, "")
	}
	if at, err = port(p.offer); err != nil {
		return nil, 0, nil, err
	}
	return p.pick(tried), at, nil, nil
}

// session is one connection, from a client to a machine.
type session struct {
	backend *backend
	machine net.Conn

	life context.Context
	cut  context.CancelFunc

	last    atomic.Int64 // when bytes went through, in nanoseconds
	awaited atomic.Bool  // they came from the client, and the app has said nothing since
	in, out atomic.Int64 // bytes to the app, and from it
}

func newSession(b *backend, machine net.Conn) *session {
	s := &session{backend: b, machine: machine}
	s.life, s.cut = context.WithCancel(b.life)
	s.moved(false)
	return s
}

// release counts the session out. It is called once.
func (s *session) release() {
	s.cut()
	s.backend.release()
}

func (s *session) moved(byClient bool) {
	s.awaited.Store(byClient)
	s.last.Store(time.Now().UnixNano())
}

func (s *session) silent() time.Duration { return time.Since(time.Unix(0, s.last.Load())) }

// quietTime is how long nothing has come after the app's last word if nobody waits for anything.
const quietTime = 2 * time.Second

// quiet reports whether neither side seems to wait for the other one: what was said last was said by the app. A
// question that has no answer yet is not quiet, however long it takes.
func (s *session) quiet() bool { return !s.awaited.Load() && s.silent() > quietTime }

// carry carries bytes both ways until both sides have ended, one has failed, nothing came for idle (0: forever), or ctx
// or the session has ended. It closes both.
func (s *session) carry(ctx context.Context, client net.Conn, idle time.Duration) {
	s.backend.begin(s)
	defer s.backend.end(s)
	shut := func() {
		reset(client)
		reset(s.machine)
	}
	defer context.AfterFunc(ctx, shut)()
	defer context.AfterFunc(s.life, shut)()
	var both sync.WaitGroup
	both.Go(func() {
		if s.pump(s.machine, client, &s.in, true, idle) != nil {
			shut()
		}
	})
	if s.pump(client, s.machine, &s.out, false, idle) != nil {
		shut()
	}
	both.Wait()
	client.Close()
	s.machine.Close()
}

// chunks are what is on its way of one direction.
var chunks = sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}

// errIdle is that nothing came through for too long.
var errIdle = errors.New("nothing came through for too long")

// pump carries one direction. It ends with nil when from has said that it sends no more, which to is told.
func (s *session) pump(to, from net.Conn, count *atomic.Int64, byClient bool, idle time.Duration) error {
	for {
		n, err := s.move(to, from, byClient, idle)
		count.Add(int64(n))
		switch {
		case errors.Is(err, io.EOF):
			if h, is := to.(interface{ CloseWrite() error }); is {
				return h.CloseWrite()
			}
			return nil
		case err != nil:
			return err
		}
	}
}

// move carries what there is at once.
func (s *session) move(to, from net.Conn, byClient bool, idle time.Duration) (n int, err error) {
	if idle > 0 {
		if err := from.SetReadDeadline(time.Now().Add(idle)); err != nil {
			return 0, err
		}
	}
	buf, n, err := read(from)
	if buf != nil {
		defer chunks.Put(buf)
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded) && s.silent() < idle:
		return 0, nil // the other direction is at work
	case errors.Is(err, os.ErrDeadlineExceeded):
		return 0, errIdle
	case err != nil:
		return 0, err
	case n == 0:
		return 0, io.EOF
	}
	s.moved(byClient)
	_, err = to.Write((*buf)[:n])
	return n, err
}

// read waits for something to read, and takes a buffer only then: most connections are idle most of the time. The
// buffer is to be put back, if there is one.
func read(from net.Conn) (buf *[]byte, n int, err error) {
	raw, err := from.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil, 0, err
	}
	werr := raw.Read(func(fd uintptr) bool {
		buf = chunks.Get().(*[]byte)
		n, err = syscall.Read(int(fd), *buf)
		for errors.Is(err, syscall.EINTR) {
			n, err = syscall.Read(int(fd), *buf)
		}
		if errors.Is(err, syscall.EAGAIN) {
			chunks.Put(buf)
			buf, err = nil, nil
			return false
		}
		return true
	})
	return buf, max(n, 0), errors.Join(err, werr)
}

// reset closes a connection so that the other side sees that it was no ordinary end.
func reset(c net.Conn) {
	if t, is := c.(*net.TCPConn); is {
		t.SetLinger(0) //nolint:errcheck // a connection that has ended already needs no reset
	}
	c.Close()
}
