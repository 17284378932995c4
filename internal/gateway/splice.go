package gateway

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"

	"gvisor.dev/gvisor/pkg/tcpip"
)

// conn is one connection between the guest and the world.
type conn struct {
	destination // if the guest has made it
	limit       func(context.Context, int) error

	ctx    context.Context // ends when it is cut
	cancel context.CancelFunc
	mu     sync.Mutex
	world  net.Conn
	guest  *guestEnd
}

func newConn(ctx context.Context, limit func(context.Context, int) error) *conn {
	c := &conn{limit: limit}
	c.ctx, c.cancel = context.WithCancel(ctx)
	return c
}

// join gives the connection its two sides. It reports false, and closes them, if the connection was cut before.
func (c *conn) join(world net.Conn, guest *guestEnd) bool {
	c.mu.Lock()
	c.world, c.guest = world, guest
	c.mu.Unlock()
	if c.ctx.Err() == nil {
		return true
	}
	c.cut()
	guest.close()
	return false
}

// cut ends both sides at once, with resets.
func (c *conn) cut() {
	c.cancel()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.world != nil {
		reset(c.world)
		c.guest.ep.Abort()
	}
}

// reset closes a connection so that the other side sees that it was no ordinary end.
func reset(c net.Conn) {
	if t, is := c.(*net.TCPConn); is {
		t.SetLinger(0) //nolint:errcheck // a connection that has ended already needs no reset
	}
	c.Close()
}

// splice carries bytes both ways until both sides have ended, or one was cut. It returns when the stack has forgotten
// the guest's side, so that what counts connections counts all memory of them.
func (c *conn) splice() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := c.toGuest(); err != nil {
			c.cut()
		}
	}()
	if err := c.toWorld(); err != nil {
		c.cut()
	}
	<-done
	c.world.Close()
	c.guest.close()
}

// pool has buffers of one size for what is on its way. Nobody holds one while nothing comes.
type pool struct{ sync.Pool }

func newPool(size int) *pool {
	return &pool{sync.Pool{New: func() any { b := make([]byte, size); return &b }}}
}

// chunks are what a connection carries at once, and keeps while its other side does not read.
var chunks = newPool(16 << 10)

// toGuest ends with nil when the world has said that it sends no more.
func (c *conn) toGuest() error {
	raw, err := c.world.(syscall.Conn).SyscallConn()
	if err != nil {
		return err
	}
	for {
		c.guest.writable()
		buf, n, err := chunks.read(raw)
		if err == nil && n > 0 {
			err = c.guest.write((*buf)[:n])
		}
		chunks.put(buf)
		switch {
		case err != nil:
			return err
		case n == 0:
			return fail("half-close", c.guest.ep.Shutdown(tcpip.ShutdownWrite))
		}
	}
}

// read waits for something to read, and takes a buffer only then. The buffer is to be put back, also after an error.
func (p *pool) read(raw syscall.RawConn) (buf *[]byte, n int, err error) {
	werr := raw.Read(func(fd uintptr) bool {
		buf = p.Get().(*[]byte)
		n, err = syscall.Read(int(fd), *buf)
		for errors.Is(err, syscall.EINTR) {
			n, err = syscall.Read(int(fd), *buf)
		}
		if errors.Is(err, syscall.EAGAIN) {
			p.put(buf)
			buf = nil
			return false
		}
		return true
	})
	return buf, max(n, 0), errors.Join(err, werr)
}

func (p *pool) put(buf *[]byte) {
	if buf != nil {
		p.Put(buf)
	}
}

// toWorld ends with nil when the guest has said that it sends no more.
func (c *conn) toWorld() error {
	for {
		c.guest.readable()
		buf := chunks.Get().(*[]byte)
		n, err := c.guest.read(*buf)
		if err == nil && n > 0 {
			if err = c.limit(c.ctx, n); err == nil {
				_, err = c.world.Write((*buf)[:n])
			}
		}
		chunks.put(buf)
		switch {
		case errors.Is(err, io.EOF):
			if h, is := c.world.(interface{ CloseWrite() error }); is {
				return h.CloseWrite()
			}
			return nil
		case err != nil:
			return err
		}
	}
}
