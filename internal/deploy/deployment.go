package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"gitd/internal/core"
	"gitd/internal/image"
	"gitd/internal/progress"
	"gitd/internal/units"
)

// deployment is one run: a release on its way to being live. It holds its
// app's queue from enter on.
type deployment struct {
	d      *Deployer
	k      *keeper
	turn   *turn
	by     core.Actor
	report *progress.Report
	files  *image.Hold // of the image's files, until the ledger has what became of the release

	app     core.App // as it was when the deployment's turn came
	branch  string   // becomes the app's deploy branch; empty: that does not change
	shallow bool     // git itself moves the branch
	release core.Release
}

// deploymentOf makes a deployment for app, asked for by somebody.
func (d *Deployer) deploymentOf(by core.Actor, app, what string, r *progress.Report) *deployment {
	k := d.keeper(app)
	return &deployment{d: d, k: k, by: by, report: r, files: d.shelf.Hold(), turn: &turn{app: app, by: by.Name, what: what}}
}

// replacing has the deployment take the place of older ones, and give its own
// to a newer.
func (j *deployment) replacing() *deployment {
	j.turn.replace, j.turn.yields = true, true
	return j
}

// enter waits for the deployment's turn and reads where the app stands. The
// context it returns ends when another deployment takes its place. leave must
// be called, once the app's git refs agree with the ledger.
func (j *deployment) enter() (ctx context.Context, leave func(), err error) {
	ctx, j.turn.cancel = context.WithCancelCause(j.d.life)
	leave = sync.OnceFunc(func() {
		j.k.queue.leave(j.turn)
		j.turn.cancel(nil)
		j.files.Release()
		j.d.collectSoon(j.k.name())
	})
	if err := j.k.queue.join(ctx, j.turn, j.told("Waiting: number %d in the queue of the app. It has: %s")); err != nil {
		leave()
		return nil, nil, err
	}
	j.report.Lap("wait")
	if j.app, err = j.d.cfg.Ledger.App(ctx, j.turn.app); errors.Is(err, core.ErrNotFound) {
		err = core.Reject(fmt.Sprintf("there is no app %q any more", j.turn.app), "`apps` lists yours")
	}
	if err != nil {
		leave()
		return nil, nil, err
	}
	return ctx, leave, nil
}

// told prints a place in a queue whenever it is another one.
func (j *deployment) told(format string) func(waiting) {
	last := ""
	return func(w waiting) {
		var who, now []string
		for _, h := range w.holders {
			who = append(who, h.App+h.What+h.By)
			now = append(now, h.String())
		}
		if key := fmt.Sprint(w.position, who); key != last {
			last = key
			j.report.Step(format, w.position, strings.Join(now, "; "))
		}
	}
}

// unlocked refuses a deployment of a locked app.
func (j *deployment) unlocked() error {
	l := j.app.Lock
	if !l.Held() {
		return nil
	}
	return core.Reject(fmt.Sprintf("%s is locked by %s since %s: %s", j.app.Name, l.By, l.Since.Format(time.DateTime), l.Reason),
		"`apps:unlock "+j.app.Name+"` lets deployments in again")
}

// deploy brings draft, which is stored as the app's next version, to live or
// to failed.
func (j *deployment) deploy(ctx context.Context, draft core.Release) error {
	draft.App, draft.Pusher, draft.Key, draft.Created = j.app.Name, j.by.Name, j.by.Key, time.Now()
	var err error
	if j.release, err = j.d.cfg.Ledger.AddRelease(ctx, draft); err != nil {
		return err
	}
	j.keepOutput()
	j.d.cfg.Log.Info("deployment started", "app", draft.App, "release", j.release.Version,
		"commit", draft.Commit, "pusher", draft.Pusher, "trigger", string(draft.Trigger))
	if err := j.bringUp(ctx); err != nil {
		err = because(ctx, err)
		j.failed(err)
		return err
	}
	return nil
}

// keepOutput has the text of this deployment kept from here on, where
// `logs --build` finds it.
func (j *deployment) keepOutput() {
	w, err := j.d.cfg.BuildLogs.Begin(j.release.App, j.release.Version)
	if err != nil {
		j.d.cfg.Log.Error("build output is not kept", "app", j.release.App, "error", err)
		return
	}
	j.report.Keep(w)
}

// because replaces the error of a work that was broken off by the reason for
// that.
func because(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func (j *deployment) bringUp(ctx context.Context) error {
	if j.release.State == core.Building {
		if err := j.build(ctx); err != nil {
			return err
		}
	}
	spec, err := j.d.spec(ctx, j.release)
	if err != nil {
		return err
	}
	if err := j.step(ctx, core.Booting); err != nil {
		return err
	}
	sound := j.verify(ctx)
	if spec.Exclusive() {
		if err := sound(); err != nil { // before anything is stopped
			return err
		}
		return j.stopFirst(ctx, spec)
	}
	inst, err := j.d.boot(ctx, spec, j.release, j.report)
	if bad := sound(); bad != nil {
		if err == nil {
			j.d.stop(context.WithoutCancel(ctx), inst.id(), 0) //nolint:errcheck // logged; the next start removes it
		}
		return bad // which is also why it may not have booted
	}
	if err != nil {
		return err
	}
	if err := j.swap(ctx, inst); err != nil {
		j.d.stop(context.WithoutCancel(ctx), inst.id(), 0) //nolint:errcheck // logged; the next start removes it
		return err
	}
	return nil
}

// build makes the image, in one of the places that there are for builds.
func (j *deployment) build(ctx context.Context) error {
	place := &turn{app: j.app.Name, by: j.by.Name, what: "the build of " + j.app.Name, cancel: j.turn.cancel}
	if err := j.d.builds.join(ctx, place, j.told("Waiting: number %d in the queue for builds. Now: %s")); err != nil {
		return err
	}
	defer j.d.builds.leave(place)
	j.report.Lap("wait")
	src := image.Source{App: j.app.Name, Repo: j.d.cfg.State.Repo(j.app.Name), Commit: j.release.Commit, Hold: j.files}
	var err error
	if j.release.Manifest, err = j.d.cfg.Builder.Build(ctx, src, j.report); err != nil {
		j.release.Manifest = core.Manifest{}
		return err
	}
	return j.step(ctx, core.Built)
}

// step moves the release on, in the ledger first.
func (j *deployment) step(ctx context.Context, s core.State) error {
	next := j.release
	next.State, next.Steps = s, j.report.Steps()
	if err := j.d.cfg.Ledger.SaveRelease(ctx, next); err != nil {
		return err
	}
	j.release = next
	j.moved()
	return nil
}

// moved logs where the release stands now, in the ledger and not yet anywhere
// else.
func (j *deployment) moved() {
	j.d.cfg.Log.Debug("release moved on", "app", j.release.App, "release", j.release.Version, "state", string(j.release.State))
}

// failed stores why.
func (j *deployment) failed(cause error) {
	r := j.release
	r.State, r.Finished, r.Steps = core.Failed, time.Now(), j.report.Steps()
	r.Reason = progress.OneLine(cause.Error())
	j.release = r
	j.d.persist("the failure of a release", func(ctx context.Context) error {
		return j.d.cfg.Ledger.SaveRelease(ctx, r)
	})
	j.d.cfg.Log.Warn("release failed", "app", r.App, "release", r.Version, "reason", r.Reason)
}

// recordBranch stores the deploy branch of a first push. It comes before the
// release is live: with a live release and no branch, RepairRefs could not
// move a ref that git was kept from moving.
func (j *deployment) recordBranch(ctx context.Context) error {
	if j.branch == "" {
		j.branch = cmp.Or(j.app.Branch, "main") // a tag came first
	}
	if j.app.Branch == j.branch {
		return nil
	}
	j.app.Branch = j.branch
	return j.d.cfg.Ledger.ChangeApp(ctx, j.app.Name, func(a *core.App) error {
		a.Branch = j.branch
		return nil
	})
}

// summary is printed when the release is live and git has moved its refs.
func (j *deployment) summary() string {
	var b strings.Builder
	r := progress.NewReport(&b)
	r.Keep(j.report.TakeKept())
	defer r.EndKeep()
	r.Detail("%s", j.times())
	r.Done("v%d is live at %s", j.release.Version, j.d.cfg.URL(j.app.Name))
	return b.String()
}

// times is the table of a push in one line. Phases that most pushes pass
// through in no time are named only when they took some.
func (j *deployment) times() string {
	var parts []string
	var total time.Duration
	for _, s := range j.report.Steps() {
		total += s.Took
		if !slices.Contains([]string{"wait", "base", "export", "build"}, s.Name) || s.Took > 100*time.Millisecond {
			parts = append(parts, s.Name+" "+units.Took(s.Took))
		}
	}
	return strings.Join(append(parts, "total "+units.Took(total)), " · ")
}
