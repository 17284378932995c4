// Package thrash finds out from a machine's own figures that it has too little memory.
package thrash

import (
	"fmt"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/units"
)

const (
	// least is how long a machine must thrash without a pause: what Node and a large app read when they start can
	// evict itself once.
	least = 15 * time.Second
	// share is the part of a machine's memory that it reads again in each second, at the least, while it
	// thrashes. An emulated machine of 128 MiB reads no more than a few MiB in a second then, since nothing gets on.
	share = 1.0 / 80
	// tightShare is the part of a machine's memory that is used when there is next to none left.
	tightShare = 15.0 / 16
)

// Meter is that of one machine, in which nothing was killed: files that it needs are dropped to make room for others
// that it needs, and read again. Such an app may start after minutes. The zero value is ready to use.
type Meter struct {
	last  core.Stats    // zero: that of the boot
	again int64         // bytes read again since it began to thrash; 0: it does not
	since time.Duration // for how long it does
}

// Note takes a machine's next figures and reports whether they show, with those before, that it thrashes. A machine
// that does may send them late.
func (t *Meter) Note(s core.Stats) bool {
	again, took := s.Refaults-t.last.Refaults, s.Uptime-t.last.Uptime
	t.last = s
	if took <= 0 || float64(again) < share*float64(s.MemoryTotal)*took.Seconds() || again <= 0 {
		t.again, t.since = 0, 0
		return false
	}
	t.again += again
	t.since += took
	return t.since >= least
}

// Tight reports whether the last figures show a lack of memory that is not yet sure.
func (t *Meter) Tight() bool {
	return t.again > 0 || t.last.MemoryTotal > 0 && float64(t.last.MemoryUsed) > tightShare*float64(t.last.MemoryTotal)
}

// String is what the figures show.
func (t *Meter) String() string {
	if t.again == 0 {
		return fmt.Sprintf("%s of the machine's %s are used", units.Bytes(t.last.MemoryUsed), units.Bytes(t.last.MemoryTotal))
	}
	return "there is too little memory for its own files: within " + units.Took(t.since) + " the machine, which has " +
		units.Bytes(t.last.MemoryTotal) + ", read " + units.Bytes(t.again) + " of them again"
}
