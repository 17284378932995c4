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
	say  sync.Mutex // one message at a time
	set  chan struct{}
	done chan struct{}
	err  error
}

// Watch speaks with the network of a machine, until conn ends. It calls refused for each destination that is reported,
// and asked for each connection that is asked for. Neither may wait for long.
func Watch(conn net.Conn, refused func(Refused), asked func(*Client, Ask)) *Client {
	c := &Client{conn: conn, set: make(chan struct{}, 1), done: make(chan struct{})}
	go func() {
		defer close(c.done)
		defer conn.Close()
		c.err = receive(conn, func(m message) error {
			switch {
			case m.Refused != nil:
				refused(*m.Refused)
			case m.Ask != nil:
				asked(c, *m.Ask)
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
	if err := c.send(message{Policy: &policy{p.Rules, p.Rate, p.Links}}); err != nil {
		return errors.Join(ctx.Err(), err)
	}
	select {
	case <-c.set:
		return nil
	case <-c.done:
		return errors.Join(ctx.Err(), errGone, c.err)
	}
}

func (c *Client) send(m message) error {
	c.say.Lock()
	defer c.say.Unlock()
	return send(c.conn, m)
}

// Refuse says that there will be no connection.
func (c *Client) Refuse(n uint32, why string) error { return c.send(message{No: &no{n, why}}) }

// Done is closed when the network has ended, or the connection with it.
func (c *Client) Done() <-chan struct{} { return c.done }

// Close ends the connection. The machine keeps its policy.
func (c *Client) Close() error { return c.conn.Close() }
