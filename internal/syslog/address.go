package syslog

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"time"
)

// Address is where the receiver is.
type Address struct {
	network string // "udp", "tcp" or "unix"
	to      string
}

// defaultPort is that of syslog over UDP, and of most receivers over TCP.
const defaultPort = "514"

// ParseAddress reads udp://HOST[:PORT], tcp://HOST[:PORT] or unix:///PATH.
func ParseAddress(s string) (Address, error) {
	u, err := url.Parse(s)
	if err != nil || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return Address{}, wrong(s)
	}
	switch u.Scheme {
	case "udp", "tcp":
		port := u.Port()
		if port == "" {
			port = defaultPort
		}
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || u.Hostname() == "" || u.Path != "" {
			return Address{}, wrong(s)
		}
		return Address{u.Scheme, net.JoinHostPort(u.Hostname(), port)}, nil
	case "unix":
		if u.Host != "" || !filepath.IsAbs(u.Path) {
			return Address{}, wrong(s)
		}
		return Address{u.Scheme, u.Path}, nil
	}
	return Address{}, wrong(s)
}

func wrong(s string) error {
	return fmt.Errorf("%.100q is no address of a syslog receiver: use udp://HOST:514, tcp://HOST:514 or unix:///dev/log", s)
}

func (a Address) String() string { return a.network + "://" + a.to }

// dialLimit bounds the wait for a receiver.
const dialLimit = 10 * time.Second

// dial connects. framed says that messages are counted (RFC 6587, section 3.4.1), because what is sent is a stream.
func (a Address) dial(ctx context.Context) (conn net.Conn, framed bool, err error) {
	d := net.Dialer{Timeout: dialLimit}
	if a.network != "unix" {
		conn, err = d.DialContext(ctx, a.network, a.to)
		return conn, a.network == "tcp", err
	}
	conn, err = d.DialContext(ctx, "unixgram", a.to)
	if err == nil {
		return conn, false, nil
	}
	stream, second := d.DialContext(ctx, "unix", a.to)
	if second != nil {
		return nil, false, errors.Join(err, second)
	}
	return stream, true, nil
}
