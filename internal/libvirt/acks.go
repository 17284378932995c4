package libvirt

import (
	"sync"
	"time"

	"github.com/nodeos-dev/gitd/internal/guest"
)

const (
	// ackPause is the time from a first line to the acknowledgement of all lines since. The lines of that time are
	// reported twice when gitd is killed, and once when it ends in order.
	ackPause = 200 * time.Millisecond
	// lastAckLimit is how long a guest that does not read may delay gitd's end.
	lastAckLimit = 500 * time.Millisecond
)

// acks knows which lines the guest need not keep any more.
type acks struct {
	wake chan struct{} // capacity 1

	mu   sync.Mutex
	seen uint64 // number of the last line that the watch was told
	sent uint64 // number of the last line that was acknowledged
}

// saw notes that the watch was told a line. Lines of older guests have no number (0).
func (a *acks) saw(seq uint64) {
	if seq == 0 {
		return
	}
	a.mu.Lock()
	a.seen = seq
	a.mu.Unlock()
	wake(a.wake)
}

// due returns the acknowledgement that must be sent, if there is one. It returns each only once.
func (a *acks) due() (msg guest.Message, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.seen == a.sent {
		return guest.Message{}, false
	}
	a.sent = a.seen
	return guest.Message{Kind: guest.KindAck, Ack: &guest.Ack{Seq: a.seen}}, true
}

// again makes due return what was sent already: it may not have arrived.
func (a *acks) again() {
	a.mu.Lock()
	a.sent = 0
	a.mu.Unlock()
}

// has reports whether the watch was told a line.
func (a *acks) has(seq uint64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return seq <= a.seen
}

// acknowledge sends acknowledgements until the machine is gone or let go of, or its channel is given up.
func (m *machine) acknowledge(cut <-chan struct{}) {
	for {
		select {
		case <-m.acks.wake:
		case <-cut:
			return
		case <-m.left:
			return
		case <-m.gone:
			return
		}
		select {
		case <-time.After(ackPause):
		case <-cut:
			return
		case <-m.left:
			return
		}
		if msg, ok := m.acks.due(); ok && m.write(msg) != nil {
			return
		}
	}
}

// lastAck acknowledges all lines that the watch was told, before the channel is closed. Later lines go to the next
// process.
func (m *machine) lastAck() {
	m.telling.Lock() // a message that is being handled counts
	msg, ok := m.acks.due()
	m.telling.Unlock()
	if !ok {
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		m.write(msg) //nolint:errcheck // the guest will say a few lines again
	}()
	select {
	case <-done:
	case <-time.After(lastAckLimit):
	}
}
