package gateway

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"

	"gvisor.dev/gvisor/pkg/tcpip"
)

// conn is one connection between the guest and the world.
type conn struct {
	target netip.AddrPort // whereto, if the guest has made it
	dns    bool
	limit  func(context.Context, int) error

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

// buffers hold what is on its way, and nothing while a connection is idle.
var buffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// toGuest ends with nil when the world has said that it sends no more.
func (c *conn) toGuest() error {
	raw, err := c.world.(syscall.Conn).SyscallConn()
	if err != nil {
		return err
	}
	for {
		buf, n, err := readReady(raw)
		if err == nil && n > 0 {
			err = c.guest.write(buf[:n])
		}
		if buf != nil {
			buffers.Put(buf)
		}
		switch {
		case err != nil:
			return err
		case n == 0:
			return fail("half-close", c.guest.ep.Shutdown(tcpip.ShutdownWrite))
		}
	}
}

// readReady reads what is there. The buffer is taken only then.
func readReady(raw syscall.RawConn) (buf *[32 << 10]byte, n int, err error) {
	werr := raw.Read(func(fd uintptr) bool {
		if buf == nil {
			buf = buffers.Get().(*[32 << 10]byte)
		}
		n, err = syscall.Read(int(fd), buf[:])
		for errors.Is(err, syscall.EINTR) {
			n, err = syscall.Read(int(fd), buf[:])
		}
		if errors.Is(err, syscall.EAGAIN) {
			buffers.Put(buf)
			buf = nil
			return false
		}
		return true
	})
	return buf, max(n, 0), errors.Join(err, werr)
}

// toWorld ends with nil when the guest has said that it sends no more.
func (c *conn) toWorld() error {
	for {
		c.guest.readable()
		buf := buffers.Get().(*[32 << 10]byte)
		n, err := c.guest.read(buf[:])
		if err == nil && n > 0 {
			if err = c.limit(c.ctx, n); err == nil {
				_, err = c.world.Write(buf[:n])
			}
		}
		buffers.Put(buf)
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
