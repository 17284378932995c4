package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/units"
)

// deployment is one run: a release on its way to being live (pipeline.go), or another change that must not happen at
// the same time. It has its app's turn after enter has returned.
type deployment struct {
	*Deployer
	lane   *queue // of the app
	turn   *turn
	by     core.Actor
	report *progress.Report
	story  *story
	log    *slog.Logger // its lines say which push or command they are of
	ended  error        // what gitd's end means to whoever asked for this
	files  *image.Hold  // of the image's files, until the ledger says what became of the release

	app     core.App // as it was when the deployment's turn came
	branch  string   // becomes the app's deploy branch; empty: the deploy branch does not change
	shallow bool     // git itself moves the branch
	release core.Release

	quarantine string // of the push; empty: all objects are in the repository

	tags       []core.Command // stored with the deploy branch
	tagsStored bool
}

// deploymentOf makes a deployment for app, on behalf of by. s is its story.
func (d *Deployer) deploymentOf(by core.Actor, app, what string, s *story, r *progress.Report) *deployment {
	j := &deployment{
		Deployer: d, lane: d.lane(app), by: by, report: r, story: s, log: d.cfg.logOf(s.work.ID), ended: errStopping, files: d.cfg.Shelf.Hold(),
		turn: &turn{app: app, by: by.Name, what: what},
	}
	r.OnMoment(j.observe)
	s.waits()
	return j
}

// replacing lets the deployment take the place of older ones, and lets a newer one take its place.
func (d *deployment) replacing() *deployment {
	d.turn.replace, d.turn.yields = true, true
	return d
}

// enter waits for the deployment's turn and reads the app from the ledger. The returned context ends when another
// deployment takes this one's place. leave must be called, once the app's git refs agree with the ledger.
func (d *deployment) enter() (ctx context.Context, leave func(), err error) {
	ctx, d.turn.cancel = context.WithCancelCause(d.cfg.Work.Context())
	leave = sync.OnceFunc(func() {
		d.story.look(ctx)
		d.lane.leave(d.turn)
		d.turn.cancel(nil)
		d.files.Release()
		d.cfg.Collector.Soon(cmp.Or(d.app.Name, d.turn.app))
	})
	if err := d.lane.join(ctx, d.turn, told(d.report, "Waiting: number %d in the queue of the app. It has: %s")); err != nil {
		leave()
		return nil, nil, err
	}
	d.report.Lap("wait")
	if d.app, err = d.cfg.Ledger.App(ctx, d.turn.app); errors.Is(err, core.ErrNotFound) {
		err = noApp(d.turn.app)
	}
	if err == nil { // much may have changed while it waited
		err = d.cfg.Authorize(ctx, d.by, d.app.Name)
	}
	if err != nil {
		leave()
		return nil, nil, err
	}
	return ctx, leave, nil
}

func noApp(app string) *core.Rejection {
	return core.Reject(fmt.Sprintf("there is no app %q any more", app), "`apps` lists yours")
}

// told returns a function that prints a turn's place in a queue whenever the place, or what holds the queue, has
// changed.
func told(r *progress.Report, format string) func(waiting) {
	last := ""
	return func(w waiting) {
		var who, now []string
		for _, h := range w.holders {
			who = append(who, h.App+h.What+h.By)
			now = append(now, h.String())
		}
		if key := fmt.Sprint(w.position, who); key != last {
			last = key
			r.Step(format, w.position, strings.Join(now, "; "))
		}
	}
}

// unlocked refuses a deployment of a locked app.
func (d *deployment) unlocked() error {
	l := d.app.Lock
	if !l.Held() {
		return nil
	}
	return core.Reject(fmt.Sprintf("%s is locked by %s since %s: %s", d.app.Name, l.By, l.Since.Format(time.DateTime), l.Reason),
		"`apps:unlock "+d.app.Name+"` lets deployments in again")
}

// keepOutput copies the text of this deployment from here on to where `logs --build` finds it.
func (d *deployment) keepOutput() {
	w, err := d.cfg.BuildLogs.Begin(d.release.App, d.release.Version)
	if err != nil {
		d.log.Error("build output is not kept", "app", d.release.App, "error", err)
		return
	}
	d.report.Keep(w)
}

// takeImage keeps collections from removing an image that the ledger names, until the deployment ends. Like
// image.Check, it returns what is missing of the image, or nil.
func (d *deployment) takeImage(m core.Manifest) error {
	d.files.Take(m.Files()...)
	return image.Check(d.cfg.State, m)
}

// recordBranch stores the deploy branch of a first push. It must come before the release is live: with a live release
// and no recorded branch, RepairRefs could not move a branch that git was kept from moving.
func (d *deployment) recordBranch(ctx context.Context) error {
	if d.branch == "" {
		d.branch = cmp.Or(d.app.Branch, "main") // the first push was a tag
	}
	if d.app.Branch == d.branch {
		return nil
	}
	d.app.Branch = d.branch
	return d.cfg.Ledger.ChangeApp(ctx, d.app.Name, func(a *core.App) error {
		a.Branch = d.branch
		return nil
	})
}

// observe logs a moment of the release and tells the observer about it.
func (d *deployment) observe(m core.Moment) {
	d.log.Debug("moment", "app", d.turn.app, "moment", string(m), "release", d.release.Version)
	d.story.moment(m, d.release)
}

// summary is printed when the release is live and git has moved its refs.
func (d *deployment) summary() string {
	var b strings.Builder
	r := progress.NewReport(&b)
	r.Keep(d.report.TakeKept())
	defer r.EndKeep()
	r.Detail("%s", d.times())
	if d.release.Manifest.Serves() {
		r.Done("v%d is live at %s", d.release.Version, d.cfg.URL(d.app.Name))
	} else {
		r.Done("v%d is live: it has no web process, and gets no requests", d.release.Version)
	}
	return b.String()
}

// times returns the time of each phase in one line. Phases that take no time in most pushes are left out unless they
// took more than 100 ms.
func (d *deployment) times() string {
	var parts []string
	var total time.Duration
	for _, s := range d.report.Steps() {
		total += s.Took
		if !slices.Contains([]string{"wait", "base", "export", "build"}, s.Name) || s.Took > 100*time.Millisecond {
			parts = append(parts, s.Name+" "+units.Took(s.Took))
		}
	}
	return strings.Join(append(parts, "total "+units.Took(total)), " · ")
}

// because replaces the error of a work that was broken off by the reason for that. A plain end of the context is that
// of gitd, and means stopped.
func because(ctx context.Context, err, stopped error) error {
	switch {
	case ctx.Err() == nil:
		return err
	case errors.Is(context.Cause(ctx), context.Canceled):
		return stopped
	}
	return context.Cause(ctx)
}

func oneLine(err error) string { return progress.OneLine(err.Error()) }
