package fleet

import (
	"context"
	"fmt"
	"slices"
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
	Asleep    Condition = "asleep"     // its machine was saved: the next request wakes it
	Down      Condition = "down"       // nothing serves it; Reason says why
)

// AppStatus is how an app is at this moment: as its first process that runs, or as its first, if none does. Reason also
// says which of the others do not run.
type AppStatus struct {
	App string
	ProcessStatus

	Processes []ProcessStatus // in order; empty if the app is not to run
}

// ProcessStatus is how a process of an app is at this moment.
type ProcessStatus struct {
	Process   core.ProcessID
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
		return AppStatus{App: app, ProcessStatus: ProcessStatus{State: Empty}}, err
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
	s := AppStatus{App: a.Name}
	for _, p := range k.posts.all() {
		s.Processes = append(s.Processes, p.status(a))
	}
	if len(s.Processes) == 0 {
		s.ProcessStatus = k.idle(a)
		return s
	}
	first := max(0, slices.IndexFunc(s.Processes, ProcessStatus.runs))
	s.ProcessStatus, s.Restarts = s.Processes[first], 0
	for i, p := range s.Processes {
		s.Restarts += p.Restarts
		if i != first && !p.runs() && s.Reason == "" {
			s.Reason = fmt.Sprintf("%s: %s: %s", p.Process, p.State, p.Reason)
		}
	}
	return s
}

func (s ProcessStatus) runs() bool { return s.State == Running || s.State == Unseen }

// idle is how an app without posts is.
func (k *keeper) idle(a core.App) ProcessStatus {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := ProcessStatus{State: Down, Reason: k.reason, Release: a.Live, Since: k.since}
	switch {
	case a.Stopped:
		s.State = Stopped
	case a.Live == 0:
		s.State = Empty
	case k.starting:
		s.State = Starting
	case k.f.cfg.Sleepers.Asleep(k.app):
		s.State = Asleep
	case s.Reason == "":
		s.State, s.Reason = Stopped, "all of its processes are scaled to 0"
	}
	return s
}

func (p *post) status(a core.App) ProcessStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := ProcessStatus{Process: p.process, Reason: p.reason, Release: a.Live, Since: p.since, Restarts: p.replaced}
	if p.serving != nil {
		p.serving.describe(&s)
		return s
	}
	switch {
	case a.Stopped:
		s.State = Stopped
	case p.losses >= loopExits:
		s.State, s.LastLines = CrashLoop, p.last
	case p.starting && p.losses == 0:
		s.State = Starting
	default:
		s.State, s.LastLines = Down, p.last
	}
	return s
}

// describe adds what is known of the machine that serves.
func (i *Instance) describe(s *ProcessStatus) {
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
