package libvirt

import (
	"context"
	"fmt"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
)

// Tell implements fleet.Driver. It waits until the guest takes the message: the end of the machine ends the wait.
func (d *Driver) Tell(_ context.Context, id string, t core.Tell) error {
	m := d.watched(id)
	if m == nil {
		return core.ErrNotFound
	}
	for _, msg := range tellMessages(t) {
		if err := m.write(msg); err != nil {
			return fmt.Errorf("tell machine %s: %w", id, err)
		}
	}
	return nil
}

// tellMessages are what the guest is sent.
func tellMessages(t core.Tell) (all []guest.Message) {
	if len(t.Input) > 0 || t.EOF {
		all = append(all, guest.Message{Kind: guest.KindInput, Input: &guest.Input{Data: t.Input, EOF: t.EOF}})
	}
	if t.Room > 0 {
		all = append(all, guest.Message{Kind: guest.KindRoom, Room: &guest.Room{Bytes: t.Room}})
	}
	if t.Signal > 0 {
		all = append(all, guest.Message{Kind: guest.KindSignal, Signal: &guest.Signal{Number: t.Signal}})
	}
	if t.Resize != nil {
		all = append(all, guest.Message{Kind: guest.KindResize, Resize: (*guest.Size)(t.Resize)})
	}
	return all
}
