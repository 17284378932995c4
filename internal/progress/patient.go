package progress

import (
	"fmt"
	"io"
	"sync"
	"time"
)

const (
	maxUnsent = 1 << 20         // bytes that wait for a client
	lastSend  = 5 * time.Second // for a client to take what is left at the end
)

// Patient passes on what is written to it without ever making the writer wait. A client that was suspended in the
// middle of a push reads nothing more: it must not delay the build, nor the pushes that wait for the app.
type Patient struct {
	w io.Writer

	mu     sync.Mutex
	unsent []byte
	lost   int           // bytes that did not fit
	more   chan struct{} // has a token when there is something to send
	over   bool
	done   chan struct{} // closed when everything was sent after End
}

// NewPatient writes to w; nil discards.
func NewPatient(w io.Writer) *Patient {
	p := &Patient{w: w, more: make(chan struct{}, 1), done: make(chan struct{})}
	if w == nil {
		p.w = io.Discard
	}
	go p.send()
	return p
}

// Write implements io.Writer. It never fails.
func (p *Patient) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.unsent)+len(b) > maxUnsent || p.over {
		p.lost += len(b)
	} else {
		p.unsent = append(p.unsent, b...)
	}
	p.wake()
	return len(b), nil
}

func (p *Patient) wake() {
	select {
	case p.more <- struct{}{}:
	default:
	}
}

// End waits until the client has taken everything, for a bounded time.
func (p *Patient) End() {
	p.mu.Lock()
	p.over = true
	p.wake()
	p.mu.Unlock()
	select {
	case <-p.done:
	case <-time.After(lastSend):
	}
}

func (p *Patient) send() {
	defer close(p.done)
	for range p.more {
		b, over := p.take()
		p.w.Write(b) //nolint:errcheck // a client that is gone must not stop anything
		if over {
			return
		}
	}
}

func (p *Patient) take() (b []byte, over bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b = p.unsent
	p.unsent = nil
	if p.lost > 0 {
		b = fmt.Appendf(b, " !     %d bytes of progress were not sent: nobody read them\n", p.lost)
		p.lost = 0
	}
	return b, p.over
}
