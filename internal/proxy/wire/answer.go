package wire

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

const (
	// patience is how long what was read waits for more before it goes on to the client: most answers come in one
	// piece, or in two right after each other, and each flush is a packet.
	patience = 500 * time.Microsecond
	// large is what no server holds back until a flush.
	large = 16 << 10
	// direct is from what length on a body goes from one connection to the other by the kernel alone, if it can.
	direct = 128 << 10
)

// Answer is the answer of a machine. Its body is read by Copy alone.
type Answer struct {
	*http.Response
	conn  *conn
	pool  *Pool
	stop  func() bool
	left  int64 // of a body whose length is known
	whole bool  // nothing more is to come
}

// Client is who gets an answer.
type Client struct {
	io.Writer
	Flush  func() error
	Direct io.ReaderFrom // what takes a body from a connection; nil: there is nothing better than Writer
}

// Copy sends the body to a client, and returns when it has come to its end. The headers were written, but not flushed.
func (a *Answer) Copy(to Client, buf []byte) (err error) {
	switch {
	case a.Response.Body == http.NoBody:
	case a.left > direct && to.Direct != nil:
		err = a.splice(to)
	case a.left > 0:
		err = a.copyKnown(to, buf)
	default:
		err = a.copyUnknown(to, buf)
	}
	a.whole = err == nil
	return err
}

// splice sends what was read with the headers, and then what comes.
func (a *Answer) splice(to Client) error {
	head, err := a.conn.in.Peek(int(min(a.left, int64(a.conn.in.Buffered()))))
	if err != nil {
		return err
	}
	if _, err := to.Write(head); err != nil {
		return err
	}
	a.left -= int64(len(head))
	if _, err := a.conn.in.Discard(len(head)); err != nil {
		return err
	}
	n, err := to.Direct.ReadFrom(&io.LimitedReader{R: a.conn.Conn, N: a.left})
	if a.left -= n; err == nil && a.left > 0 {
		return io.ErrUnexpectedEOF
	}
	return err
}

// copyKnown copies a body of which the length is known: it ends without a flush.
func (a *Answer) copyKnown(to Client, buf []byte) error {
	in := a.conn.in
	for held := true; a.left > 0; {
		p := buf[:min(a.left, int64(len(buf)))]
		hurry := held && in.Buffered() == 0
		if hurry {
			a.conn.SetReadDeadline(time.Now().Add(patience)) //nolint:errcheck // the read fails on a closed connection
		}
		n, err := in.Read(p)
		if hurry {
			a.conn.SetReadDeadline(time.Time{}) //nolint:errcheck // likewise
			if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
				held, err = false, to.Flush()
			}
		}
		if n > 0 {
			a.left -= int64(n)
			if _, err := to.Write(p[:n]); err != nil {
				return err
			}
			held = n < large
		}
		if err != nil && a.left > 0 {
			return ended(err)
		}
	}
	return nil
}

// copyUnknown copies a body that comes in chunks, or ends with its connection.
func (a *Answer) copyUnknown(to Client, buf []byte) error {
	for held := true; ; {
		if held && !a.more() {
			if err := to.Flush(); err != nil {
				return err
			}
		}
		n, err := a.Body.Read(buf)
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return err
			}
		}
		held = n > 0 && n < large
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// more waits a little for the next piece of the body. It reports whether that can be read now.
func (a *Answer) more() bool {
	in := a.conn.in
	if in.Buffered() == 0 {
		a.conn.SetReadDeadline(time.Now().Add(patience)) //nolint:errcheck // the read fails on a closed connection
		_, err := in.Peek(1)
		a.conn.SetReadDeadline(time.Time{}) //nolint:errcheck // likewise
		if err != nil {
			return !errors.Is(err, os.ErrDeadlineExceeded)
		}
	}
	if len(a.TransferEncoding) == 0 {
		return true
	}
	head, err := in.Peek(in.Buffered())
	size := bytes.IndexByte(head, '\n') // a chunk begins with a line that has its length
	return err == nil && size >= 0 && size+1 < len(head)
}

// Close gives the connection back, or closes it if something may come on it yet.
func (a *Answer) Close() {
	live := a.stop()
	if live && a.whole && !a.Response.Close && a.conn.in.Buffered() == 0 {
		a.pool.put(a.conn)
		return
	}
	a.conn.Close()
}
