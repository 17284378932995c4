package rollout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/deploy"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// Update moves apps onto the newest bases, with progress on w. When ctx ends, the app that is being moved is finished,
// and the others stay where they are. The returned update has no id if there was nothing to do.
func (r *Rollout) Update(ctx context.Context, by core.Actor, wish core.BaseWish, w io.Writer) (core.BaseUpdate, error) {
	end, err := r.begin(by)
	if err != nil {
		return core.BaseUpdate{}, err
	}
	defer end()
	return r.update(ctx, by, wish, w)
}

// update does what Update does, for whoever has the place.
func (r *Rollout) update(ctx context.Context, by core.Actor, wish core.BaseWish, w io.Writer) (core.BaseUpdate, error) {
	out := progress.NewPatient(w)
	defer out.End()
	u := core.BaseUpdate{Wish: wish, By: by, Begun: time.Now()}
	var err error
	if u.Moves, err = r.prepare(ctx, wish, progress.NewReport(out)); err != nil {
		err = r.because(ctx, err)
		r.cfg.Trail.Note(context.WithoutCancel(ctx), wish.App(), by.Name, "base.update", "failed: "+progress.OneLine(err.Error()))
		return u, err
	}
	return r.roll(ctx, u, out)
}

// prepare makes what an update needs, and says what it will do.
func (r *Rollout) prepare(ctx context.Context, w core.BaseWish, rep *progress.Report) ([]core.BaseMove, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(r.cfg.Work.Context(), cancel)()
	if w.Kernel {
		if err := r.cfg.Bases.CompileKernel(ctx, rep); err != nil {
			return nil, err
		}
	}
	return r.plan(ctx, w, rep)
}

// because says why a work ended, if that was its context.
func (r *Rollout) because(ctx context.Context, err error) error {
	switch {
	case r.stops(ctx):
		return errStopping
	case ctx.Err() != nil:
		return core.Reject("interrupted", "no app was moved")
	}
	return err
}

// Rollback moves apps back from the newest update that has not been undone: these apps, or all of that update.
func (r *Rollout) Rollback(ctx context.Context, by core.Actor, apps []string, w io.Writer) (core.BaseUpdate, error) {
	end, err := r.begin(by)
	if err != nil {
		return core.BaseUpdate{}, err
	}
	defer end()
	out := progress.NewPatient(w)
	defer out.End()
	u := core.BaseUpdate{Wish: core.BaseWish{Apps: apps}, By: by, Begun: time.Now()}
	if u.Undo, u.Moves, err = r.planBack(ctx, u.Wish); err != nil {
		return u, err
	}
	return r.roll(ctx, u, out)
}

// roll stores what is to be done, and does it.
func (r *Rollout) roll(ctx context.Context, u core.BaseUpdate, w io.Writer) (core.BaseUpdate, error) {
	if u.Count(core.BaseWaits) == 0 {
		r.cfg.Trail.Note(context.WithoutCancel(ctx), u.Wish.App(), u.By.Name, action(u), result(u))
		return u, nil
	}
	u, err := r.cfg.Ledger.AddBaseUpdate(context.WithoutCancel(ctx), u)
	if err != nil {
		return u, err
	}
	return r.goOn(ctx, u.ID, w)
}

// goOn moves the apps of an update that wait, one after the other. What is to be done is read from the ledger each
// time: an app may have got another name meanwhile, or be gone.
func (r *Rollout) goOn(ctx context.Context, id int, w io.Writer) (core.BaseUpdate, error) {
	lasting := context.WithoutCancel(ctx)
	for {
		u, err := r.cfg.Ledger.BaseUpdate(lasting, id)
		if err != nil {
			return u, err
		}
		m, ok := next(u)
		switch {
		case r.stops(ctx):
			return u, errStopping // the next gitd goes on
		case !ok || ctx.Err() != nil:
			r.cfg.Log.Info("an update of bases has ended", "by", u.By.Name, "result", result(u))
			return u, r.cfg.Ledger.EndBaseUpdate(lasting, id, time.Now(), entry(u.Wish.App(), u.By, action(u), result(u)))
		}
		if err := r.move(lasting, u, m, w); err != nil {
			return u, err
		}
	}
}

// stops reports whether gitd is stopping, as far as ctx or Work know it.
func (r *Rollout) stops(ctx context.Context) bool {
	cause := context.Cause(ctx)
	return r.cfg.Work.Context().Err() != nil || cause != nil && r.cfg.Stopping != nil && errors.Is(cause, r.cfg.Stopping)
}

func next(u core.BaseUpdate) (core.BaseMove, bool) {
	for _, m := range u.Moves {
		if m.State == core.BaseWaits {
			return m, true
		}
	}
	return core.BaseMove{}, false
}

// move moves one app in its turn, and stores what became of it before the turn ends. The end of gitd stores nothing:
// the next one does it again.
func (r *Rollout) move(ctx context.Context, u core.BaseUpdate, m core.BaseMove, w io.Writer) error {
	progress.NewReport(w).Step("%s: %s", m.App, way(m))
	begun, stored := time.Now(), false
	var lost error
	store := func(err error) {
		stored = true
		m.Took = time.Since(begun)
		judge(&m, err)
		lost = r.cfg.Ledger.SaveBaseMove(ctx, u.ID, m, entry(m.App, u.By, action(u), outcome(m)))
	}
	stopping := func() bool { return r.cfg.Work.Context().Err() != nil && m.State != core.BaseMoved }
	err := r.cfg.Deployer.Operate(u.By, m.App, "an update of its base", false, w, func(turn context.Context, t *deploy.Turn) error {
		err := r.moveIn(turn, t, &m)
		if !stopping() {
			store(err)
		}
		return err
	})
	if !stored && !stopping() { // its turn did not come
		store(err)
	}
	if m.State == core.BaseFailed || m.State == core.BaseStays {
		progress.NewReport(w).Warn("%s stays on its base: %s", m.App, m.Reason)
	}
	return lost
}

// moveIn moves an app to where m says, if it still is where it was.
func (r *Rollout) moveIn(ctx context.Context, t *deploy.Turn, m *core.BaseMove) error {
	live, err := t.Live(ctx)
	if err != nil {
		return err
	}
	switch here := live.Manifest.BaseRef(); {
	case here == m.Is:
		m.State, m.Release = core.BaseMoved, live.Version
		return nil
	case here != m.Was:
		m.State, m.Reason = core.BaseStays, fmt.Sprintf("v%d, which came meanwhile, has another base", live.Version)
		return nil
	case t.App.Stopped:
		m.State, m.Reason = core.BaseStays, "it was stopped meanwhile"
		return nil
	}
	m.From = live.Version
	m.Release, err = t.Move(ctx, live, m.Is)
	if err == nil {
		m.State = core.BaseMoved
	}
	return err
}

// judge gives m the state that an error means.
func judge(m *core.BaseMove, err error) {
	if err == nil || m.State == core.BaseMoved {
		return
	}
	m.State, m.Reason = core.BaseFailed, progress.OneLine(err.Error())
	if rej, ok := errors.AsType[*core.Rejection](err); ok {
		m.Reason = said(rej)
		if m.Release > 0 { // what to type is about the output of the deployment
			m.Reason = progress.OneLine(rej.Reason)
		}
	}
}

// Resume goes on with the update that the last gitd has begun and not finished. It is meant for the background.
func (r *Rollout) Resume(ctx context.Context) {
	updates, err := r.cfg.Ledger.BaseUpdates(ctx)
	if err != nil {
		r.cfg.Log.Error("updates of bases cannot be read", "error", err)
		return
	}
	for _, u := range updates {
		if !u.Ended.IsZero() {
			continue
		}
		end, err := r.wait(ctx, u.By)
		if err != nil {
			return
		}
		r.cfg.Log.Info("an update of bases goes on", "by", u.By.Name, "begun", u.Begun, "apps", u.Count(core.BaseWaits))
		if _, err := r.goOn(ctx, u.ID, nil); err != nil && ctx.Err() == nil {
			r.cfg.Log.Error("the update of bases does not go on", "error", err)
		}
		end()
	}
}
