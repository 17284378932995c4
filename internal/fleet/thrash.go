package fleet

import (
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/units"
)

// thrashes is how many figures in succession must show that a machine thrashes: what Node and a large app read when
// they start can evict itself once.
const thrashes = 2

// thrash finds out from a machine's own figures that it has too little memory, though nothing in it was killed: files
// that it needs are dropped to make room for others that it needs, and read again. Such an app may start after minutes.
type thrash struct {
	last  core.Stats // zero: that of the boot
	count int        // figures in succession that show it
	again int64      // bytes read again meanwhile
	since time.Duration
}

// note takes a machine's next figures and reports whether they show, with those before, that it thrashes.
func (t *thrash) note(s core.Stats) bool {
	before := t.last
	t.last = s
	if s.Uptime <= before.Uptime {
		return false
	}
	again := s.Refaults - before.Refaults
	if again < refaultShare(s) {
		t.count, t.again, t.since = 0, 0, 0
		return false
	}
	t.count++
	t.again += again
	t.since += s.Uptime - before.Uptime
	return t.count >= thrashes
}

// refaultShare is how much a machine reads again between two figures, in bytes, when it does little else.
func refaultShare(s core.Stats) int64 { return s.MemoryTotal / 2 }

func (t *thrash) String() string {
	return "there is too little memory for its own files: within " + units.Took(t.since) + " the machine, which has " +
		units.Bytes(t.last.MemoryTotal) + ", read " + units.Bytes(t.again) + " of them again"
}
