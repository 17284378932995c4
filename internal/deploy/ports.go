package deploy

import (
	"context"
	"io"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// Ledger is what deployments read and write of the durable truth. Each method is one transaction, which is on disk when
// the method returns. Look-ups of what is not there return core.ErrNotFound.
type Ledger interface {
	App(ctx context.Context, name string) (core.App, error)
	// Apps are sorted by name.
	Apps(ctx context.Context) ([]core.App, error)
	// ChangeApp stores what change does to an app's branch, lock, former name and found memory, and whether it is
	// stopped. change runs inside the transaction, so it must not use the ledger. If it returns an error, nothing is
	// changed.
	ChangeApp(ctx context.Context, name string, change func(a *core.App) error) error

	// AddRelease gives r the app's next version and stores it. r.State must be one for which Starts is true.
	AddRelease(ctx context.Context, r core.Release) (core.Release, error)
	// SaveRelease stores the changed fields of an existing release. It refuses a step that State.CanBecome does not
	// allow, and the steps that Promote makes.
	SaveRelease(ctx context.Context, r core.Release) error
	// Promote makes r, which is Healthy, the live release of its app. The release before it becomes Draining, and the
	// app is no longer stopped. All this is one transaction: after a crash exactly one of the two releases is live.
	Promote(ctx context.Context, r core.Release) error
	Release(ctx context.Context, app string, version int) (core.Release, error)
	// Releases are the newest first; limit 0 means all.
	Releases(ctx context.Context, app string, limit int) ([]core.Release, error)
	// Image finds the newest release of this commit of app that was live, or is.
	Image(ctx context.Context, app, commit string) (core.Release, error)
	// Lives are the live releases of all apps, by app.
	Lives(ctx context.Context) ([]core.Release, error)
	// Unfinished are the releases that are on their way to another state: those that are Deploying, and those that are
	// Draining.
	Unfinished(ctx context.Context) ([]core.Release, error)

	// BuildVars are the config variables of app that builds see.
	BuildVars(ctx context.Context, app string) (map[string]string, error)

	SaveMachine(ctx context.Context, m core.Machine) error
}

// Builder turns a commit into an image.
type Builder interface {
	// Build makes or finds the layers of src and reports each step. It returns a *core.Rejection for what the
	// repository's author can repair.
	Build(ctx context.Context, src image.Source, r *progress.Report) (core.Manifest, error)
}

// Images is the store of images, as far as a deployment needs it.
type Images interface {
	// Verify reads the files of m and compares them with their digests. It removes a damaged file, so that the next
	// build makes it again, and returns a *core.Rejection that names it.
	Verify(ctx context.Context, m core.Manifest) error
}

// Repos is the git side of a deployment.
type Repos interface {
	// Commit finds the commit that an object of p stands for, through tags. It returns a *core.Rejection if there is
	// none.
	Commit(ctx context.Context, p core.Push, object string) (core.Commit, error)
	// Point sets branch of app's repository to commit, and HEAD to branch.
	Point(ctx context.Context, app, branch, commit string) error
	// Tags are the tags that are stored: the object of each full name.
	Tags(ctx context.Context, app string) (map[string]string, error)
	// Prepare gets ready for a change of refs, all or none, and keeps others from moving them meanwhile: what can fail,
	// for want of room above all, fails here. The objects of its quarantine are in the repository from then on, and
	// leave it again when the move is aborted. The caller ends the move, in the app's turn.
	Prepare(ctx context.Context, app string, c core.RefChange) (core.RefMove, error)
}

// Quotas say what an app may take.
type Quotas interface {
	// CheckDisk says why app cannot have so many bytes more on the disk, or nil.
	CheckDisk(ctx context.Context, app string, more int64) error
}

// Ports say which ports of the host an app may have.
type Ports interface {
	// Claim says why app cannot have the ports of the host that its next release exposes, or opens them for it.
	Claim(ctx context.Context, app string, e core.Expose) error
}

// BuildLogs keeps what each deployment printed, bounded.
type BuildLogs interface {
	// Begin starts the text of a release. Writes to it never fail.
	Begin(app string, release int) (io.WriteCloser, error)
}
