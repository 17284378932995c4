package fleet

import (
	"context"
	"errors"
	"fmt"

	"github.com/nodeos-dev/gitd/internal/background"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// asleep is why an app that sleeps has no machine.
const asleep = "the next request wakes it"

// ErrBusy says that an app cannot fall asleep now: something is being done with it, or has come meanwhile.
var ErrBusy = errors.New("it is not idle")

// Doze has save put the one machine of app aside, and ends it. The sleepers know already that the app sleeps, so that
// requests wait from the beginning on. If the machine is busy then, or save fails, it goes on. The caller holds the
// stage.
func Doze(ctx context.Context, f *Fleet, app string, busy func() bool, save func(ctx context.Context, m core.Machine) error) error {
	k := f.keeper(app)
	all := k.posts.all()
	if len(all) != 1 || all[0].process != core.FirstWeb {
		return fmt.Errorf("%w: it has other processes than %s", ErrBusy, core.FirstWeb)
	}
	inst := all[0].current()
	if inst == nil || !all[0].unserve(inst) {
		return fmt.Errorf("%w: it does not run", ErrBusy)
	}
	k.direct() // what runs on the machine still, if anything does, is not waited for
	err := ErrBusy
	if !busy() {
		err = save(ctx, inst.Machine())
	}
	if err != nil {
		k.front(&Formation{[]*Instance{inst}})
		return err
	}
	k.goDown(asleep)
	if f.booter.stop(ctx, inst.ID(), 0) != nil { // libvirt is away, perhaps: it stands still until then
		f.cfg.Work.Go(func(ctx context.Context) {
			for n := 1; background.Sleep(ctx, background.Pause(n)) == nil && f.booter.stop(ctx, inst.ID(), 0) != nil; n++ {
			}
		})
	}
	return nil
}

// Rouse starts app, which sleeps. If it does not start, stays says whether it sleeps on; otherwise further attempts
// follow in the background. The caller holds the stage.
func Rouse(ctx context.Context, f *Fleet, app string, stays func(error) bool) error {
	k := f.keeper(app)
	k.note("it is starting", true)
	missing, err := k.bootLive(ctx, progress.NewReport(nil))
	switch {
	case err == nil:
	case stays(err):
		k.goDown(asleep)
	default:
		for _, p := range missing {
			p.revive(background.FirstPause)
		}
	}
	return err
}

// Lie has the front door ask the sleepers anew what is to become of the requests of app, which sleeps.
func Lie(f *Fleet, app string) { f.keeper(app).direct() }

// TryStage is Stage for callers that do not wait; ok is false if somebody else has it.
func TryStage(f *Fleet, app string) (release func(), ok bool) { return f.keeper(app).stage.Try() }
