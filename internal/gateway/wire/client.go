package wire

import (
	"context"
	"errors"
	"net"
	"sync"

	"github.com/nodeos-dev/gitd/internal/core"
)

// Client is gitd's side of one machine's network.
type Client struct {
	conn net.Conn
	one  sync.Mutex // one policy at a time
	set  chan struct{}
	done chan struct{}
	err  error
}

// Watch speaks with the network of a machine, and calls refused for each destination that it reports, until conn ends.
// refused must not wait for long.
func Watch(conn net.Conn, refused func(Refused)) *Client {
	c := &Client{conn: conn, set: make(chan struct{}, 1), done: make(chan struct{})}
	go func() {
		defer close(c.done)
		defer conn.Close()
		c.err = receive(conn, func(m message) error {
			switch {
			case m.Refused != nil:
				refused(*m.Refused)
			case m.Set:
				select {
				case c.set <- struct{}{}:
				default:
				}
			}
			return nil
		})
	}()
	return c
}

var errGone = errors.New("the machine's network has ended")

// SetPolicy returns when the policy holds, also for what was there before.
func (c *Client) SetPolicy(ctx context.Context, p core.Egress) error {
	c.one.Lock()
	defer c.one.Unlock()
	defer context.AfterFunc(ctx, func() { c.conn.Close() })() // half a message is none
	if err := send(c.conn, message{Policy: &policy{p.Rules, p.Rate}}); err != nil {
		return errors.Join(ctx.Err(), err)
	}
	select {
	case <-c.set:
		return nil
	case <-c.done:
		return errors.Join(ctx.Err(), errGone, c.err)
	}
}

// Done is closed when the network has ended, or the connection with it.
func (c *Client) Done() <-chan struct{} { return c.done }

// Close ends the connection. The machine keeps its policy.
func (c *Client) Close() error { return c.conn.Close() }
