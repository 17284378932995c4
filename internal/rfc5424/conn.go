package rfc5424

import (
	"io"
	"net"
	"time"
)

// WriteLimit is for the receiver to take what is written at once.
const WriteLimit = 10 * time.Second

// Conn is a connection to a receiver. It is not safe for concurrent use.
type Conn struct {
	net.Conn
	Framed bool // messages are counted, because the connection is a stream
}

// NewConn takes a connection over. A receiver has nothing to say: what it sends is thrown away, and when it closes, so
// is the connection. Otherwise what is written next would be lost without an error.
func NewConn(conn net.Conn, framed bool) *Conn {
	if framed {
		go func() {
			io.Copy(io.Discard, conn) //nolint:errcheck // it has ended either way
			conn.Close()
		}()
	}
	return &Conn{conn, framed}
}

// Send writes messages: several with one call, if the connection is a stream.
func (c *Conn) Send(messages ...[]byte) error {
	if !c.Framed {
		for _, m := range messages {
			if err := c.write(m); err != nil {
				return err
			}
		}
		return nil
	}
	var buf []byte
	for _, m := range messages {
		buf = Frame(buf, m)
	}
	return c.write(buf)
}

func (c *Conn) write(b []byte) error {
	if err := c.SetWriteDeadline(time.Now().Add(WriteLimit)); err != nil {
		return err
	}
	_, err := c.Write(b)
	return err
}
