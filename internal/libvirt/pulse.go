package libvirt

import (
	"context"
	"errors"
	"fmt"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
	"github.com/nodeos-dev/gitd/internal/latch"
	"github.com/nodeos-dev/gitd/internal/libvirt/session"
)

const (
	// hungBeats is how many beats in a row must be missing until a guest counts as hung. It is generous: a host under
	// load can starve a guest for a long time, and the machine of a guest that counts as hung is replaced.
	hungBeats = 12
	// slowestBeat is the longest period of beats that gitd believes when a guest announces it.
	slowestBeat = 10 * guest.BeatPeriod
)

// hungAfter returns how long a guest that beats every beatMillis milliseconds may say nothing.
func (m *machine) hungAfter(beatMillis int) time.Duration {
	return hungBeats * min(millis(int64(beatMillis)), slowestBeat)
}

// hung reports that the guest has said nothing for limit, and does so again and again until the guest does. A machine
// that somebody has paused is not hung.
func (m *machine) hung(limit time.Duration) {
	paused := m.paused != nil && m.paused()
	over := m.pulse.Over() // asked last: a machine that was paused may go on just now
	m.pulse.Felt()         // for the next time
	if paused || !over {
		return
	}
	m.telling.Lock()
	defer m.telling.Unlock()
	if latch.Closed(m.left) || latch.Closed(m.gone) || m.unseen {
		return
	}
	detail := fmt.Sprintf("the guest has said nothing for %s", limit)
	if m.greeting {
		detail += ": it hangs, or was booted by a gitd of another version"
	}
	m.event(core.Event{Kind: core.EventHung, Detail: detail})
}

// isPaused reports whether libvirt knows the machine as paused, or is away: then nobody knows. It does not wait.
func (d *Driver) isPaused(id string) (paused bool) {
	now, cancel := context.WithTimeout(context.Background(), 0)
	defer cancel()
	err := d.session.With(now, func(l *session.Link) error {
		dom, _, err := d.owner.find(l, id)
		if err != nil {
			return err
		}
		defer free(dom)
		state, _, err := dom.GetState()
		paused = err == nil && state == libvirt.DOMAIN_PAUSED
		return err
	})
	return paused || errors.Is(err, session.ErrAway)
}
