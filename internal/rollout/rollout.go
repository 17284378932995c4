// Package rollout moves apps from one base to another, one at a time, and back.
//
// It owns which apps an update moves, in which order, what is remembered of it, and that it goes on after gitd was
// started again. It does not own how a base is made and which one an app would get (Bases), nor how a release becomes
// live: each move is a deployment like any other (package deploy).
package rollout

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/nodeos-dev/gitd/internal/audit"
	"github.com/nodeos-dev/gitd/internal/background"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/deploy"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// Bases makes the bases that apps are moved to.
type Bases interface {
	// Target makes or finds the base that the image of rel would have if it was made now, by what was wished. It is the
	// present one if nothing is newer. A *core.Rejection says why the image must stay on the base that it has.
	Target(ctx context.Context, rel core.Release, w core.BaseWish, r *progress.Report) (core.BaseRef, error)
	// MayGoBack says why an image of rel cannot go back to an older base, or nil.
	MayGoBack(rel core.Release, to core.BaseRef) error
	// CompileKernel makes the kernel that new bases get, if it has not been compiled.
	CompileKernel(ctx context.Context, r *progress.Report) error
	// News is what bases could be made of now. What cannot be found out is said in it.
	News(ctx context.Context) core.BaseNews
}

// Ledger is what is remembered of updates. Look-ups of what is not there return core.ErrNotFound.
type Ledger interface {
	// Apps are sorted by name.
	Apps(ctx context.Context) ([]core.App, error)
	App(ctx context.Context, name string) (core.App, error)
	Release(ctx context.Context, app string, version int) (core.Release, error)
	AddBaseUpdate(ctx context.Context, u core.BaseUpdate) (core.BaseUpdate, error)
	SaveBaseMove(ctx context.Context, id int, m core.BaseMove, e core.Entry) error
	EndBaseUpdate(ctx context.Context, id int, at time.Time, e core.Entry) error
	// BaseUpdates are the newest first.
	BaseUpdates(ctx context.Context) ([]core.BaseUpdate, error)
	BaseUpdate(ctx context.Context, id int) (core.BaseUpdate, error)
	BaseSchedule(ctx context.Context) (core.BaseSchedule, error)
	SetBaseSchedule(ctx context.Context, s core.BaseSchedule, e core.Entry) error
}

// Config is what a Rollout works with. Every field is required unless it says something else.
type Config struct {
	Ledger   Ledger
	Bases    Bases
	Deployer *deploy.Deployer
	Trail    *audit.Trail
	Work     *background.Work
	Log      *slog.Logger

	// Stopping is why the contexts of callers end when gitd does, which is before Work ends; nil: they do not.
	Stopping error
	// Next is the first time after after at which a schedule is due; zero: there is none.
	Next func(schedule, zone string, after time.Time) (time.Time, error)
}

// Rollout updates bases. One update runs at a time. Its methods are safe for concurrent use.
type Rollout struct {
	planner
	place chan struct{} // has a token while an update runs
	asked chan struct{} // has a token while somebody asks for the news

	mu    sync.Mutex
	since time.Time // when the update began that runs
	by    string    // whose it is

	news   core.BaseNews // guarded by asked
	newsAt time.Time
}

// New makes a Rollout. Call Resume once the apps are in line with the ledger.
func New(cfg Config) *Rollout {
	return &Rollout{planner: planner{cfg}, place: make(chan struct{}, 1), asked: make(chan struct{}, 1)}
}

var errStopping = core.Reject("gitd is stopping", "an update of bases that has begun goes on when it is back")

// begin claims the one place for updates, or refuses.
func (r *Rollout) begin(by core.Actor) (end func(), err error) {
	select {
	case r.place <- struct{}{}:
		return r.begun(by)
	default:
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return nil, core.Reject("an update of bases runs since "+r.since.Format(time.TimeOnly)+", by "+r.by,
		"`base` shows how far it is; try again when it has ended")
}

// wait claims the place for what nobody types: whoever updates one app again and again must not keep a night from it.
func (r *Rollout) wait(ctx context.Context, by core.Actor) (end func(), err error) {
	select {
	case r.place <- struct{}{}:
		return r.begun(by)
	case <-ctx.Done():
		return nil, errStopping
	}
}

// begun counts an update among what gitd's end waits for. The caller has put the token into the place.
func (r *Rollout) begun(by core.Actor) (end func(), err error) {
	done, err := r.cfg.Work.Begin()
	if err != nil {
		<-r.place
		return nil, errStopping
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.since, r.by = time.Now(), by.Name
	return func() { <-r.place; done() }, nil
}

// newsAge is how long news are not asked for again: a viewer must not keep the archive busy.
const newsAge = time.Minute

// News is what bases could be made of now, or a minute ago.
func (r *Rollout) News(ctx context.Context) core.BaseNews {
	select {
	case r.asked <- struct{}{}:
		defer func() { <-r.asked }()
	case <-ctx.Done():
		return core.BaseNews{}
	}
	if time.Since(r.newsAt) > newsAge {
		r.news = r.cfg.Bases.News(r.cfg.Work.Context()) // for whoever asks next, too
		r.newsAt = time.Now()
	}
	return r.news
}

// Updates are those that are remembered, the newest first.
func (r *Rollout) Updates(ctx context.Context) ([]core.BaseUpdate, error) {
	return r.cfg.Ledger.BaseUpdates(ctx)
}

// Kept are the bases that a rollback may need: those from which the newest update of each app has moved it.
func (r *Rollout) Kept(ctx context.Context) ([]string, error) {
	updates, err := r.cfg.Ledger.BaseUpdates(ctx)
	seen, ids := map[string]bool{}, []string{}
	for _, u := range updates {
		for _, m := range u.Moves {
			if !seen[m.App] && u.Undo == 0 && m.State == core.BaseMoved {
				seen[m.App], ids = true, append(ids, m.Was.ID)
			}
			if m.State == core.BaseWaits {
				ids = append(ids, m.Is.ID)
			}
		}
	}
	return ids, err
}
