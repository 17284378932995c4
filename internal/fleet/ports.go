package fleet

import (
	"context"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// Ledger is what the fleet reads and writes of the durable truth. Each method is one transaction, which is on disk when
// the method returns. Look-ups of what is not there return core.ErrNotFound.
type Ledger interface {
	App(ctx context.Context, name string) (core.App, error)
	// Apps are sorted by name.
	Apps(ctx context.Context) ([]core.App, error)
	// ChangeApp stores what change does to an app's found memory. change runs inside the transaction, so it must not
	// use the ledger. If it returns an error, nothing is changed.
	ChangeApp(ctx context.Context, name string, change func(a *core.App) error) error
	Release(ctx context.Context, app string, version int) (core.Release, error)
	// SaveRelease stores the changed fields of an existing release.
	SaveRelease(ctx context.Context, r core.Release) error
	// Lives are the live releases of all apps, by app.
	Lives(ctx context.Context) ([]core.Release, error)
	// Unfinished are the releases that are on their way to another state.
	Unfinished(ctx context.Context) ([]core.Release, error)

	Machines(ctx context.Context) ([]core.Machine, error)
	SaveMachine(ctx context.Context, m core.Machine) error
	DeleteMachine(ctx context.Context, id string) error

	// Vars are the variables of app; an empty map if there are none.
	Vars(ctx context.Context, app string) (map[string]string, error)
	// Resources are those that somebody has set for app; zero fields are not set.
	Resources(ctx context.Context, app string) (core.Resources, error)
	// Network is what somebody has set for the network of app.
	Network(ctx context.Context, app string) (core.Network, error)
	// Volumes are those of app, by name.
	Volumes(ctx context.Context, app string) ([]core.Volume, error)
}

// Driver runs machines. Implementations are safe for concurrent use.
type Driver interface {
	// Boot creates the machine and hands the guest its start message. It
	// returns as soon as the VM runs; what happens next goes to w.
	Boot(ctx context.Context, spec core.MachineSpec, w core.Watch) (core.Machine, error)
	// Adopt attaches w to a machine that an earlier process started. A guest that already listens reports
	// EventListening again. Adopt returns core.ErrNotFound if no such machine runs.
	Adopt(ctx context.Context, id string, w core.Watch) (core.Machine, error)
	// Tell passes t on to the attached task of a machine that this process has booted. It may wait until the guest
	// takes it, and returns core.ErrNotFound if no such machine runs.
	Tell(ctx context.Context, id string, t core.Tell) error
	// Restrict sets what a machine may reach that this process has booted or adopted, at once. It returns
	// core.ErrNotFound if no such machine runs.
	Restrict(ctx context.Context, id string, e core.Egress) error
	// Stop asks the app to end, waits up to grace, then destroys the machine. When it returns nil, the machine is gone.
	// An unknown id is no error.
	Stop(ctx context.Context, id string, grace time.Duration) error
	// List returns the running machines that are marked as ours.
	List(ctx context.Context) ([]core.Machine, error)
}

// Router is the part of the front door that the fleet moves: which machine gets an app's requests.
type Router interface {
	// Switch sends new requests for app to these addresses, of which there is at least one, and to no others. The
	// returned drain waits until no request runs on the backends that are not among them any more, or ctx ends; it is
	// never nil.
	Switch(app string, addrs []string) (drain func(ctx context.Context))
	// Hold makes new requests for app wait, each for no longer than limit, until the next Switch, which sends them to
	// the new machine, or until Down or Remove, which answer them. The returned drain waits for the requests that run
	// on the backend that served app, as that of Switch does. For an app that sleeps, the first request that waits
	// calls knock, in a goroutine, and another Hold changes nothing.
	Hold(app string, limit time.Duration, knock func()) (drain func(ctx context.Context))
	// Down makes the front door answer 503 for app, with reason. The returned drain is as that of Switch.
	Down(app, reason string) (drain func(ctx context.Context))
	// Remove forgets app and its names: 404 from now on.
	Remove(app string)
}

// Output keeps what the apps say. Append never blocks for long.
type Output interface {
	Append(app string, l core.Line)
}
