package sleep

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/nodeos-dev/gitd/internal/audit"
	"github.com/nodeos-dev/gitd/internal/background"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/deploy"
	"github.com/nodeos-dev/gitd/internal/fleet"
	"github.com/nodeos-dev/gitd/internal/oneoff"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/quota"
	"github.com/nodeos-dev/gitd/internal/units"
)

// Apps has what is to be known of apps.
type Apps interface {
	App(ctx context.Context, name string) (core.App, error)
	Lives(ctx context.Context) ([]core.Release, error)
	Volumes(ctx context.Context, app string) ([]core.Volume, error)
}

// RoomConfig is what Sleepers work with. Every field but After and Rest is required.
type RoomConfig struct {
	Beds     *Beds
	Apps     Apps
	Fleet    *fleet.Fleet
	Deployer *deploy.Deployer
	OneOffs  *oneoff.Machines
	Trail    *audit.Trail
	Work     *background.Work
	// Traffic is how many requests and connections app has now, those left out that wait for a machine, and how many
	// it has had.
	Traffic func(app string) (now, ever int64)
	After   time.Duration // without a request, apps fall asleep of which nobody has said it; 0: never
	Rest    time.Duration // see rest, which it is if it is 0
}

// Sleepers decides when apps fall asleep, and wakes them. Its methods are safe for concurrent use.
type Sleepers struct {
	cfg  RoomConfig
	beds *Beds
	log  *slog.Logger

	mu    sync.Mutex
	quiet map[string]quiet // by app
}

// quiet is since when an app has had no request.
type quiet struct {
	ever  int64
	since time.Time
}

// NewSleepers makes Sleepers. Apps that sleep already are woken from now on.
func NewSleepers(cfg RoomConfig) *Sleepers {
	s := &Sleepers{cfg: cfg, beds: cfg.Beds, log: cfg.Beds.cfg.Log, quiet: map[string]quiet{}}
	if s.cfg.Rest == 0 {
		s.cfg.Rest = rest
	}
	s.beds.knock = func(app string) {
		cfg.Work.Go(func(ctx context.Context) {
			if err := s.wake(ctx, app, "a request"); errors.Is(err, quota.ErrFull) {
				s.log.Warn("app sleeps on: there is no room for it", "app", app, "reason", err)
			} else if err != nil {
				s.log.Error("app does not wake", "app", app, "error", err)
			}
		})
	}
	return s
}

// Load is Beds.Load.
func (s *Sleepers) Load(ctx context.Context) error { return s.beds.Load(ctx) }

// Least is the shortest time after which an app can fall asleep by itself.
const Least = time.Second

// The pauses between two looks at all apps. An app falls asleep a tenth of its time late at most.
const (
	mostOften = Least / 4
	seldom    = 10 * time.Second
)

// KeepTime puts apps to sleep that are idle, until ctx ends.
func (s *Sleepers) KeepTime(ctx context.Context) {
	for next := time.Duration(0); ; {
		if next <= 0 {
			next = s.look(ctx)
		}
		pause := min(next, sample)
		if background.Sleep(ctx, pause) != nil {
			return
		}
		next -= pause
		s.sample()
	}
}

// sample is how often it is noted which apps have had a request: so exactly is it known which was asked for last.
const sample = time.Second

func (s *Sleepers) sample() {
	s.mu.Lock()
	all := slices.Collect(maps.Keys(s.quiet))
	s.mu.Unlock()
	for _, app := range all {
		s.idle(app, 0)
	}
}

// look looks once at all apps, and returns when to look again.
func (s *Sleepers) look(ctx context.Context) (next time.Duration) {
	set, err := s.settings(ctx)
	shortest := s.cfg.After
	for _, after := range set {
		if after > 0 && (shortest == 0 || after < shortest) {
			shortest = after
		}
	}
	next = min(max(shortest/10, mostOften), seldom)
	if err == nil && shortest == 0 {
		return next
	}
	lives, errLives := s.cfg.Apps.Lives(ctx)
	if err := errors.Join(err, errLives); err != nil {
		s.log.Error("which apps are idle is not known", "error", err)
		return seldom
	}
	for _, live := range lives {
		after, ok := set[live.App]
		if !ok {
			after = s.cfg.After
		}
		if after > 0 && s.idle(live.App, after) {
			s.try(ctx, live, after)
		}
	}
	return next
}

// try puts an idle app to sleep, if it may.
func (s *Sleepers) try(ctx context.Context, live core.Release, after time.Duration) {
	if s.beds.Asleep(live.App) || len(s.cfg.Deployer.QueueOf(live.App)) > 0 {
		return // it sleeps, or is being deployed or changed
	}
	err := s.stays(ctx, live)
	if err == nil {
		err = s.doze(ctx, live.App, "no request for "+units.Took(after))
	}
	if err == nil {
		return
	}
	s.later(live.App)
	if _, ok := errors.AsType[*core.Rejection](err); !ok && !errors.Is(err, fleet.ErrBusy) && ctx.Err() == nil {
		s.log.Error("app does not fall asleep", "app", live.App, "error", err)
	}
}

// settings are what people have said, by app.
func (s *Sleepers) settings(ctx context.Context) (map[string]time.Duration, error) {
	all, err := s.beds.cfg.Ledger.Sleeps(ctx)
	set := map[string]time.Duration{}
	for _, x := range all {
		if x.After != nil {
			set[x.App] = *x.After
		}
	}
	return set, err
}

// idle reports whether app has had no request for so long.
func (s *Sleepers) idle(app string, after time.Duration) bool {
	since, ok := s.since(app)
	return ok && time.Since(since) >= after
}

// since is the time after which app has had no request; ok is false while it has one.
func (s *Sleepers) since(app string) (since time.Time, ok bool) {
	now, ever := s.cfg.Traffic(app)
	s.mu.Lock()
	defer s.mu.Unlock()
	q, ok := s.quiet[app]
	if !ok || now > 0 || q.ever != ever {
		q = quiet{ever, time.Now()}
		s.quiet[app] = q
	}
	return q.since, now == 0
}

// later has app count as idle since now.
func (s *Sleepers) later(app string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quiet[app] = quiet{s.quiet[app].ever, time.Now()}
}

// stays is why an app does not sleep, or nil.
func (s *Sleepers) stays(ctx context.Context, live core.Release) error {
	a, err := s.cfg.Apps.App(ctx, live.App)
	if err != nil {
		return err
	}
	volumes, err := s.cfg.Apps.Volumes(ctx, live.App)
	if err != nil {
		return err
	}
	all := a.Scale.Formation(live.Manifest)
	switch {
	case a.Stopped:
		return core.Reject(live.App+" is stopped", "")
	case len(volumes) > 0:
		return core.Reject(live.App+" has a volume: apps that write to a disk do not sleep", "")
	case len(all) != 1 || all[0] != core.FirstWeb:
		return core.Reject(fmt.Sprintf("%s has other processes than one of web: they may work without being asked", live.App),
			fmt.Sprintf("`ps:scale %s` says which", live.App))
	case len(s.cfg.OneOffs.Of(live.App)) > 0:
		return core.Reject("a command runs beside "+live.App, fmt.Sprintf("`run:list %s` says which", live.App))
	}
	return nil
}

// doze puts an app to sleep.
func (s *Sleepers) doze(ctx context.Context, app, why string) error {
	release, err := s.cfg.Fleet.Stage(ctx, app)
	if err != nil {
		return err
	}
	defer release()
	return s.dozeNow(ctx, app, why)
}

// dozeNow is doze for callers that hold the stage.
func (s *Sleepers) dozeNow(ctx context.Context, app, why string) error {
	begun := time.Now()
	status, err := s.cfg.Fleet.Status(ctx, app)
	if err != nil {
		return err
	}
	if status.State != fleet.Running || !s.beds.noted(status.Machine) {
		s.later(app)
		return fmt.Errorf("%w: its machine does not run, or was started by a gitd that makes machines in another way, or on another QEMU", fleet.ErrBusy)
	}
	if !s.beds.lie(app, status.Machine) {
		return core.Reject(app+" sleeps already", "")
	}
	busy := func() bool { now, _ := s.cfg.Traffic(app); return now > 0 }
	if err := fleet.Doze(ctx, s.cfg.Fleet, app, busy, s.beds.save); err != nil {
		s.beds.Over(app)
		return err
	}
	s.log.Info("app sleeps", "app", app, "machine", status.Machine, "why", why, "took", time.Since(begun))
	s.cfg.Trail.Note(ctx, app, "gitd", "app.sleep", why)
	return nil
}

// wake has an app go on that sleeps. If there is no room for it, it sleeps on.
func (s *Sleepers) wake(ctx context.Context, app, why string) error {
	release, err := s.cfg.Fleet.Stage(ctx, app)
	if err != nil {
		return err
	}
	defer release()
	if !s.beds.rouse(app) {
		return nil // somebody else was first
	}
	begun := time.Now()
	s.later(app)
	var sleeps *bed
	err = fleet.Rouse(ctx, s.cfg.Fleet, app, func(err error) bool {
		sleeps = s.beds.bar(ctx, app, err)
		return sleeps != nil
	})
	switch {
	case sleeps != nil:
		s.unbarSoon(sleeps)
		return err
	case err != nil:
		s.beds.Over(app)
		s.cfg.Fleet.Down(app, "it does not wake: "+progress.OneLine(err.Error()), true)
		return err
	}
	s.log.Info("app woke", "app", app, "why", why, "took", time.Since(begun))
	s.cfg.Trail.Note(ctx, app, "gitd", "app.wake", why)
	return nil
}

// Sleep puts app to sleep now, as a person asks for it.
func (s *Sleepers) Sleep(_ context.Context, by core.Actor, app string, w io.Writer) error {
	return s.cfg.Deployer.Operate(by, app, "a sleep", false, w, func(ctx context.Context, t *deploy.Turn) error {
		live, err := t.Live(ctx)
		if err != nil {
			return err
		}
		if s.beds.Asleep(app) {
			return core.Reject(app+" sleeps already", "")
		}
		if err := s.stays(ctx, live); err != nil {
			return err
		}
		err = s.doze(ctx, app, "by "+by.Name)
		if errors.Is(err, fleet.ErrBusy) {
			return core.Reject(fmt.Sprintf("%s does not sleep now: %v", app, err), "try again when it has no request and no connection")
		}
		return err
	})
}

// Wake wakes app, as a person asks for it.
func (s *Sleepers) Wake(_ context.Context, by core.Actor, app string, w io.Writer) error {
	return s.cfg.Deployer.Operate(by, app, "a wake", false, w, func(ctx context.Context, _ *deploy.Turn) error {
		if !s.beds.Asleep(app) {
			return core.Reject(app+" does not sleep", "")
		}
		return s.wake(ctx, app, "by "+by.Name)
	})
}

// SetAfter says after which time without a request app falls asleep; 0: never; nil: as the server says it.
func (s *Sleepers) SetAfter(ctx context.Context, by core.Actor, app string, after *time.Duration) error {
	said := "default"
	switch {
	case after == nil:
	case *after == 0:
		said = "never"
	case *after < Least:
		return core.Reject(fmt.Sprintf("%s is less than %s", *after, Least), "for example: `sleep:set "+app+" 15m`")
	default:
		said = after.String()
	}
	if err := s.beds.cfg.Ledger.SetSleepAfter(ctx, app, after); err != nil {
		return err
	}
	s.cfg.Trail.Note(ctx, app, by.Name, "sleep.set", said)
	return nil
}

// After is after which time without a request app falls asleep, and whether somebody has set that for it; 0: never.
func (s *Sleepers) After(ctx context.Context, app string) (after time.Duration, set bool, err error) {
	all, err := s.settings(ctx)
	after, set = all[app]
	if !set {
		after = s.cfg.After
	}
	return after, set, err
}
