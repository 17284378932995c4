package deploy

import (
	"context"
	"io"
	"time"

	"gitd/internal/core"
	"gitd/internal/image"
	"gitd/internal/progress"
)

// Builder turns a commit into an image.
type Builder interface {
	// Build makes or finds the layers of src and reports each step. What the
	// repository's author can repair is returned as a *Rejection.
	Build(ctx context.Context, src image.Source, r *progress.Report) (core.Manifest, error)
}

// Store keeps the files of images.
type Store interface {
	// Sweep removes what sweep does not keep, through its Drop where that is
	// somebody's to hold, and returns how many bytes became free. What it
	// cannot remove does not end it.
	Sweep(ctx context.Context, sweep *image.Sweep) (freed int64, err error)
	// Verify reads the files of m and compares them with their digests. A
	// damaged one is removed, so that the next build makes it again, and named
	// by a *Rejection.
	Verify(ctx context.Context, m core.Manifest) error
}

// Driver runs machines. Implementations are safe for concurrent use.
type Driver interface {
	// Boot creates the machine and hands the guest its start message. It
	// returns as soon as the VM runs; what happens next goes to w.
	Boot(ctx context.Context, spec core.MachineSpec, w core.Watch) (core.Machine, error)
	// Adopt attaches w to a machine that was started by an earlier process.
	// A guest that already listens reports EventListening again.
	// ErrNotFound: no such machine runs.
	Adopt(ctx context.Context, id string, w core.Watch) (core.Machine, error)
	// Stop asks the app to end, waits up to grace, then destroys the machine.
	// When it returns nil the machine is gone; an unknown id is no error.
	Stop(ctx context.Context, id string, grace time.Duration) error
	// List returns the running machines that are marked as ours.
	List(ctx context.Context) ([]core.Machine, error)
}

// Router is the front door's table.
type Router interface {
	// Switch sends new requests for app to addr. The returned drain waits
	// until no request runs on the backend that was replaced, or ctx ends;
	// it is never nil.
	Switch(app, addr string) (drain func(ctx context.Context))
	// Hold keeps new requests for app waiting, each for no longer than limit,
	// until the next Switch, which lets them go to the new machine, or until
	// Down or Remove, which answer them. The returned drain waits for what
	// runs on the backend that served app, as that of Switch does.
	Hold(app string, limit time.Duration) (drain func(ctx context.Context))
	// Down makes the front door answer 503 for app, with reason.
	Down(app, reason string)
	// Remove forgets app and its names: 404 from now on.
	Remove(app string)
	// Names are the hosts that app has beside its own name, from now on. One
	// that CheckHost refuses or that another app has is not taken.
	Names(app string, hosts []string)
	// Counts is what the front door has seen of app since gitd's start.
	Counts(app string) core.Counts
}

// Ledger is the durable truth. Each method is one transaction that is on disk
// when it returns. Look-ups of what is not there return ErrNotFound.
type Ledger interface {
	// CreateApp adds an app; an existing one is left as it is.
	CreateApp(ctx context.Context, name string) (core.App, error)
	App(ctx context.Context, name string) (core.App, error)
	// Apps are sorted by name.
	Apps(ctx context.Context) ([]core.App, error)
	// ChangeApp stores what change does to an app's branch, lock, former name,
	// and whether it is stopped. change runs inside the transaction, so it
	// must not use the ledger; its error changes nothing.
	ChangeApp(ctx context.Context, name string, change func(a *core.App) error) error
	// RenameApp gives an app another name, which must be free, with all that
	// belongs to it but the audit, and notes the old one in Was.
	RenameApp(ctx context.Context, from, to string) error
	// DeleteApp forgets an app with all that belongs to it but the audit.
	DeleteApp(ctx context.Context, name string) error

	// AddRelease gives r the app's next version and stores it. Its state is
	// one that Starts.
	AddRelease(ctx context.Context, r core.Release) (core.Release, error)
	// SaveRelease stores the changed fields of an existing release. A step
	// that State.CanBecome does not allow is refused, and so are those that
	// Promote makes.
	SaveRelease(ctx context.Context, r core.Release) error
	// Promote makes r, which is Healthy, the live release of its app, has the
	// one before drain, and the app be no longer stopped, in one transaction:
	// after a crash exactly one of the two is live.
	Promote(ctx context.Context, r core.Release) error
	Release(ctx context.Context, app string, version int) (core.Release, error)
	// Releases are the newest first; limit 0 means all.
	Releases(ctx context.Context, app string, limit int) ([]core.Release, error)
	// Image finds the newest release of app that was built from commit and
	// was live once.
	Image(ctx context.Context, app, commit string) (core.Release, error)
	// Lives are the live releases of all apps, by app.
	Lives(ctx context.Context) ([]core.Release, error)
	// Images are the releases of all apps that have an image and have not
	// failed, by app, the newest first.
	Images(ctx context.Context) ([]core.Release, error)
	// PinRelease sets or ends Pinned, which no other method stores.
	PinRelease(ctx context.Context, app string, version int, pinned bool) error
	// Unfinished are the releases that are on their way to another state:
	// those that are Deploying, and Draining.
	Unfinished(ctx context.Context) ([]core.Release, error)

	SaveMachine(ctx context.Context, m core.Machine) error
	DeleteMachine(ctx context.Context, id string) error
	Machines(ctx context.Context) ([]core.Machine, error)

	// Record appends to the audit: who did what to which app (which may be
	// empty). It never holds a secret.
	Record(ctx context.Context, e core.Entry) error
	// Entries are the newest first; an empty app means all.
	Entries(ctx context.Context, app string, limit int) ([]core.Entry, error)
}

// Output keeps what the apps say. Append never blocks for long.
type Output interface {
	Append(app string, l core.Line)
	// Forget removes what app said; Rename gives it to another name.
	Forget(app string) error
	Rename(from, to string) error
}

// BuildLogs keeps what each deployment printed, bounded.
type BuildLogs interface {
	// Begin starts the text of a release. Writes to it never fail.
	Begin(app string, release int) (io.WriteCloser, error)
	// Forget removes the texts of an app; Rename gives them to another name.
	Forget(app string) error
	Rename(from, to string) error
}

// Repos is the git side that the core needs.
type Repos interface {
	// Commit peels an object name to the commit it names. A *Rejection says
	// that there is none behind it.
	Commit(ctx context.Context, app, object string) (core.Commit, error)
	// Point sets branch of app's repository to commit, and HEAD to branch.
	Point(ctx context.Context, app, branch, commit string) error
	// Prepare gets ready for what Point does, and keeps others from moving the
	// branch meanwhile: what can fail, for want of room above all, fails here.
	// The caller ends the move.
	Prepare(ctx context.Context, app, branch, commit string) (core.RefMove, error)
	// Tidy packs app's repository and prunes what no branch and none of
	// commits reaches, if there is enough to be worth it. It waits for pushes
	// that run, and gives up when the next one comes.
	Tidy(ctx context.Context, app string, commits []string) error
	// Remove removes app's repository; Rename gives it to another name. One
	// that is not there is no error.
	Remove(ctx context.Context, app string) error
	Rename(ctx context.Context, from, to string) error
}
