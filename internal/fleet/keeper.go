package fleet

import (
	"context"
	"sync"
	"time"

	"github.com/nodeos-dev/gitd/internal/background"
)

// keeper is the only owner of what serves an app: who may change that (stage), which machine it is, and how often
// machines were lost.
type keeper struct {
	f       *Fleet
	stage   *stage
	drains  drains
	revival revival

	mu       sync.Mutex
	app      string
	serving  *Instance // nil: none
	losses   int       // machines lost in succession, none of which served for long
	since    time.Time // when the app came into the state that reason describes
	reason   string    // why nothing serves; empty: a machine serves, or the app is new
	starting bool      // nothing serves yet, and a machine is on its way
	last     []string  // the last lines of the machine that was lost last
	replaced int       // machines that took a lost one's place, since gitd's start
	over     bool      // the app was destroyed: nothing is booted for it any more
}

// end makes a sleeping revival stop, so that it does not boot the next app of that name.
func (k *keeper) end() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.over = true
}

func (k *keeper) ended() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.over
}

func (k *keeper) name() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.app
}

// renamed gives the keeper, and the machine that serves its app, another name. It returns that machine, or the reason
// why there is none.
func (k *keeper) renamed(to string) (serving *Instance, reason string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.app = to
	if k.serving != nil {
		k.serving.renamed(to)
	}
	return k.serving, k.reason
}

// serve makes inst the machine of the app and returns the one before, or nil.
func (k *keeper) serve(inst *Instance) *Instance {
	k.mu.Lock()
	defer k.mu.Unlock()
	old := k.serving
	k.serving, k.reason, k.starting, k.since = inst, "", false, time.Now()
	return old
}

// unserve forgets inst if it still serves the app.
func (k *keeper) unserve(inst *Instance) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if inst == nil || k.serving != inst {
		return false
	}
	k.serving = nil
	return true
}

// halted has the front door say that gitd is stopping, and returns what served the app, or nil. An app that is down
// for a reason of its own keeps that reason.
func (k *keeper) halted() *Instance {
	k.mu.Lock()
	inst, starting := k.serving, k.starting
	k.serving = nil
	k.mu.Unlock()
	if inst != nil || starting {
		k.goDown("gitd is stopping", false)
	}
	return inst
}

func (k *keeper) current() *Instance {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.serving
}

// down notes why nothing serves the app.
func (k *keeper) down(reason string, starting bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.reason != reason {
		k.since = time.Now()
	}
	k.reason, k.starting = reason, starting
}

// goDown notes why nothing serves the app, and makes the front door say it.
func (k *keeper) goDown(reason string, starting bool) {
	k.down(reason, starting)
	k.f.cfg.Router.Down(k.name(), reason)
}

// countLoss counts a machine that ended by itself and returns how long to wait before the next one is booted. There is
// no wait for a first loss, nor for a machine that had served for longer than settled.
func (k *keeper) countLoss(inst *Instance) time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.last = inst.lastLines()
	if time.Since(inst.Machine().Started) > settled {
		k.losses = 0
	}
	k.losses++
	k.replaced++
	if k.losses == 1 {
		return 0
	}
	return background.Pause(k.losses - 1)
}

// didNotStart counts a machine that was to take the place of a lost one and did not start. inst is what is left of it;
// nil if there was none.
func (k *keeper) didNotStart(ctx context.Context, inst *Instance) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if inst == nil || ctx.Err() != nil {
		return
	}
	k.losses++
	k.last = inst.lastLines()
}

// calm forgets the losses: somebody has deployed or started the app.
func (k *keeper) calm() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.losses = 0
}
