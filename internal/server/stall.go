package server

import (
	"io"
	"sync"
	"time"

	"github.com/gliderlabs/ssh"
)

// watched is a session whose connection ends when it stalls: when, for the
// idle limit, the client sends nothing that a command waits for, or takes
// nothing of what a command writes. Otherwise a client that takes nothing
// would hold up the deployment whose progress it is sent, and one that sends
// nothing would hold a process of git.
type watched struct {
	ssh.Session
	limit time.Duration
	end   func()

	mu      sync.Mutex
	waiting int
	timer   *time.Timer
}

func watch(sess ssh.Session, limit time.Duration, end func()) *watched {
	w := &watched{Session: sess, limit: limit, end: end}
	w.timer = time.AfterFunc(limit, end)
	w.timer.Stop()
	return w
}

// wait brackets one read or write. Each end of one shows that the session is
// alive, and gives those still waiting the whole limit again.
func (w *watched) wait() (done func()) {
	w.step(1)
	return func() { w.step(-1) }
}

func (w *watched) step(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting += n
	if w.waiting == 0 {
		w.timer.Stop()
	} else if n < 0 || w.waiting == 1 {
		w.timer.Reset(w.limit)
	}
}

func (w *watched) Read(p []byte) (int, error) {
	defer w.wait()()
	return w.Session.Read(p)
}

func (w *watched) Write(p []byte) (int, error) {
	defer w.wait()()
	return w.Session.Write(p)
}

func (w *watched) Stderr() io.ReadWriter {
	return struct {
		io.Reader
		io.Writer
	}{w.Session.Stderr(), writerFunc(func(p []byte) (int, error) {
		defer w.wait()()
		return w.Session.Stderr().Write(p)
	})}
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// unwatched is the input of a command that may wait for a person.
func unwatched(sess ssh.Session) io.Reader {
	if w, ok := sess.(*watched); ok {
		return w.Session
	}
	return sess
}
