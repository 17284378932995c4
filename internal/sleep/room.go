package sleep

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/fleet"
)

// rest is for how long an app must have run, and had no request, until it may fall asleep in favour of another one. So
// two apps that are asked by turns do not throw each other out with each request.
const rest = 5 * time.Second

// dozeTime is for an app to fall asleep in favour of another one, whose people wait.
const dozeTime = time.Minute

// May implements quota.Room.
func (s *Sleepers) May(ctx context.Context, since time.Time) []string {
	if time.Since(since) > 2*s.cfg.Rest { // one that is asked all the time is asked still
		return nil
	}
	var all []string
	for _, c := range s.candidates(ctx) {
		all = append(all, c.app)
	}
	return all
}

// candidate is an app that may fall asleep in favour of another one, idle or not.
type candidate struct {
	app string
	up  time.Time // since when it runs
}

func (s *Sleepers) candidates(ctx context.Context) (all []candidate) {
	set, err := s.settings(ctx)
	lives, errLives := s.cfg.Apps.Lives(ctx)
	if err := errors.Join(err, errLives); err != nil {
		s.log.Error("which apps could sleep is not known", "error", err)
		return nil
	}
	for _, live := range lives {
		after, ok := set[live.App]
		if !ok {
			after = s.cfg.After
		}
		if after <= 0 {
			continue // it never sleeps
		}
		if up, ok := s.gives(ctx, live); ok {
			all = append(all, candidate{live.App, up})
		}
	}
	return all
}

// gives reports whether an app may fall asleep in favour of another one, once nobody asks for it, and since when it
// runs.
func (s *Sleepers) gives(ctx context.Context, live core.Release) (up time.Time, ok bool) {
	if s.beds.Asleep(live.App) || len(s.cfg.Deployer.QueueOf(live.App)) > 0 {
		return up, false
	}
	status, err := s.cfg.Fleet.Status(ctx, live.App)
	if err == nil && status.State == fleet.Running && s.beds.noted(status.Machine) {
		if err = s.stays(ctx, live); err == nil {
			return status.Since, true
		}
	}
	if _, ok := errors.AsType[*core.Rejection](err); err != nil && !ok {
		s.log.Warn("whether an app could sleep is not known", "app", live.App, "error", err)
	}
	return up, false
}

// Idle implements quota.Room.
func (s *Sleepers) Idle(ctx context.Context) (all []string) {
	since := map[string]time.Time{}
	for _, c := range s.candidates(ctx) {
		if at, ok := s.since(c.app); ok && min(time.Since(at), time.Since(c.up)) >= s.cfg.Rest {
			all, since[c.app] = append(all, c.app), at
		}
	}
	slices.SortStableFunc(all, func(a, b string) int { return since[a].Compare(since[b]) })
	return all
}

// Doze implements quota.Room. An app with which something is being done is not waited for: that may wait for room
// itself.
func (s *Sleepers) Doze(ctx context.Context, app, favoured string) bool {
	release, ok := fleet.TryStage(s.cfg.Fleet, app)
	if !ok {
		return false
	}
	defer release()
	ctx, cancel := context.WithTimeout(ctx, dozeTime)
	defer cancel()
	err := s.dozeNow(ctx, app, "there was no room for "+favoured)
	if err != nil {
		s.later(app)
		s.log.Warn("app does not fall asleep in favour of another one", "app", app, "favoured", favoured, "error", err)
	}
	return err == nil
}
