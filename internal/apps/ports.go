package apps

import (
	"context"

	"github.com/nodeos-dev/gitd/internal/core"
)

// Ledger is what a change of an app reads and writes of the durable truth. Each method is one transaction, which is on
// disk when the method returns. Look-ups of what is not there return core.ErrNotFound.
type Ledger interface {
	Release(ctx context.Context, app string, version int) (core.Release, error)
	// FoundApp makes an app of user, who may have so many (core.Unlimited: any number; core.ErrTooMany), and reports
	// whether it did. An existing one is left as it is.
	FoundApp(ctx context.Context, name, user string, most int64) (made bool, err error)
	App(ctx context.Context, name string) (core.App, error)
	// Apps are sorted by name.
	Apps(ctx context.Context) ([]core.App, error)
	// ChangeApp stores what change does to an app's branch, lock, folder, former name and scale, and whether it is
	// stopped. change runs inside the transaction, so it must not use the ledger. If it returns an error, nothing is
	// changed.
	ChangeApp(ctx context.Context, name string, change func(a *core.App) error) error
	// RenameApp gives an app another name, with everything that belongs to it except the audit, and notes the old name
	// as FormerName. The new name must be free (core.ErrTaken).
	RenameApp(ctx context.Context, from, to string) error
	// DeleteApp removes an app with everything that belongs to it except the audit.
	DeleteApp(ctx context.Context, name string) error
	// DeleteBareApp is DeleteApp for one that has no release but failed ones and nothing that somebody set for it: no
	// lock, folder, config, resources, domains, volumes, roles, deploy keys or invitations. It reports whether it was
	// one.
	DeleteBareApp(ctx context.Context, name string) (deleted bool, err error)

	Settings
	VolumeTable
	Machines(ctx context.Context) ([]core.Machine, error)
}

// Settings is what people set for an app, in addition to what its repository says.
type Settings interface {
	// Vars are the variables of app, including secrets; an empty map if there are none. They belong to the app and not
	// to a release: a rollback does not restore an old password.
	Vars(ctx context.Context, app string) (map[string]string, error)
	// BuildVars are those of them that builds see.
	BuildVars(ctx context.Context, app string) (map[string]string, error)
	// SetVars changes the variables of app, all or none. Unsetting what is not set is no error. What core.CheckVars
	// refuses is refused here too.
	SetVars(ctx context.Context, app string, c core.VarChange) error

	// Resources are those that somebody has set for app, which override those in its package.json; zero fields are not
	// set.
	Resources(ctx context.Context, app string) (core.Resources, error)
	// SetResources replaces what was set.
	SetResources(ctx context.Context, app string, r core.Resources) error

	// ChangeNetwork stores what change does to what was set for the network of app. change runs inside the transaction,
	// so it must not use the ledger. If it returns an error, nothing is changed.
	ChangeNetwork(ctx context.Context, app string, change func(n *core.Network) error) error

	// Domains are the host names of app besides its own, sorted. An empty app means all apps. An unknown app has none.
	Domains(ctx context.Context, app string) ([]core.Domain, error)
	// AddDomain gives host to app. A host that another app has is refused with a *core.Rejection; a host that app has
	// already is no error.
	AddDomain(ctx context.Context, app, host string) error
	// RemoveDomain takes host from app. It returns core.ErrNotFound if app has no such host.
	RemoveDomain(ctx context.Context, app, host string) error
}

// VolumeTable is where the ledger keeps volumes.
type VolumeTable interface {
	// Volumes are those of app, by name. An empty app means all apps, by app. An unknown app has none.
	Volumes(ctx context.Context, app string) ([]core.Volume, error)
	// AddVolume stores v. It returns a *core.Rejection for what core.CheckVolume refuses beside the app's other
	// volumes, and core.ErrNotFound if there is no such app.
	AddVolume(ctx context.Context, v core.Volume) error
	// RemoveVolume removes the volume with this id. It returns core.ErrNotFound if there is none.
	RemoveVolume(ctx context.Context, id string) error
}

// VolumeFiles is where the disks of volumes are. gitd may end at any moment while a disk is made or removed: Recover
// finishes what was begun, by what the ledger says.
type VolumeFiles interface {
	// Create makes an empty file system for v and calls record, which stores v in the ledger. It returns when both are
	// done, or neither. A *core.Rejection says that there is no room.
	Create(ctx context.Context, v core.Volume, record func() error) error
	// Remove calls forget, which removes v from the ledger, and then removes v from the disk.
	Remove(v core.Volume, forget func() error) error
	// Recover is called once at the start, with all volumes of the ledger. It never removes a file that neither Create
	// nor Remove has marked. It returns the files that the ledger does not know, and the volumes that have no file.
	Recover(known []core.Volume) (strays []string, missing []core.Volume, err error)
	// Used returns how many bytes v takes of the host's disk.
	Used(v core.Volume) (int64, error)
	// Snapshots are those of v, the oldest first.
	Snapshots(v core.Volume) ([]core.Snapshot, error)
}

// Names is the part of the front door that knows host names.
type Names interface {
	// Names sets the hosts that app has from now on, besides its own name. A host that core.CheckHost refuses, or that
	// another app has, is left out.
	Names(app string, hosts []string)
}

// Rules are what people have set for the front door of an app.
type Rules interface {
	// Serve has the front door hold to the rules that the ledger has of app.
	Serve(ctx context.Context, app string) error
}

// Files are files that are kept for each app, under its name: its repository, its output, or what its deployments
// printed.
type Files interface {
	// Remove removes what is kept for app; Rename gives it another name. It is no error if there is nothing.
	Remove(ctx context.Context, app string) error
	Rename(ctx context.Context, from, to string) error
}
