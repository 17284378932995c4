package wire

import (
	"bufio"
	"errors"
	"math"
	"net"
	"net/http"
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/net/http/httpguts"
)

// conn is one connection to a machine.
type conn struct {
	net.Conn
	in    *bufio.Reader
	out   *bufio.Writer
	asked http.Request // only its method is set
	left  int64        // bytes that may be read of headers
	since time.Time    // when it became idle
	quiet func() bool
}

func newConn(c net.Conn) *conn {
	n := &conn{Conn: c, quiet: quietly(c)}
	n.in, n.out = bufio.NewReader(reader{n}), bufio.NewWriter(c)
	return n
}

var errLong = errors.New("the headers of the answer are too long")

// reader is what the machine sends, within the limit of headers.
type reader struct{ *conn }

// Read implements io.Reader.
func (r reader) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, errLong
	}
	n, err := r.Conn.Read(p)
	r.left -= int64(n)
	return n, err
}

// quietly returns what reports whether nothing is to be read of an idle connection. What is, is no answer to the next
// request, and an end is none either.
func quietly(c net.Conn) func() bool {
	s, ok := c.(syscall.Conn)
	if !ok {
		return func() bool { return false }
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return func() bool { return false }
	}
	var quiet bool
	var b [1]byte
	look := func(fd uintptr) bool {
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		quiet = errors.Is(err, syscall.EAGAIN)
		return true
	}
	return func() bool { return raw.Read(look) == nil && quiet }
}

// exchange sends r and reads the headers of its answer.
func (c *conn) exchange(r Request, limit time.Duration) (*http.Response, error) {
	if err := c.SetDeadline(time.Now().Add(limit)); err != nil {
		return nil, staleError{err}
	}
	c.write(r)
	err := c.out.Flush()
	if err == nil {
		c.left = maxHeader
		_, err = c.in.Peek(1)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, err
	}
	if err != nil {
		return nil, staleError{ended(err)}
	}
	c.asked.Method = r.Method
	res, err := c.answer(r.Told)
	if err != nil {
		return nil, err
	}
	c.left = math.MaxInt64
	return res, c.SetDeadline(time.Time{})
}

// answer reads headers until those of the last answer.
func (c *conn) answer(told func(int, http.Header)) (*http.Response, error) {
	for {
		res, err := http.ReadResponse(c.in, &c.asked)
		switch {
		case err != nil:
			return nil, ended(err)
		case res.StatusCode == http.StatusSwitchingProtocols:
			return nil, errSwitched
		case res.StatusCode >= 200:
			return res, nil
		}
		told(res.StatusCode, res.Header)
	}
}

// write puts r into the buffer; Flush tells of errors.
func (c *conn) write(r Request) {
	w := c.out
	put := func(parts ...string) {
		for _, s := range parts {
			w.WriteString(s) //nolint:errcheck // see above
		}
	}
	put(r.Method, " ", r.Target, " HTTP/1.1\r\nHost: ", r.Host, "\r\n")
	more := connectionNames(r.Header)
	for name, values := range r.Header {
		if hop[name] || name == "Host" || name == "Content-Length" || r.Drop(name) || slices.Contains(more, name) {
			continue
		}
		for _, v := range values {
			put(name, ": ", v, "\r\n")
		}
	}
	if httpguts.HeaderValuesContainsToken(r.Header["Te"], "trailers") {
		put("Te: trailers\r\n")
	}
	for _, h := range r.Own {
		put(h[0], ": ", h[1], "\r\n")
	}
	put("\r\n")
}
