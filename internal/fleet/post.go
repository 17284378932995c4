package fleet

import (
	"context"
	"sync"
	"time"

	"github.com/nodeos-dev/gitd/internal/background"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/fleet/turns"
)

// post is the place of one process of an app: which machine is there, and how often machines were lost there. It
// outlives its machines, and ends when its app does not need the process any more.
type post struct {
	k       *keeper
	process core.ProcessID
	revival turns.Revival

	mu       sync.Mutex
	serving  *Instance // nil: none
	losses   int       // machines lost in succession, none of which served for long
	since    time.Time // when the post came into the state that reason describes
	reason   string    // why there is no machine; empty: there is one, or the post is new
	starting bool      // there is no machine yet, and one is on its way
	last     []string  // the last lines of the machine that was lost last
	replaced int       // machines that took a lost one's place, since gitd's start
}

// serve makes inst the machine of the post and returns the one before, or nil.
func (p *post) serve(inst *Instance) *Instance {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.serving
	p.serving, p.reason, p.starting, p.since = inst, "", false, time.Now()
	return old
}

// unserve forgets inst if it still has the post.
func (p *post) unserve(inst *Instance) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if inst == nil || p.serving != inst {
		return false
	}
	p.serving = nil
	return true
}

// vacate takes the machine away and returns it, or nil.
func (p *post) vacate() *Instance {
	p.mu.Lock()
	defer p.mu.Unlock()
	inst := p.serving
	p.serving = nil
	return inst
}

func (p *post) current() *Instance {
	inst, _ := p.state()
	return inst
}

// state is the machine of the post, or why there is none.
func (p *post) state() (inst *Instance, reason string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.serving, p.reason
}

// down notes why the post has no machine.
func (p *post) down(reason string, starting bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reason != reason {
		p.since = time.Now()
	}
	p.reason, p.starting = reason, starting
}

// goDown does what down does, and makes the front door say it.
func (p *post) goDown(reason string, starting bool) {
	p.down(reason, starting)
	if p.process.IsWeb() {
		p.k.direct()
	}
}

// countLoss counts a machine that ended by itself and returns how long to wait before the next one is booted. There is
// no wait for a first loss, nor for a machine that had served for longer than settled.
func (p *post) countLoss(inst *Instance) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = inst.lastLines()
	if time.Since(inst.Machine().Started) > settled {
		p.losses = 0
	}
	p.losses++
	p.replaced++
	if p.losses == 1 {
		return 0
	}
	return background.Pause(p.losses - 1)
}

// didNotStart counts a machine that was to take the place of a lost one and did not start. inst is what is left of it;
// nil if there was none.
func (p *post) didNotStart(ctx context.Context, inst *Instance) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if inst == nil || ctx.Err() != nil {
		return
	}
	p.losses++
	p.last = inst.lastLines()
}

func (p *post) calm() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.losses = 0
}
