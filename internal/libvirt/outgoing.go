package libvirt

import (
	"sync"

	"github.com/nodeos-dev/gitd/internal/guest"
)

// outgoing is the messages that wait on one channel for a guest to read: the newest of each kind. One goroutine writes
// them, and there is none while none waits. A guest may ask for an answer as often as it likes, and never read one.
type outgoing struct {
	mu      sync.Mutex
	waiting []guest.Message
	busy    bool // somebody takes from waiting until it is empty
}

// put adds msg in place of an older one of its kind, and reports whether the caller must now take what waits.
func (o *outgoing) put(msg guest.Message) (begin bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range o.waiting {
		if o.waiting[i].Kind == msg.Kind {
			o.waiting[i] = msg
			return false // it waits, so somebody takes it
		}
	}
	o.waiting = append(o.waiting, msg)
	begin = !o.busy
	o.busy = true
	return begin
}

// take is the next message; none ends the turn of whoever takes.
func (o *outgoing) take() (msg guest.Message, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.waiting) == 0 {
		o.busy = false
		return msg, false
	}
	msg, o.waiting = o.waiting[0], o.waiting[1:]
	return msg, true
}
