package fleet

import (
	"slices"
	"sync"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// posts are the posts of one app: one for each process that it needs.
type posts struct {
	k *keeper

	mu   sync.Mutex
	by   map[core.ProcessID]*post
	over bool // the app was destroyed: nothing is booted for it any more
}

// end makes sleeping revivals stop, so that they do not boot the next app of that name.
func (s *posts) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for process := range s.by {
		s.k.f.cfg.Places.Give(s.k.name(), process)
	}
	s.over, s.by = true, nil
}

// has reports whether p is still a post of the app.
func (s *posts) has(p *post) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.over && s.by[p.process] == p
}

// of finds or makes the post of a process.
func (s *posts) of(process core.ProcessID) *post {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.by[process]
	if !ok {
		p = &post{k: s.k, process: process, since: time.Now()}
		if s.by == nil {
			s.by = map[core.ProcessID]*post{}
		}
		s.by[process] = p
		s.k.f.cfg.Places.Keep(s.k.name(), process)
	}
	return p
}

// all returns the posts in order.
func (s *posts) all() []*post {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*post
	for _, p := range s.by {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *post) int { return a.process.Compare(b.process) })
	return all
}

// instances returns the machines of all posts.
func (s *posts) instances() []*Instance {
	var all []*Instance
	for _, p := range s.all() {
		if inst := p.current(); inst != nil {
			all = append(all, inst)
		}
	}
	return all
}

// keepOnly ends the posts of all other processes, and returns the machines that they had.
func (s *posts) keepOnly(processes []core.ProcessID) (left []*Instance) {
	for _, p := range s.all() {
		if slices.Contains(processes, p.process) {
			continue
		}
		s.mu.Lock()
		delete(s.by, p.process)
		s.mu.Unlock()
		s.k.f.cfg.Places.Give(s.k.name(), p.process)
		if inst := p.vacate(); inst != nil {
			left = append(left, inst)
		}
	}
	return left
}

// need makes posts for these processes, ends the others, and returns those that have no machine.
func (s *posts) need(processes []core.ProcessID) (missing []*post, left []*Instance) {
	left = s.keepOnly(processes)
	for _, process := range processes {
		if p := s.of(process); p.current() == nil {
			p.down("it is starting", true)
			missing = append(missing, p)
		}
	}
	return missing, left
}

// calm forgets the losses: somebody has deployed or started the app.
func (s *posts) calm() {
	for _, p := range s.all() {
		p.calm()
	}
}
