package fleet

import (
	"context"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// Condition is the condition that an app is in.
type Condition string

// The conditions of an app.
const (
	Empty     Condition = "empty"      // nothing has been deployed yet
	Running   Condition = "running"    // its machine serves
	Unseen    Condition = "unseen"     // its machine served when it was last seen; Reason says why it is not seen now
	Starting  Condition = "starting"   // a machine is on its way
	Stopped   Condition = "stopped"    // somebody stopped it
	CrashLoop Condition = "crash loop" // it ends again and again
	Down      Condition = "down"       // nothing serves it; Reason says why
)

// AppStatus is how an app is at this moment.
type AppStatus struct {
	App       string
	State     Condition
	Reason    string      // why it does not run; empty if it runs
	Release   int         // of the machine; without one, the live release; 0: none
	Machine   string      // id; empty: none serves
	Addr      string      // host:port of the machine
	Since     time.Time   // since when it is in this state
	Restarts  int         // how often the app was started again in its machine, and lost machines were replaced
	LastLines []string    // what the app said last, the oldest line first; set if it is down or in a crash loop
	Stats     *core.Stats // the latest of the machine; nil: none has come
	Boot      *core.BootTimes
}

// Status says how an app is. For an unknown app the state is Empty, and the error is core.ErrNotFound.
func (f *Fleet) Status(ctx context.Context, app string) (AppStatus, error) {
	a, err := f.cfg.Ledger.App(ctx, app)
	if err != nil {
		return AppStatus{App: app, State: Empty}, err
	}
	return f.keeper(app).status(a), nil
}

// Statuses returns the status of all apps, by name.
func (f *Fleet) Statuses(ctx context.Context) ([]AppStatus, error) {
	apps, err := f.cfg.Ledger.Apps(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]AppStatus, 0, len(apps))
	for _, a := range apps {
		all = append(all, f.keeper(a.Name).status(a))
	}
	return all, nil
}

func (k *keeper) status(a core.App) AppStatus {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := AppStatus{App: a.Name, Reason: k.reason, Release: a.Live, Since: k.since, Restarts: k.replaced}
	if k.serving != nil {
		k.serving.describe(&s)
		return s
	}
	switch {
	case a.Stopped:
		s.State = Stopped
	case a.Live == 0:
		s.State = Empty
	case k.losses >= loopExits:
		s.State, s.LastLines = CrashLoop, k.last
	case k.starting && k.losses == 0:
		s.State = Starting
	default:
		s.State, s.LastLines = Down, k.last
	}
	return s
}

// describe adds what is known of the machine that serves.
func (i *Instance) describe(s *AppStatus) {
	i.mu.Lock()
	defer i.mu.Unlock()
	s.Release, s.Machine, s.Addr = i.release.Version, i.machine.ID, i.machine.Addr
	s.Restarts += i.crashes
	s.Stats, s.Boot = i.stats, i.times
	switch {
	case i.unseen != "":
		// Requests still go to the machine, and the figures are the last that came.
		s.State, s.Reason = Unseen, "whether its machine runs is not known, and requests still go to it: libvirt is away: "+i.unseen
	case i.inRow >= loopExits && (i.up.IsZero() || time.Since(i.up) < settled):
		s.State, s.LastLines = CrashLoop, texts(i.tail)
		s.Reason = "its process ends again and again"
	case i.up.IsZero():
		s.State, s.LastLines = Down, texts(i.tail)
		s.Reason = "its process ended and is being started again"
	default:
		s.State = Running
	}
}
