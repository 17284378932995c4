// Package guestport is how gitd connects to a machine by its second door: for any port of the guest, and for what the
// guest's network has asked for.
//
// It owns what is said there before the first byte of a connection. It does not own the connections.
package guestport

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A machine has a second door beside the one for its web port, at which gitd says what the connection is for. What
// gitd says is five bytes: a kind, and a number.
const (
	portDoor  = "tcp" // takes the place of appDoor at the end of a machine's Addr
	appDoor   = "app"
	toPort    = 'P' // the number is a port of the guest
	toAsked   = 'L' // the number is that of a connection for which the machine's network has asked: see package wire
	connected = 1   // the answer, once the guest has taken the connection
)

// Door is the door for all ports of the machine whose web port is behind addr, a unix socket.
func Door(addr string) string { return strings.TrimSuffix(addr, appDoor) + portDoor }

// ErrNotListening is that a machine runs, and nothing in it takes connections at a port.
var ErrNotListening = errors.New("nothing listens there")

// Dial connects to a port of the machine at addr. Unlike a connection to addr itself, this one was taken by the app
// when Dial returns. Where a machine has an address of its own, its ports are at that address.
func Dial(ctx context.Context, addr string, port int) (net.Conn, error) {
	if !strings.HasPrefix(addr, "/") && !strings.HasPrefix(addr, "@") {
		return dialTCP(ctx, addr, port)
	}
	c, err := dialDoor(ctx, Door(addr), toPort, uint32(port))
	if err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })() //nolint:errcheck // then it is closed
	answer := []byte{0}
	if _, err := io.ReadFull(c, answer); err != nil || answer[0] != connected {
		c.Close()
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("port %d: %w", port, ErrNotListening)
	}
	return c, nil
}

// DialAsked brings the network of a machine, by its second door, the connection for which it has asked.
func DialAsked(ctx context.Context, door string, asked uint32) (net.Conn, error) {
	return dialDoor(ctx, door, toAsked, asked)
}

// dialTCP connects to a port at the address of a machine, of whose web port addr is.
func dialTCP(ctx context.Context, addr string, port int) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil, fmt.Errorf("port %d: %w", port, ErrNotListening)
	}
	return c, err
}

func dialDoor(ctx context.Context, door string, kind byte, n uint32) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "unix", door)
	if err != nil {
		return nil, err
	}
	if _, err = c.Write(binary.BigEndian.AppendUint32([]byte{kind}, n)); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// sayTime is for gitd to say what a connection is for.
const sayTime = 5 * time.Second

// Read reads what a connection at a machine's second door is for: a port, or, with asked, the number of what was
// asked for.
func Read(c net.Conn) (n uint32, asked bool, err error) {
	if err := c.SetReadDeadline(time.Now().Add(sayTime)); err != nil {
		return 0, false, err
	}
	b := make([]byte, 5)
	if _, err := io.ReadFull(c, b); err != nil {
		return 0, false, err
	}
	n, asked = binary.BigEndian.Uint32(b[1:]), b[0] == toAsked
	if !asked && (b[0] != toPort || n == 0 || n > 65535) {
		return 0, false, errors.New("a connection does not say what it is for: " + strconv.Quote(string(b)))
	}
	return n, asked, c.SetReadDeadline(time.Time{})
}

// Confirm answers a connection for a port, once the guest has taken it.
func Confirm(c net.Conn) error {
	_, err := c.Write([]byte{connected})
	return err
}
