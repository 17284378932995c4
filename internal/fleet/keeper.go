package fleet

import (
	"context"
	"sync"
	"time"

	"github.com/nodeos-dev/gitd/internal/fleet/turns"
)

// keeper is the only owner of what runs of an app: who may change that (stage), which processes it has (posts), and
// where its requests go.
type keeper struct {
	f      *Fleet
	stage  *turns.Stage
	drains turns.Drains

	door sync.Mutex // held while the front door is told where requests go, so that it is told last what is true last

	posts posts

	mu       sync.Mutex
	app      string
	since    time.Time // when the app came into the state that reason describes
	reason   string    // why there are no posts
	starting bool      // there are none yet, and machines are on their way
}

func (k *keeper) name() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.app
}

// renamed gives the keeper, and the machines of its app, another name.
func (k *keeper) renamed(to string) {
	k.mu.Lock()
	k.app = to
	k.mu.Unlock()
	for _, inst := range k.posts.instances() {
		inst.renamed(to)
	}
}

// direct makes the front door send the app's requests to the machines of web that there are, or say why there is none.
// The returned drain waits for the requests on those that get none any more.
func (k *keeper) direct() (drain func(context.Context)) {
	k.door.Lock()
	defer k.door.Unlock()
	app, addrs, reason := k.name(), []string(nil), ""
	for _, p := range k.posts.all() {
		if !p.process.IsWeb() {
			continue
		}
		inst, why := p.state()
		if inst != nil {
			addrs = append(addrs, inst.Addr())
		} else if reason == "" {
			reason = why
		}
	}
	switch {
	case len(addrs) > 0:
		return k.f.cfg.Router.Switch(app, addrs)
	case k.f.cfg.Sleepers.Barred(app) != "":
		reason = k.f.cfg.Sleepers.Barred(app)
	case k.f.cfg.Sleepers.Asleep(app):
		return k.f.cfg.Router.Hold(app, k.f.cfg.Limits.Boot+k.f.cfg.Limits.Hold, func() { k.f.cfg.Sleepers.Knock(k.name()) })
	case reason == "":
		reason = k.noWeb()
	}
	return k.f.cfg.Router.Down(app, reason)
}

func (k *keeper) starts() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.starting
}

// take puts the machines of a formation in their posts, and returns those that had them before.
func (k *keeper) take(made *Formation) (left []*Instance) {
	k.mu.Lock()
	k.reason, k.starting = "", false
	k.mu.Unlock()
	k.f.cfg.Sleepers.Over(k.name())
	for _, inst := range made.machines {
		if old := k.posts.of(inst.process).serve(inst); old != nil {
			left = append(left, old)
		}
	}
	return left
}

// noWeb is why the app has no post for web.
func (k *keeper) noWeb() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.reason == "" {
		return "it has no web process"
	}
	return k.reason
}

// goDown gives up all posts, and makes the front door say why. It returns the machines that they had.
func (k *keeper) goDown(reason string) (left []*Instance) {
	left = k.posts.keepOnly(nil)
	k.note(reason, false)
	return left
}

// note has the front door say why the app has no posts, if it has none.
func (k *keeper) note(reason string, starting bool) {
	k.mu.Lock()
	if k.reason != reason {
		k.since = time.Now()
	}
	k.reason, k.starting = reason, starting
	k.mu.Unlock()
	k.direct()
}

// halted has the front door say that gitd is stopping, and returns the machines that ran. An app that is down for a
// reason of its own keeps that reason.
func (k *keeper) halted() (left []*Instance) {
	if len(k.posts.all()) == 0 && !k.starts() {
		return nil
	}
	return k.goDown("gitd is stopping")
}
