package libvirt

import (
	"context"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/libvirt/copies"
	"github.com/nodeos-dev/gitd/internal/libvirt/freezer"
	"github.com/nodeos-dev/gitd/internal/libvirt/session"
)

// Capture copies disks of a machine that this process watches, all as they are at one moment, while the machine goes
// on. For that moment its guest holds the app's writes, if it can.
func (d *Driver) Capture(ctx context.Context, id string, disks []core.DiskCopy) (c core.Captured, err error) {
	if Elsewhere(d) {
		return c, core.Reject("the machine runs on another host, and its disks cannot be copied from there", "")
	}
	m := d.watched(id)
	if m == nil {
		return c, core.ErrNotFound
	}
	d.capturing.Lock()
	defer d.capturing.Unlock()
	line := freezer.Line{Send: m.send, Gone: m.gone}
	if copies.Clone(disks) == nil { // this file system can
		return m.freezer.Hold(ctx, line, func() error { return copies.Clone(disks) })
	}
	err = d.session.With(ctx, func(l *session.Link) error {
		dom, _, err := d.owner.find(l, id)
		if err != nil {
			return err
		}
		defer free(dom)
		return copies.Run(ctx, dom, disks, func(begin func() error) error {
			c, err = m.freezer.Hold(ctx, line, begin)
			return err
		})
	})
	return c, err
}
