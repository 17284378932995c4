package libvirt

import (
	"context"
	"fmt"

	"libvirt.org/go/libvirt"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
	"github.com/nodeos-dev/gitd/internal/libvirt/session"
)

// Pause stops the processor of a machine. It keeps its memory and its connections, and nobody takes it for hung.
func (y yard) Pause(ctx context.Context, id string) error {
	return y.with(ctx, "pause", id, (*libvirt.Domain).Suspend)
}

// Resume has a paused machine go on. Its guest is given the time, and says anew that it has booted, and whether its app
// listens.
func (y yard) Resume(ctx context.Context, id string) error {
	m := y.d.watched(id)
	if m == nil {
		return fmt.Errorf("resume machine %s: %w", id, core.ErrNotFound)
	}
	m.pulse.Felt() // its silence is over
	if err := y.with(ctx, "resume", id, (*libvirt.Domain).Resume); err != nil {
		return err
	}
	m.tellTime()
	m.send(guest.Message{Kind: guest.KindHello})
	return nil
}

func (y yard) with(ctx context.Context, what, id string, do func(*libvirt.Domain) error) error {
	err := y.d.session.With(ctx, func(l *session.Link) error {
		dom, _, err := y.d.owner.find(l, id)
		if err != nil {
			return err
		}
		defer free(dom)
		return do(dom)
	})
	if err != nil {
		return fmt.Errorf("%s machine %s: %w", what, id, session.Plain(err))
	}
	return nil
}
