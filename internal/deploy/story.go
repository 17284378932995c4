package deploy

import (
	"context"
	"errors"
	"sync"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// story tells the observer of one push or command, from its beginning to its end. Its methods are safe for concurrent
// use.
type story struct {
	tell func(core.Transition)

	mu    sync.Mutex
	work  core.Work
	phase string      // that goes on
	live  bool        // its release is live: of a push, other refs may have been refused
	dry   bool        // it makes no release, so that there is none to tell of
	begun bool        // there was a moment
	cut   core.Result // what has broken it off; empty: nothing has
}

// inPhase are the phases that begin with a moment.
var inPhase = map[core.Moment]string{
	core.AtInstall: "deps", core.AtBuild: "build", core.AtPack: "pack", core.AtBuilt: "release", core.AtBooting: "boot",
	core.AtHealthy: "swap",
}

// afterPhase are the phases that begin when another one has ended.
var afterPhase = map[string]string{"receive": "refs", "wait": "plan", "boot": "health"}

// begin begins the story of w, whose phases r measures.
func (d *Deployer) begin(w core.Work, r *progress.Report) *story {
	s := &story{tell: d.cfg.Observe, work: w, phase: "receive"}
	r.OnPhase(s.ended)
	s.tell(core.Transition{Moment: core.AtReceived, App: w.App, Work: &w})
	return s
}

// tries says that the work is a dry run.
func (s *story) tries() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dry = true
}

// waits says that the work waits for its turn.
func (s *story) waits() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.phase = "wait"
}

// moment tells of a moment of the release that the work makes.
func (s *story) moment(m core.Moment, r core.Release) {
	s.mu.Lock()
	s.begun = true
	if next, ok := inPhase[m]; ok {
		s.phase = next
	}
	if s.dry {
		s.mu.Unlock()
		return
	}
	s.work.Release, s.work.Commit, s.work.Trigger = r.Version, r.Commit, r.Trigger
	s.live = s.live || m == core.AtLive
	w := s.work
	s.mu.Unlock()
	s.tell(core.Transition{Moment: m, App: w.App, Release: r.Version, Reason: r.Reason, Work: &w})
}

// ended tells that a phase has ended.
func (s *story) ended(p core.Phase) {
	s.mu.Lock()
	if next, ok := afterPhase[p.Name]; ok {
		s.phase = next
	}
	w := s.work
	s.mu.Unlock()
	s.tell(core.Transition{Moment: core.AtPhase, App: w.App, Release: w.Release, Work: &w, Phase: p})
}

// look notes whether the work was broken off. ctx is that of its turn, before the turn is left.
func (s *story) look(ctx context.Context) {
	if ctx.Err() == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut = core.ResultSuperseded
	if errors.Is(context.Cause(ctx), context.Canceled) {
		s.cut = core.ResultInterrupted
	}
}

// over tells that the work has ended: with why it has not done what was asked for, or nil. It returns how.
func (s *story) over(why error) core.Ended {
	s.mu.Lock()
	w, e := s.work, core.Ended{Result: core.ResultOK}
	if why != nil && !s.live {
		e = core.Ended{Result: s.result(), Phase: s.phase}
	}
	s.mu.Unlock()
	x := core.Transition{Moment: core.AtOver, App: w.App, Release: w.Release, Work: &w, Ended: e}
	if why != nil {
		x.Reason = oneLine(why)
	}
	s.tell(x)
	return e
}

// result is that of work that has not done what was asked for.
func (s *story) result() core.Result {
	switch {
	case s.cut != "":
		return s.cut
	case s.work.Release > 0 || s.dry && s.begun:
		return core.ResultFailed
	}
	return core.ResultRefused
}
