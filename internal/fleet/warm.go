package fleet

import "context"

// Warm keeps machines that were replaced (package warm). For the fleet they have ended.
type Warm interface {
	// Keep has the next Stop of a machine of app keep it, so that it can become one of a later release that is the
	// same.
	Keep(app, id string)
	// Unkeep takes Keep back.
	Unkeep(id string)
	// End ends in the background what is kept of app, and takes each Keep back.
	End(app string)
}

// cold keeps nothing.
type cold struct{}

func (cold) Keep(string, string) {}
func (cold) Unkeep(string)       {}
func (cold) End(string)          {}

// keep has machines kept that new code has replaced, and ends what is kept if something else has changed: it is not as
// the app is now. An app that is reached by TCP has connections whose end nobody waits for.
func (k *keeper) keep(made *Formation, left []*Instance) {
	warm, app := k.f.cfg.Warm, k.name()
	if len(made.machines) == 0 || !made.machines[0].release.Trigger.NewCode() {
		warm.End(app)
		return
	}
	for _, inst := range left {
		if len(inst.release.Manifest.Expose.Ports()) == 0 {
			warm.Keep(app, inst.ID())
		}
	}
}

// unkeep has machines stopped after all that had requests when the time for these was over.
func (k *keeper) unkeep(drained context.Context, left []*Instance) {
	if drained.Err() == nil {
		return
	}
	for _, inst := range left {
		k.f.cfg.Warm.Unkeep(inst.ID())
	}
}

// kept reports whether a machine was kept, and goes on.
func kept(i *Instance) bool { return i != nil && i.Machine().Kept }
