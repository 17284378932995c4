package apps

import (
	"context"

	"github.com/nodeos-dev/gitd/internal/core"
)

// Ledger is what a change of an app reads and writes of the durable truth. Each method is one transaction that is on
// disk when it returns. Look-ups of what is not there return core.ErrNotFound.
type Ledger interface {
	// CreateApp adds an app; an existing one is left as it is.
	CreateApp(ctx context.Context, name string) (core.App, error)
	App(ctx context.Context, name string) (core.App, error)
	// Apps are sorted by name.
	Apps(ctx context.Context) ([]core.App, error)
	// ChangeApp stores what change does to an app's branch, lock, former name, and whether it is stopped. change runs
	// inside the transaction, so it must not use the ledger; its error changes nothing.
	ChangeApp(ctx context.Context, name string, change func(a *core.App) error) error
	// RenameApp gives an app another name, which must be free (core.ErrTaken), with all that belongs to it but the
	// audit, and notes the old one as FormerName.
	RenameApp(ctx context.Context, from, to string) error
	// DeleteApp forgets an app with all that belongs to it but the audit.
	DeleteApp(ctx context.Context, name string) error
	// DeleteBareApp is DeleteApp for one that has no release but failed ones and nothing that somebody set for it: no
	// lock, config, resources, domains, volumes, roles, deploy keys or invitations. It reports whether it was one.
	DeleteBareApp(ctx context.Context, name string) (deleted bool, err error)

	Settings
	VolumeTable
	Machines(ctx context.Context) ([]core.Machine, error)
}

// Settings is what people set for an app, beside what its repository says.
type Settings interface {
	// Vars are the variables of app, secrets among them; none is an empty map. They belong to the app and not to a
	// release: a rollback brings no old password back.
	Vars(ctx context.Context, app string) (map[string]string, error)
	// SetVars changes the variables of app, all or none. To unset what is not set is no error. What core.CheckVars
	// refuses is refused.
	SetVars(ctx context.Context, app string, set map[string]string, unset []string) error

	// Resources are those set for app by hand, which go before those in its package.json; zero fields are not set.
	Resources(ctx context.Context, app string) (core.Resources, error)
	// SetResources replaces what was set.
	SetResources(ctx context.Context, app string, r core.Resources) error

	// Domains are the host names of app beside its own, sorted; an empty app means all, and an unknown one has none.
	Domains(ctx context.Context, app string) ([]core.Domain, error)
	// AddDomain gives host to app. A host that another app has is a *core.Rejection; one that app has already is no
	// error.
	AddDomain(ctx context.Context, app, host string) error
	// RemoveDomain returns core.ErrNotFound if app has no such host.
	RemoveDomain(ctx context.Context, app, host string) error
}

// VolumeTable is where the ledger keeps volumes.
type VolumeTable interface {
	// Volumes are those of app, by name; an empty app means all, by app, and an unknown one has none.
	Volumes(ctx context.Context, app string) ([]core.Volume, error)
	// AddVolume stores v. What core.CheckVolume refuses beside the app's other volumes is a *core.Rejection.
	// core.ErrNotFound: there is no such app.
	AddVolume(ctx context.Context, v core.Volume) error
	// RemoveVolume returns core.ErrNotFound if there is none with this id.
	RemoveVolume(ctx context.Context, id string) error
}

// VolumeFiles is where the disks are. Making and removing one is safe against the end of gitd at any moment: Recover
// ends what was begun, by what the ledger says.
type VolumeFiles interface {
	// Create makes an empty file system for v, has it recorded in the ledger, and returns when both are done or neither
	// is. A *core.Rejection says that there is no room.
	Create(ctx context.Context, v core.Volume, record func() error) error
	// Remove removes v from the ledger and then from the disk.
	Remove(v core.Volume, forget func() error) error
	// Recover is called once at start, with all volumes of the ledger. A file that neither Create nor Remove has marked
	// is never removed; those that the ledger does not know are returned, and volumes without a file.
	Recover(known []core.Volume) (strays []string, missing []core.Volume, err error)
	// Used is what v takes of the host's disk, in bytes.
	Used(v core.Volume) (int64, error)
}

// Names is the part of the front door that knows hosts.
type Names interface {
	// Names are the hosts that app has beside its own name, from now on. One that core.CheckHost refuses or that
	// another app has is not taken.
	Names(app string, hosts []string)
}

// Files are kept for each app, under its name: its repository, its output, or what its deployments printed.
type Files interface {
	// Remove removes what is kept for app; Rename gives it to another name. What is not there is no error.
	Remove(ctx context.Context, app string) error
	Rename(ctx context.Context, from, to string) error
}
