package hooks

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"sync"

	"gitd/internal/control"
	"gitd/internal/deploy"
)

// maxRequest bounds what a hook may send, in bytes.
const maxRequest = 8 << 20

// Receiver is the core's side of a push.
type Receiver interface {
	Receive(p deploy.Push, w io.Writer) deploy.Outcome
}

// Desk knows the pushes under way: who pushes to which app, under a secret
// id that only the push's own git and its hooks are told.
type Desk struct {
	socket string
	core   Receiver

	mu     sync.Mutex
	pushes map[string]*entry
}

type entry struct {
	push    deploy.Push
	summary string
}

// NewDesk makes a desk whose hooks reach the daemon at socket.
func NewDesk(socket string, core Receiver) *Desk {
	return &Desk{socket: socket, core: core, pushes: map[string]*entry{}}
}

// Open registers a push (its App, Pusher and Started) and returns the
// variables for its git, and what to call when that git has ended.
func (d *Desk) Open(p deploy.Push) (env []string, closed func()) {
	id := rand.Text()
	d.mu.Lock()
	d.pushes[id] = &entry{push: p}
	d.mu.Unlock()
	return []string{pushVar + "=" + id, socketVar + "=" + d.socket}, func() {
		d.mu.Lock()
		delete(d.pushes, id)
		d.mu.Unlock()
	}
}

// Handle answers a hook's control call.
func (d *Desk) Handle(_ context.Context, c control.Call, s control.Streams) int {
	if len(c.Args) != 1 {
		return 2
	}
	d.mu.Lock()
	e := d.pushes[c.Args[0]]
	d.mu.Unlock()
	if e == nil {
		return 1
	}
	if c.Name == PostReceive {
		d.mu.Lock()
		summary := e.summary
		d.mu.Unlock()
		io.WriteString(s.Out, summary) //nolint:errcheck // the hook is gone: nobody to tell
		return 0
	}
	return d.receive(e, s)
}

func (d *Desk) receive(e *entry, s control.Streams) int {
	body, err := io.ReadAll(io.LimitReader(s.In, maxRequest))
	if err != nil {
		return 1
	}
	var req request
	if err := json.Unmarshal(body, &req); err != nil {
		return 1
	}
	p := e.push
	p.Commands, p.Shallow, p.Atomic = req.Commands, req.Shallow, req.Atomic
	outcome := d.core.Receive(p, s.Err)
	d.mu.Lock()
	e.summary = outcome.Summary
	d.mu.Unlock()
	if err := json.NewEncoder(s.Out).Encode(outcome); err != nil {
		return 1
	}
	return 0
}
