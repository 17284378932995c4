package libvirt

import (
	"sync"
	"time"

	"github.com/nodeos-dev/gitd/internal/guest"
)

const (
	// Lines are acknowledged together, this long after the first of them: that
	// many are told twice when gitd is killed, and none when it ends.
	ackPause = 200 * time.Millisecond
	// A guest that does not read delays gitd's end by no more than that.
	lastAckLimit = 500 * time.Millisecond
)

// acks knows which lines the guest need not keep any more.
type acks struct {
	wake chan struct{} // capacity 1

	mu   sync.Mutex
	seen uint64 // the last line that was told
	sent uint64 // the last that was acknowledged
}

// saw notes a line that has been told. Lines of older guests have no number.
func (a *acks) saw(seq uint64) {
	if seq == 0 {
		return
	}
	a.mu.Lock()
	a.seen = seq
	a.mu.Unlock()
	wake(a.wake)
}

// due returns what is to be acknowledged, once.
func (a *acks) due() (msg guest.Message, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.seen == a.sent {
		return guest.Message{}, false
	}
	a.sent = a.seen
	return guest.Message{Kind: guest.KindAck, Ack: &guest.Ack{Seq: a.seen}}, true
}

// acknowledge sends acknowledgements until the machine is gone or let go of.
func (m *machine) acknowledge() {
	for {
		select {
		case <-m.acks.wake:
		case <-m.left:
			return
		case <-m.gone:
			return
		}
		select {
		case <-time.After(ackPause):
		case <-m.left:
			return
		}
		if msg, ok := m.acks.due(); ok && m.write(msg) != nil {
			return
		}
	}
}

// lastAck acknowledges all that was told to the watch, before the channel is
// closed: what comes after it will be said to the next process.
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
