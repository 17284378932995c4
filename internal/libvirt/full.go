package libvirt

import (
	"time"

	"libvirt.org/go/libvirt"

	"github.com/nodeos-dev/gitd/internal/core"
)

// roomPeriod is how long a machine stands still for want of room before it is tried again.
const roomPeriod = 5 * time.Second

// A volume's file is sparse, so the host's disk can be full when a machine writes to it. QEMU then stops the machine
// before the write has failed (werror=enospc, its default). This is better than an error, after which the guest would
// turn its file system read-only, and data that the app takes for written would be lost. But gitd has to let the
// machine go on.

// outOfRoom is called when QEMU has stopped a machine for want of room. It lets the machine go on after roomPeriod. If
// there is still no room, QEMU stops the machine again, and outOfRoom is called again.
func (d *Driver) outOfRoom(m *machine) {
	m.log.Error().Msg("the disk is full: a machine that writes to a volume stands still until there is room")
	m.tell(core.Event{Kind: core.EventLog, Stream: "nodeos", Line: "the server's disk is full: this machine stands still until there is room for what it writes"})
	select {
	case <-m.gone:
		return
	case <-m.left:
		return
	case <-time.After(roomPeriod):
	}
	err := core.IgnoreMissing(yard{d}.with(d.session.Context(), "resume", m.id, func(dom *libvirt.Domain) error {
		if !stopped(dom) {
			return nil // somebody else has let it go on
		}
		return dom.Resume()
	}))
	if err != nil {
		m.log.Error().Err(err).Msg("a machine that waited for room on the disk does not go on")
	}
}

// stopped reports whether QEMU has stopped a machine because of an error of its disks.
func stopped(dom *libvirt.Domain) bool {
	state, reason, err := dom.GetState()
	return err == nil && state == libvirt.DOMAIN_PAUSED && libvirt.DomainPausedReason(reason) == libvirt.DOMAIN_PAUSED_IOERROR
}
