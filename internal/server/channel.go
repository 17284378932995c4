package server

import (
	"context"

	"github.com/gliderlabs/ssh"
	gossh "golang.org/x/crypto/ssh"
)

// maxVariable bounds the one variable that a client may set, in bytes.
const maxVariable = 512

// channel serves one session channel. Other kinds (port forwarding, agents,
// X11) have no handler and are refused by gliderlabs/ssh.
func (s *Server) channel(srv *ssh.Server, conn *gossh.ServerConn, fresh gossh.NewChannel, ctx ssh.Context) {
	l := linkOf(ctx)
	if !s.arrivals.welcome(l) {
		fresh.Reject(gossh.ResourceShortage, "gitd is being upgraded: connect again") //nolint:errcheck // the client has gone
		return
	}
	if !l.openSession() {
		fresh.Reject(gossh.ResourceShortage, "too many sessions on one connection") //nolint:errcheck // the client has gone
		return
	}
	defer l.closeSession()
	of := l.account()
	if !s.Seats.open(l, of) {
		fresh.Reject(gossh.ResourceShortage, "too many sessions of yours are open; `sessions` lists them, and `sessions:end ID` ends one") //nolint:errcheck // the client has gone
		return
	}
	defer s.Seats.close(l, of)
	gone, end := context.WithCancel(context.Background())
	defer end()
	ssh.DefaultSessionHandler(srv, conn, sieved{fresh}, ofChannel{ctx, gone})
}

// ofChannel is the context of a connection that also knows when one of its channels has gone, by channelKey. Only what
// goes on for its client alone ends with that: what else was begun is finished while the connection stands.
type ofChannel struct {
	ssh.Context
	gone context.Context
}

type channelKey struct{}

func (c ofChannel) Value(key any) any {
	if key == (channelKey{}) {
		return c.gone
	}
	return c.Context.Value(key)
}

// sieved is a channel whose requests pass through a sieve: gliderlabs/ssh
// keeps every variable that a client sets, says yes to agent forwarding, and
// waits forever on a second change of a window that nobody watches.
type sieved struct{ gossh.NewChannel }

func (n sieved) Accept() (gossh.Channel, <-chan *gossh.Request, error) {
	ch, requests, err := n.NewChannel.Accept()
	if err != nil {
		return nil, nil, err
	}
	passed := make(chan *gossh.Request)
	go func() {
		defer close(passed)
		var s sieve
		for r := range requests {
			if s.passes(r) {
				passed <- r
			} else if r.WantReply {
				r.Reply(false, nil) //nolint:errcheck // the client has gone
			}
		}
	}()
	return ch, passed, nil
}

// sieve knows what one session has asked for so far.
type sieve struct{ started, variable bool }

func (s *sieve) passes(r *gossh.Request) bool {
	switch r.Type {
	case "exec", "shell":
		s.started = true
		return true
	case "pty-req":
		return true
	case "window-change", "signal":
		return s.started
	case "env":
		var v struct{ Name, Value string }
		if gossh.Unmarshal(r.Payload, &v) != nil || v.Name != gitProtocol || len(v.Value) > maxVariable || s.variable {
			return false
		}
		s.variable = true
		return true
	default: // subsystem, auth-agent-req@openssh.com, x11-req, …
		return false
	}
}
