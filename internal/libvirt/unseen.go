package libvirt

import (
	"errors"
	"io"
	"slices"
	"sync"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
	"github.com/nodeos-dev/gitd/internal/latch"
	"github.com/nodeos-dev/gitd/internal/libvirt/session"
)

// A machine goes on while libvirt is away, and so does its app. What the guest says meanwhile waits in the guest. What
// cannot be known is whether the machine still runs.

// unsee gives up the channel of a machine of which libvirt says nothing any more. It may be called more than once.
func (m *machine) unsee(why string) {
	m.mu.Lock()
	c, cut := m.conn, m.cut
	m.conn = nil
	if cut != nil {
		latch.Close(cut)
	}
	m.mu.Unlock()
	if cut == nil {
		return // it does not run yet, and whoever starts it notices
	}
	m.telling.Lock()
	m.pulse.Stop()
	if !m.unseen && !latch.Closed(m.left) && !latch.Closed(m.gone) {
		m.event(core.Event{Kind: core.EventUnseen, Detail: why})
	}
	m.unseen = true
	m.telling.Unlock()
	if c != nil {
		shut(c, m.log)
	}
}

// see gives m, which libvirt shows again, a new channel, and asks the guest for its state. The guest says once more
// what was not acknowledged, and what was told already is not told twice.
func (m *machine) see(c io.ReadWriteCloser, forget func(*machine)) {
	m.telling.Lock()
	m.unseen, m.greeting, m.begun = false, true, false
	m.acks.again()
	m.pulse.Start(m.hungAfter(int(guest.BeatPeriod.Milliseconds())), m.hung)
	m.event(core.Event{Kind: core.EventSeen})
	m.telling.Unlock()
	m.connect(c, forget)
	m.send(guest.Message{Kind: guest.KindHello})
}

// vanish reports the end of a machine that nobody follows.
func (m *machine) vanish(how string, forget func(*machine)) {
	m.end(ending{unseen: how})
	m.finish(forget)
}

// resume is called by the session with a new connection, before the first call uses it. It finds the machines again:
// those that ended meanwhile are reported, and those whose start was broken off are removed.
func (d *Driver) resume(l *session.Link) error {
	var failed error
	for _, id := range d.strays.take() {
		if err := d.owner.remove(l, id); err != nil {
			d.strays.add(id)
			failed = errors.Join(failed, err)
		}
	}
	if failed != nil {
		return failed
	}
	seen, ended := 0, 0
	for _, m := range d.all() {
		if !m.unseen { // it has had no channel; nobody else reads this now
			continue // whoever starts it has lost the connection too, and gives up
		}
		var runs bool
		err := d.session.Beside(d.session.Context(), l, func(l *session.Link) (err error) {
			runs, err = d.meet(l, m)
			return err
		})
		switch {
		case err != nil:
			return err
		case runs:
			seen++
		default:
			ended++
		}
	}
	if seen+ended > 0 {
		d.log.Info().Int("machines", seen).Int("ended", ended).Msg("machines were looked for again")
	}
	return nil
}

// meet finds a machine again, and reports whether it runs.
func (d *Driver) meet(l *session.Link, m *machine) (runs bool, err error) {
	dom, _, err := d.owner.find(l, m.id)
	if errors.Is(err, core.ErrNotFound) {
		m.vanish("it ended while libvirt was away", d.forget)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer free(dom)
	c, err := openChannel(l, dom)
	if err != nil {
		if l.Dead() {
			return false, err
		}
		// It has ended just now, or cannot be heard any more: the core sees to it that it is gone.
		m.vanish("its channel does not open again: "+session.Plain(err).Error(), d.forget)
		return false, nil
	}
	full := stopped(dom) // asked now: the connection is the channel's from here on
	m.see(c, d.forget)
	if full {
		d.work.Go(func() { d.outOfRoom(m) })
	}
	return true, nil
}

// strays are the machines that are being started, and those whose start was broken off when libvirt went away: they may
// run. A new connection is given to nobody before what older ones have left is removed. The zero value is ready to use.
type strays struct {
	mu  sync.Mutex
	ids []string
}

func (s *strays) add(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ids = append(s.ids, id)
}

func (s *strays) drop(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ids = slices.DeleteFunc(s.ids, func(known string) bool { return known == id })
}

// take returns the strays, and knows none afterwards.
func (s *strays) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := s.ids
	s.ids = nil
	return ids
}
