package libvirt

import (
	"time"

	"libvirt.org/go/libvirt"

	"github.com/nodeos-dev/gitd/internal/libvirt/console"
)

// drainLimit is how long the channel of a machine that is gone is still read.
const drainLimit = 2 * time.Second

// ending is how libvirt says that a machine ended.
type ending struct {
	event  libvirt.DomainEventType
	detail int
	unseen string // what is known of an end that libvirt did not report; empty: it did
}

// explain says in one line for people why a machine ended. It prefers the guest's own words (failed, or a panic on the
// console). abnormal is false if the machine powered off or was stopped.
func (e ending) explain(failed string, said []string) (detail string, abnormal bool) {
	if failed != "" {
		return "the guest cannot go on: " + cut(console.OneLine(failed)), true
	}
	if p := console.PanicLine(said); p != "" {
		return "the guest's kernel panicked: " + p, true
	}
	if e.unseen != "" {
		return e.unseen, true
	}
	if e.event == libvirt.DOMAIN_EVENT_CRASHED {
		return "the guest crashed", true
	}
	switch libvirt.DomainEventStoppedDetailType(e.detail) {
	case libvirt.DOMAIN_EVENT_STOPPED_SHUTDOWN:
		return "it powered off", false
	case libvirt.DOMAIN_EVENT_STOPPED_DESTROYED:
		return "it was stopped", false
	case libvirt.DOMAIN_EVENT_STOPPED_CRASHED, libvirt.DOMAIN_EVENT_STOPPED_FAILED:
		return "QEMU ended unexpectedly", true
	default:
		return "it ended", true
	}
}
