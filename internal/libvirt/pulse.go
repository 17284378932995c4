package libvirt

import (
	"fmt"
	"sync"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
	"github.com/nodeos-dev/gitd/internal/latch"
)

const (
	// hungBeats is how many beats in a row must be missing. It is generous: a
	// host under load can starve a guest for long, and a machine that is taken
	// for dead is replaced.
	hungBeats = 12
	// A guest that was told to beat less often than that is not believed.
	slowestBeat = 10 * guest.BeatPeriod
)

// pulse notices when a guest has said nothing for too long.
type pulse struct {
	mu    sync.Mutex
	timer *time.Timer // nil: nobody feels it
	limit time.Duration
}

// start calls silent whenever nothing was felt for limit.
func (p *pulse) start(limit time.Duration, silent func(limit time.Duration)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
	}
	p.limit = limit
	p.timer = time.AfterFunc(limit, func() { silent(limit) })
}

// felt is called for each sign of life.
func (p *pulse) felt() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Reset(p.limit)
	}
}

func (p *pulse) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
}

// hungAfter is how long a guest that beats every so many milliseconds may say
// nothing.
func (m *machine) hungAfter(beatMillis int) time.Duration {
	return hungBeats * min(millis(int64(beatMillis)), slowestBeat)
}

// hung tells that the guest has said nothing for limit, again and again while
// that is so. A machine that somebody has paused is not hung.
func (m *machine) hung(limit time.Duration) {
	m.pulse.felt() // for the next time
	if m.paused != nil && m.paused() {
		return
	}
	m.telling.Lock()
	defer m.telling.Unlock()
	if latch.Closed(m.left) || latch.Closed(m.gone) {
		return
	}
	detail := fmt.Sprintf("the guest has said nothing for %s", limit)
	if m.greeting {
		detail += ": it hangs, or was booted by a gitd of another version"
	}
	m.event(core.Event{Kind: core.EventHung, Detail: detail})
}

// isPaused reports whether libvirt knows the machine as paused.
func (d *Driver) isPaused(id string) bool {
	dom, _, err := d.find(id)
	if err != nil {
		return false
	}
	defer free(dom)
	state, _, err := dom.GetState()
	return err == nil && state == libvirt.DOMAIN_PAUSED
}
