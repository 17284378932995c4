// Package pulse notices when a guest has said nothing for too long.
package pulse

import (
	"sync"
	"time"
)

// Pulse is that of one guest. The zero value is one that was not started.
type Pulse struct {
	mu    sync.Mutex
	timer *time.Timer // nil: it was not started, or was stopped
	limit time.Duration
	last  time.Time // when it was felt
}

// Start calls silent when Felt was not called for limit.
func (p *Pulse) Start(limit time.Duration, silent func(limit time.Duration)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
	}
	p.limit, p.last = limit, time.Now()
	p.timer = time.AfterFunc(limit, func() { silent(limit) })
}

// Felt is called for each sign of life.
func (p *Pulse) Felt() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = time.Now()
	if p.timer != nil {
		p.timer.Reset(p.limit)
	}
}

// Over reports whether Felt was not called for the limit. What finds that a guest is silent and then asks something
// else about it asks Over last: a guest that was paused may go on in between.
func (p *Pulse) Over() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Since(p.last) >= p.limit
}

// Stop ends it: silent is not called any more, unless the call has begun.
func (p *Pulse) Stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
}

// Runs reports whether it was started, and not stopped since.
func (p *Pulse) Runs() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.timer != nil
}
