package proxy

import (
	"sync/atomic"

	"github.com/nodeos-dev/gitd/internal/core"
)

// counter counts the requests of one app, over all its machines.
type counter struct {
	requests atomic.Int64
	active   atomic.Int64 // held ones included
	answers  [6]atomic.Int64
}

// begin counts a request; end takes the status of its answer, 0 for none.
func (c *counter) begin() (end func(status int)) {
	c.requests.Add(1)
	c.active.Add(1)
	return func(status int) {
		// The order matters: a reader that sees no active request must see all answers.
		c.answers[min(max(status/100, 0), 5)].Add(1)
		c.active.Add(-1)
	}
}

// Counts returns what was counted for app. An app that the front door does not know has zeros.
func (p *Proxy) Counts(app string) core.Counts {
	c := p.table.counter(app)
	if c == nil {
		return core.Counts{}
	}
	n := core.Counts{Requests: c.requests.Load(), Held: p.room.held(app)}
	n.Active = max(0, int(c.active.Load())-n.Held)
	for i := range c.answers {
		n.Answers[i] = c.answers[i].Load()
	}
	return n
}
