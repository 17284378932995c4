package hooks

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"sync"

	"github.com/nodeos-dev/gitd/internal/control"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/deploy"
)

// maxRequest bounds what a hook may send, in bytes.
const maxRequest = 8 << 20

// Receiver is the part of the core that handles a push.
type Receiver interface {
	Receive(p core.Push, w io.Writer) deploy.Outcome
}

// Desk knows the pushes under way: who pushes to which app. Each push has a secret id, which only its own git and the
// hooks of that git are told.
type Desk struct {
	// Judged is told what became of each push; nil: nobody is. It is set before the first push.
	Judged func(core.Push, []core.Verdict)

	socket string
	core   Receiver

	mu     sync.Mutex
	pushes map[string]*entry
}

type entry struct {
	push    core.Push
	objects core.Quarantine
	outcome deploy.Outcome
	over    bool // git has moved its refs, or has ended
	ended   bool // git has ended
	handled int  // how many calls of its hooks the core handles; a push has one
}

// NewDesk makes a desk whose hooks reach the daemon at socket.
func NewDesk(socket string, core Receiver) *Desk {
	return &Desk{socket: socket, core: core, pushes: map[string]*entry{}}
}

// Open registers a push, in which App, By, From and Started are set. It returns the environment variables for the
// push's git, and a function to call when that git has ended. The objects are dropped when that is so, and the core
// does not work with them any more: a deployment goes on when git is killed.
func (d *Desk) Open(p core.Push, objects core.Quarantine) (env []string, closed func()) {
	id := rand.Text()
	p.ID = core.NewWorkID() // not id, which is a secret
	d.mu.Lock()
	e := &entry{push: p, objects: objects}
	d.pushes[id] = e
	d.mu.Unlock()
	return []string{pushVar + "=" + id, socketVar + "=" + d.socket}, func() {
		d.mu.Lock()
		delete(d.pushes, id)
		e.ended = true
		unused := e.handled == 0
		d.mu.Unlock()
		d.end(e)
		if unused {
			objects.Drop() //nolint:errcheck // the end of the next push tries again, and the next start
		}
	}
}

// begin notes that the core handles a call for e, until done is called; ok is false if the push is over.
func (d *Desk) begin(e *entry) (done func(), ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e.ended {
		return nil, false
	}
	e.handled++
	return func() {
		d.mu.Lock()
		e.handled--
		unused := e.handled == 0 && e.ended
		d.mu.Unlock()
		if unused {
			e.objects.Drop() //nolint:errcheck // the end of the next push tries again, and the next start
		}
	}, true
}

// end tells the core that git moves no more refs for a push. A hook that outlives its git may still wait for the
// outcome at this time; receive then settles it.
func (d *Desk) end(e *entry) {
	d.mu.Lock()
	e.over = true
	outcome := e.outcome
	d.mu.Unlock()
	outcome.Settle()
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
		d.end(e)
		d.mu.Lock()
		summary := e.outcome.Summary
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
	done, ok := d.begin(e)
	if !ok {
		return 1
	}
	defer done()
	p := e.push
	if p.Quarantine, err = e.objects.Seal(); err != nil {
		return 1
	}
	p.Commands, p.Shallow, p.Atomic, p.Options = req.Commands, req.Shallow, req.Atomic, req.Options
	outcome := d.core.Receive(p, s.Err)
	if d.Judged != nil {
		d.Judged(p, outcome.Verdicts)
	}
	d.mu.Lock()
	e.outcome = outcome
	over := e.over
	d.mu.Unlock()
	if over {
		outcome.Settle()
	}
	if err := json.NewEncoder(s.Out).Encode(outcome); err != nil {
		return 1
	}
	return 0
}
