package deploy

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// keeper is the one owner of what an app is doing: who deploys it (queue),
// who may change what serves it (stage), which machine that is, and how often
// machines were lost.
type keeper struct {
	queue  queue
	stage  *stage
	drains sync.WaitGroup // machines that were replaced and still run

	mu       sync.Mutex
	app      string
	serving  *instance // nil: none
	reviving bool      // somebody is at it already
	again    bool      // and shall look once more before ending
	losses   int       // machines lost in succession, none of which served for long
	since    time.Time // of the state that reason tells of
	reason   string    // why nothing serves; empty: something does, or nothing shall
	starting bool      // nothing serves yet, and a machine is on its way
	last     []string  // the last lines of the machine that was lost
	replaced int       // machines that took a lost one's place, since gitd's start
}

// keeper finds or makes the keeper of app.
func (d *Deployer) keeper(app string) *keeper {
	d.mu.Lock()
	defer d.mu.Unlock()
	k, ok := d.keepers[app]
	if !ok {
		k = &keeper{app: app, stage: newStage(), queue: queue{limit: 1}}
		d.keepers[app] = k
	}
	return k
}

func (d *Deployer) allKeepers() []*keeper {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Collect(maps.Values(d.keepers))
}

func (k *keeper) name() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.app
}

// serve makes inst the machine of the app and returns the one before, or nil.
func (k *keeper) serve(inst *instance) *instance {
	k.mu.Lock()
	defer k.mu.Unlock()
	old := k.serving
	k.serving, k.reason, k.starting, k.since = inst, "", false, time.Now()
	return old
}

// unserve forgets inst if it still serves the app.
func (k *keeper) unserve(inst *instance) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if inst == nil || k.serving != inst {
		return false
	}
	k.serving = nil
	return true
}

func (k *keeper) current() *instance {
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

// lost counts a machine that ended by itself and returns how long to wait
// before the next one is booted: not at all if it had served for a while.
func (k *keeper) lost(inst *instance) time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.last = inst.lastLines()
	if time.Since(inst.copyMachine().Started) > settled {
		k.losses = 0
	}
	k.losses++
	k.replaced++
	if k.losses == 1 {
		return 0
	}
	return pause(k.losses - 1)
}

// didNotStart counts a machine that was to take a lost one's place. inst is
// what is left of it, if there was one.
func (k *keeper) didNotStart(ctx context.Context, inst *instance) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if inst == nil || ctx.Err() != nil {
		return
	}
	k.losses++
	k.last = inst.lastLines()
}

// calm forgets the losses: a new release has been deployed.
func (k *keeper) calm() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.losses = 0
}

// beginRevival reports whether the caller shall revive the app; otherwise
// somebody does, and will look again before ending.
func (k *keeper) beginRevival() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.reviving {
		k.again = true
		return false
	}
	k.reviving = true
	return true
}

// endRevival reports whether the revival is over: nobody has asked for
// another look meanwhile.
func (k *keeper) endRevival() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.again {
		k.again = false
		return false
	}
	k.reviving = false
	return true
}

// pause is how long to wait before the nth try in succession.
func pause(n int) time.Duration {
	wait := reviveFirst
	for range min(n, 10) - 1 {
		wait *= 2
	}
	return min(wait, reviveMost)
}
