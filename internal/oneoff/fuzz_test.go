package oneoff

import (
	"math"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
	"github.com/nodeos-dev/gitd/internal/latch"
)

type discard struct{}

func (discard) Append(string, core.Line) {}

// event makes an event of two bytes, as a guest could send it.
func event(kind, n byte) core.Event {
	switch kind % 7 {
	case 0:
		return core.Event{Kind: core.EventOutput, Stream: "stdout", Data: make([]byte, int(n)*guest.MaxData/100)}
	case 1:
		return core.Event{Kind: core.EventRoom, Bytes: (int(n) - 100) * guest.DataRoom}
	case 2:
		return core.Event{Kind: core.EventRoom, Bytes: math.MinInt + int(n)}
	case 3:
		return core.Event{Kind: core.EventLog, Stream: "init", Line: "x\x1b[31m"}
	case 4:
		return core.Event{Kind: core.EventExited, Code: math.MaxInt - int(n), Signal: "SIGNOTHING", Detail: "\x1b]0;x"}
	case 5:
		return core.Event{Kind: core.EventBooted}
	}
	return core.Event{Kind: core.EventGone, Detail: "x"}
}

// FuzzEvents: whatever a guest sends for a client that takes nothing, no more than there is room for is kept, and a
// command that has ended has an exit code.
func FuzzEvents(f *testing.F) {
	f.Add([]byte{5, 0, 0, 200, 1, 200, 4, 1, 6, 0})
	f.Add([]byte{0, 255, 0, 255, 0, 255, 0, 255, 0, 255})
	f.Add([]byte{2, 0, 1, 0, 4, 0, 4, 9, 0, 1})
	f.Fuzz(func(t *testing.T, sent []byte) {
		o := &one{m: &Machines{cfg: Config{Output: discard{}}}, job: Job{Streams: &Streams{}}}
		o.begin(core.MachineSpec{})
		for i := 0; i+1 < len(sent); i += 2 {
			o.watch(event(sent[i], sent[i+1]))
			kept := 0
			for _, c := range o.pipes.chunks {
				kept += len(c.data)
			}
			if kept > guest.DataRoom || o.pipes.room < 0 || o.pipes.room > guest.DataRoom {
				t.Fatalf("%d bytes are kept, and %d may be sent", kept, o.pipes.room)
			}
		}
		if !latch.Closed(o.over) {
			return
		}
		if e, err := o.ending(); err == nil && (e.Code < 0 || e.Code > 255) {
			t.Errorf("exit code %d", e.Code)
		}
	})
}
