package server

import (
	"github.com/gliderlabs/ssh"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/terminal"
)

// caller is who runs a command, with the terminal that they asked for.
func caller(sess ssh.Session, who core.Actor, door command.Door) command.Caller {
	c := command.Caller{Actor: who, In: sess, Out: sess, Err: sess.Stderr(), Door: door}
	pty, resized, ok := sess.Pty()
	if !ok {
		return c
	}
	// A terminal shows both, and only Out has its line ends translated.
	c.Err = sess
	c.In = unwatched(sess) // a person who types nothing is no stall
	c.Terminal = &terminal.Window{Size: terminal.NewSize(pty.Window.Width, pty.Window.Height), Resized: sizes(resized)}
	return c
}

// sizes passes on the newest size of a terminal. It takes every one, whether
// or not the command looks: the session's other requests wait behind them.
func sizes(resized <-chan ssh.Window) <-chan terminal.Size {
	out := make(chan terminal.Size, 1)
	go func() {
		for w := range resized {
			select {
			case <-out: // nobody took the one before
			default:
			}
			out <- terminal.NewSize(w.Width, w.Height)
		}
	}()
	return out
}
