package rollout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/deploy"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// planner finds what an update would do. Nothing of it moves an app.
type planner struct{ cfg Config }

// plan finds what an update would do, and makes the bases for it. Apps that are up to date already are not in it.
func (r planner) plan(ctx context.Context, w core.BaseWish, rep *progress.Report) ([]core.BaseMove, error) {
	apps, err := r.apps(ctx, w.Apps)
	if err != nil {
		return nil, err
	}
	failed := map[core.BaseMove]string{}
	if w.Night {
		if failed, err = r.failedBefore(ctx); err != nil {
			return nil, err
		}
	}
	var moves []core.BaseMove
	for _, a := range apps {
		if a.Live == 0 {
			continue // its first push gets the newest
		}
		m, err := r.planApp(ctx, a, w, rep)
		if err != nil {
			return nil, err
		}
		if m.State == "" {
			continue
		}
		if why, ok := failed[attempt(m)]; ok && m.State == core.BaseWaits {
			m.State, m.Reason = core.BaseStays, "it failed on this base before: "+why+"; `base:update "+m.App+"` tries again"
		}
		moves = append(moves, m)
	}
	return moves, nil
}

// apps are those of these names; none: all.
func (r planner) apps(ctx context.Context, names []string) ([]core.App, error) {
	if len(names) == 0 {
		return r.cfg.Ledger.Apps(ctx)
	}
	var apps []core.App
	for _, name := range names {
		a, err := r.cfg.Ledger.App(ctx, name)
		if err == nil && a.Live == 0 {
			err = deploy.NoRelease(name)
		}
		if err != nil {
			return nil, err
		}
		apps = append(apps, a)
	}
	return apps, nil
}

// planApp is what an update does with one app. The zero state: nothing, as it has the newest base.
func (r planner) planApp(ctx context.Context, a core.App, w core.BaseWish, rep *progress.Report) (core.BaseMove, error) {
	live, err := r.cfg.Ledger.Release(ctx, a.Name, a.Live)
	if err != nil {
		return core.BaseMove{}, err
	}
	m := core.BaseMove{App: a.Name, Was: live.Manifest.BaseRef(), From: live.Version}
	to, err := r.cfg.Bases.Target(ctx, live, w, rep)
	switch rej, ok := errors.AsType[*core.Rejection](err); {
	case err == nil:
	case ctx.Err() != nil:
		return m, ctx.Err()
	case ok:
		m.State, m.Reason = core.BaseStays, said(rej)
		return m, nil
	default: // what is wrong with one app must not keep the others from their update
		m.State, m.Reason = core.BaseFailed, progress.OneLine(err.Error())
		return m, nil
	}
	switch m.Is = to; {
	case to == m.Was:
	case a.Stopped:
		m.State, m.Reason = core.BaseStays, "it is stopped: `ps:start "+a.Name+"`, then `base:update "+a.Name+"`"
	default:
		m.State = core.BaseWaits
	}
	return m, nil
}

// said is a rejection with what to type, in one line.
func said(r *core.Rejection) string {
	if r.Hint == "" {
		return progress.OneLine(r.Reason)
	}
	return progress.OneLine(r.Reason + ": " + r.Hint)
}

// attempt is what of a move says that it is the same as another.
func attempt(m core.BaseMove) core.BaseMove {
	return core.BaseMove{App: m.App, From: m.From, Is: m.Is}
}

// failedBefore are the moves that did not come up, with the reason.
func (r planner) failedBefore(ctx context.Context) (map[core.BaseMove]string, error) {
	updates, err := r.cfg.Ledger.BaseUpdates(ctx)
	failed := map[core.BaseMove]string{}
	for _, u := range updates {
		for _, m := range u.Moves {
			if m.State == core.BaseFailed && failed[attempt(m)] == "" {
				failed[attempt(m)] = m.Reason
			}
		}
	}
	return failed, err
}

// planBack is what undoes the newest update that has not been undone, as far as apps are wished for.
func (r planner) planBack(ctx context.Context, w core.BaseWish) (undo int, moves []core.BaseMove, err error) {
	updates, err := r.cfg.Ledger.BaseUpdates(ctx)
	if err != nil {
		return 0, nil, err
	}
	undone := map[string]bool{}
	for _, u := range updates {
		for _, m := range u.Moves {
			switch key := fmt.Sprint(u.ID, m.App); {
			case !w.Wants(m.App), m.State != core.BaseMoved:
			case u.Undo > 0:
				undone[fmt.Sprint(u.Undo, m.App)] = true
			case !undone[key]:
				back, err := r.planAppBack(ctx, m)
				if err != nil {
					return 0, nil, err
				}
				undo, moves = u.ID, append(moves, back)
			}
		}
		if undo > 0 {
			return undo, moves, nil
		}
	}
	return 0, nil, core.Reject("there is no update of bases to go back from", "`base:list` shows what runs on what")
}

// planAppBack is the way back of one app, whatever was pushed to it since.
func (r planner) planAppBack(ctx context.Context, was core.BaseMove) (core.BaseMove, error) {
	m := core.BaseMove{App: was.App, State: core.BaseStays, Is: was.Was}
	a, err := r.cfg.Ledger.App(ctx, was.App)
	if err != nil {
		return m, err
	}
	if a.Live == 0 {
		m.Reason = "it has no release any more"
		return m, nil
	}
	live, err := r.cfg.Ledger.Release(ctx, a.Name, a.Live)
	if err != nil {
		return m, err
	}
	m.Was, m.From = live.Manifest.BaseRef(), live.Version
	may := r.mayGoBack(ctx, was, live)
	switch {
	case m.Was != was.Is:
		m.Reason = fmt.Sprintf("v%d is on another base than this update has given it", live.Version)
	case a.Stopped:
		m.Reason = "it is stopped: `ps:start " + a.Name + "`, then `base:rollback " + a.Name + "`"
	case may != nil:
		m.Reason = progress.OneLine(may.Error())
	default:
		m.State = core.BaseWaits
	}
	return m, nil
}

// mayGoBack says why live cannot go back to where the move was from, or nil. The layers that came from there can.
func (r planner) mayGoBack(ctx context.Context, was core.BaseMove, live core.Release) error {
	before, err := r.cfg.Ledger.Release(ctx, was.App, was.From)
	if err == nil && slices.Equal(before.Manifest.Layers(), live.Manifest.Layers()) {
		return nil
	}
	return r.cfg.Bases.MayGoBack(live, was.Was)
}

// Next is where an update would move app now, and makes the base for it.
func (r planner) Next(ctx context.Context, app string, w io.Writer) (core.BaseMove, error) {
	a, err := r.apps(ctx, []string{app})
	if err != nil {
		return core.BaseMove{}, err
	}
	out := progress.NewPatient(w)
	defer out.End()
	return r.planApp(ctx, a[0], core.BaseWish{}, progress.NewReport(out))
}
