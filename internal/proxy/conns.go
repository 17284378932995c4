package proxy

import "github.com/nodeos-dev/gitd/internal/core"

// Conns returns how many connections there are.
func (p *Proxy) Conns() core.Conns {
	p.crowd.mu.Lock()
	defer p.crowd.mu.Unlock()
	idle := p.crowd.waiting.Len()
	return core.Conns{Active: p.crowd.conns - idle, Idle: idle, Most: p.crowd.Conns, TurnedAway: p.refused.Load()}
}
