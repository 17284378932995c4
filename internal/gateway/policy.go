package gateway

import (
	"context"
	"net/netip"
	"sync"

	"golang.org/x/time/rate"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/inward"
)

// minBurst is what a machine with a limit may send at once: more than one read of a connection or one datagram.
const minBurst = 128 << 10

// policy is what the guest may reach, and how fast it may send there. Connections wait for their turn and datagrams are
// lost, so that each have a limit: of one, connections would leave nothing to datagrams, and so to DNS.
type policy struct {
	mu        sync.RWMutex
	egress    core.Egress
	streams   *rate.Limiter
	datagrams *rate.Limiter
}

func newPolicy(e core.Egress) *policy {
	p := &policy{streams: rate.NewLimiter(rate.Inf, minBurst), datagrams: rate.NewLimiter(rate.Inf, minBurst)}
	p.set(e)
	return p
}

func (p *policy) set(e core.Egress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.egress = e
	limit := rate.Inf
	if e.Rate > 0 {
		limit = rate.Limit(e.Rate)
	}
	for _, l := range []*rate.Limiter{p.streams, p.datagrams} {
		l.SetLimit(limit)
		l.SetBurst(max(minBurst, int(min(e.Rate, 1<<30))))
	}
}

// check judges the address that is to be dialled.
func (p *policy) check(dst netip.AddrPort) error {
	place, closed, err := inward.Closed(dst.Addr(), func(place inward.Place) bool { return p.allows(place, dst) })
	if err != nil || !closed {
		return err
	}
	return errRefused{"is " + place.What}
}

func (p *policy) allows(place inward.Place, dst netip.AddrPort) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	for _, r := range p.egress.Rules {
		if r.Range.Bits() >= place.Range.Bits() && r.Allows(dst) {
			return true
		}
	}
	return false
}

// wait returns when n bytes of a connection may leave. n is at most minBurst.
func (p *policy) wait(ctx context.Context, n int) error { return p.streams.WaitN(ctx, n) }
