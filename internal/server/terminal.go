package server

import (
	"bytes"
	"context"
	"io"

	"github.com/gliderlabs/ssh"

	"gitd/internal/cli"
	"gitd/internal/deploy"
)

// What a terminal sends for Ctrl-C and Ctrl-D: with one of its own, a client
// sends no signal and no end of its input.
const (
	interrupt  = 3
	endOfInput = 4
)

// caller is who runs a command, with the terminal that they asked for.
func caller(sess ssh.Session, who deploy.Actor, door cli.Door) cli.Caller {
	c := cli.Caller{Actor: who, In: sess, Out: sess, Err: sess.Stderr(), Door: door}
	pty, resized, ok := sess.Pty()
	if !ok {
		return c
	}
	// A terminal shows both, and only Out has its line ends translated.
	c.Err = sess
	c.In = unwatched(sess) // a person who types nothing is no stall
	c.Terminal = &cli.Terminal{Size: cli.TerminalSize(pty.Window.Width, pty.Window.Height), Resized: sizes(resized)}
	return c
}

// sizes passes on the newest size of a terminal. It takes every one, whether
// or not the command looks: the session's other requests wait behind them.
func sizes(resized <-chan ssh.Window) <-chan cli.Size {
	out := make(chan cli.Size, 1)
	go func() {
		for w := range resized {
			select {
			case <-out: // nobody took the one before
			default:
			}
			out <- cli.TerminalSize(w.Width, w.Height)
		}
	}()
	return out
}

// interruptible returns a context that ends when Ctrl-C comes in, and the
// input without it.
func interruptible(ctx context.Context, in io.Reader) (context.Context, io.Reader) {
	ctx, cancel := context.WithCancel(ctx)
	r, w := io.Pipe()
	context.AfterFunc(ctx, func() { r.Close() })
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := in.Read(buf)
			if bytes.IndexByte(buf[:n], interrupt) >= 0 {
				cancel()
				return
			}
			if end := bytes.IndexByte(buf[:n], endOfInput); end >= 0 {
				n, err = end, io.EOF
			}
			if _, werr := w.Write(buf[:n]); err != nil || werr != nil {
				w.CloseWithError(err)
				return
			}
		}
	}()
	return ctx, r
}
