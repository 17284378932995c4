// Package guard holds the requests of an app to the rules that people have set for it, before the app sees them.
//
// It owns the order of the rules, what is counted for them, and what a refused client is told. It does not own how that
// is written (package proxy) nor what can be set (package rules of the core).
package guard

import (
	"net/http"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/nodeos-dev/gitd/internal/admit"
	"github.com/nodeos-dev/gitd/internal/core/rules"
)

// Guard is what stands before one app. Its methods are safe for concurrent use. A nil Guard lets everything through.
type Guard struct {
	hashing *Hashing
	held    atomic.Pointer[held]
	running atomic.Int64 // requests, while there is a limit of them
	guesses *buckets     // of passwords, by address
	refused [reasons]atomic.Int64
}

// held is the rules at one moment, with what is counted for them.
type held struct {
	rules.Set
	users    map[string]*user
	all      *buckets // one bucket, of all clients; nil: no limit
	eachFrom *buckets // by address; nil: no limit
}

// New makes a Guard without rules.
func New(hashing *Hashing) *Guard {
	g := &Guard{hashing: hashing, guesses: newBuckets(maxGuesses, guessEvery)}
	g.held.Store(&held{})
	return g
}

// Set replaces the rules. What was counted for a limit stays if the limit does, and so do passwords that were right.
func (g *Guard) Set(s rules.Set) {
	old := g.held.Load()
	now := &held{Set: s, users: map[string]*user{}, all: old.all, eachFrom: old.eachFrom}
	for _, u := range s.Users {
		if was := old.users[u.Name]; was != nil && was.hash == u.Hash {
			now.users[u.Name] = was
		} else {
			now.users[u.Name] = &user{hash: u.Hash}
		}
	}
	if s.Limits.Requests != old.Limits.Requests {
		now.all = bucketsOf(s.Limits.Requests)
	}
	if s.Limits.RequestsFrom != old.Limits.RequestsFrom {
		now.eachFrom = bucketsOf(s.Limits.RequestsFrom)
	}
	g.held.Store(now)
}

func bucketsOf(r rules.Rate) *buckets {
	if r.N == 0 {
		return nil
	}
	return newBuckets(r.N, r.Per/time.Duration(r.N))
}

// Pass is that a request may go on.
type Pass struct {
	User    string // whose password it had; empty: none was asked for
	MaxBody int64  // bytes; 0: no limit
	leave   func()
}

// Leave is called when the request has ended.
func (p Pass) Leave() {
	if p.leave != nil {
		p.leave()
	}
}

// Enter holds a request of client to the rules. If it is refused, there is no Pass to leave.
func (g *Guard) Enter(client netip.Addr, r *http.Request) (Pass, *Refusal) {
	if g == nil {
		return Pass{}, nil
	}
	h := g.held.Load()
	if h.Empty() {
		return Pass{}, nil
	}
	pass, no := g.enter(h, client, r)
	if no != nil {
		g.refused[no.reason].Add(1)
		pass.Leave()
	}
	return pass, no
}

func (g *Guard) enter(h *held, client netip.Addr, r *http.Request) (pass Pass, no *Refusal) {
	now, source := time.Now(), admit.Source(client)
	switch {
	case len(h.Allow) > 0 && !contains(h.Allow, client):
		return pass, refuseAddress
	case h.Maintenance != nil && !contains(h.Maintenance.Allow, client):
		return pass, h.maintenance()
	}
	if no := h.tooMany(source, now); no != nil {
		return pass, no
	}
	if most := h.Limits.Connections; most > 0 {
		pass.leave = func() { g.running.Add(-1) }
		if g.running.Add(1) > int64(most) {
			return pass, refuseConnections
		}
	}
	if len(h.users) > 0 {
		if pass.User, no = g.login(h, source, now, r); no != nil {
			return pass, no
		}
	}
	pass.MaxBody = h.Limits.Body
	if pass.MaxBody > 0 && r.ContentLength > pass.MaxBody {
		return pass, refuseBody
	}
	return pass, nil
}

// tooMany takes a request from what may come, if there is something left. One address that asks too much takes nothing
// from the others.
func (h *held) tooMany(source netip.Addr, now time.Time) *Refusal {
	if h.eachFrom != nil {
		if wait := h.eachFrom.take(source, now); wait > 0 {
			return refuseRate(forRateFrom, wait)
		}
	}
	if h.all != nil {
		if wait := h.all.take(netip.Addr{}, now); wait > 0 {
			return refuseRate(forRate, wait)
		}
	}
	return nil
}

func contains(list []netip.Prefix, addr netip.Addr) bool {
	return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// TooLong counts a request whose body went on after its limit.
func (g *Guard) TooLong() *Refusal {
	g.refused[forBody].Add(1)
	return refuseBody
}

// Page is the app's own page for a status; empty: it has none.
func (g *Guard) Page(status int) string {
	if g == nil {
		return ""
	}
	return g.held.Load().Pages[status]
}

// Refused is how many requests were refused so far, by why.
func (g *Guard) Refused() map[string]int64 {
	all := map[string]int64{}
	for why, name := range names {
		all[name] = g.refused[why].Load()
	}
	return all
}
