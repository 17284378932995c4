package libvirt

import (
	"context"

	"github.com/nodeos-dev/gitd/internal/libvirt/session"
)

// Release is Driver.Close, after which another process can have the machines while this one still runs. This process
// can have no driver any more.
func Release(d *Driver) error {
	if d.embedded {
		if err := d.session.With(context.Background(), session.Found); err != nil {
			return err
		}
	}
	if err := end(d); err != nil || !d.embedded {
		return err
	}
	return session.Release()
}
