package ledgertest

import (
	"context"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/core/offer"
	"github.com/nodeos-dev/gitd/internal/core/rules"
	"github.com/nodeos-dev/gitd/internal/people"
)

// Store is what the suite examines: all that the ledger does, for all who ask
// it. Each method is one transaction that is on disk when it returns.
// Look-ups of what is not there return core.ErrNotFound.
type Store interface {
	Apps
	Releases
	Machines
	Settings
	Quotas
	Volumes
	Reach
	people.Store
	Tools
	Bases
	Audit
}

// Apps is the table of the apps.
type Apps interface {
	// CreateApp adds an app; an existing one is left as it is.
	CreateApp(ctx context.Context, name string) (core.App, error)
	App(ctx context.Context, name string) (core.App, error)
	// Apps are sorted by name.
	Apps(ctx context.Context) ([]core.App, error)
	// ChangeApp stores what change does to an app's branch, lock, former name,
	// found memory, and whether it is stopped. change runs inside the transaction, so it
	// must not use the ledger; its error changes nothing.
	ChangeApp(ctx context.Context, name string, change func(a *core.App) error) error
	// RenameApp gives an app another name, which must be free, with all that
	// belongs to it but the audit, and notes the old one in FormerName.
	RenameApp(ctx context.Context, from, to string) error
	// DeleteApp forgets an app with all that belongs to it but the audit.
	DeleteApp(ctx context.Context, name string) error
	// DeleteBareApp is DeleteApp for one that has no release but failed ones and nothing that somebody set for it: no
	// lock, config, resources, domains, volumes, roles, deploy keys or invitations. It reports whether it was one.
	DeleteBareApp(ctx context.Context, name string) (deleted bool, err error)
}

// Quotas is the table of what apps and users may take, and whose the apps are.
type Quotas interface {
	AppQuota(ctx context.Context, app string) (core.Quota, error)
	UserQuota(ctx context.Context, user string) (core.Quota, error)
	SetAppQuota(ctx context.Context, app string, q core.Quota) error
	SetUserQuota(ctx context.Context, user string, q core.Quota) error
	// Owned are the apps that user has made, by name.
	Owned(ctx context.Context, user string) ([]string, error)
	// FoundApp makes an app of user, unless it exists, or they have as many as most (core.ErrTooMany).
	FoundApp(ctx context.Context, name, user string, most int64) (made bool, err error)
}

// Releases is the table of the releases.
type Releases interface {
	// AddRelease gives r the app's next version and stores it. Its state is
	// one in which a release may start.
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
	// failed, by app, the newest first, without those of ForgetImages.
	Images(ctx context.Context) ([]core.Release, error)
	// ForgetImages takes releases out of Images, but for those that are
	// pinned or not retired. A pin brings one back.
	ForgetImages(ctx context.Context, gone []core.Release) error
	// PinRelease sets or ends Pinned, which no other method stores.
	PinRelease(ctx context.Context, app string, version int, pinned bool) error
	// Unfinished are the releases that are on their way to another state:
	// those that are Deploying, and Draining.
	Unfinished(ctx context.Context) ([]core.Release, error)
}

// Machines is the table of the machines that run.
type Machines interface {
	SaveMachine(ctx context.Context, m core.Machine) error
	// DeleteMachine forgets a machine; an unknown id is no error.
	DeleteMachine(ctx context.Context, id string) error
	Machines(ctx context.Context) ([]core.Machine, error)
}

// Settings is what people set for an app, beside what its repository says.
type Settings interface {
	// Vars are the config variables of app; none is an empty map.
	Vars(ctx context.Context, app string) (map[string]string, error)
	// SetVars changes the variables of app, all or none. To unset what is
	// not set is no error. What core.CheckVars refuses is refused.
	BuildVars(ctx context.Context, app string) (map[string]string, error)
	SetVars(ctx context.Context, app string, c core.VarChange) error
	// Resources are those set for app; zero fields are not set.
	Resources(ctx context.Context, app string) (core.Resources, error)
	// SetResources replaces what was set.
	SetResources(ctx context.Context, app string, r core.Resources) error
	// Rules are those of the front door of app; none if nobody has set any.
	Rules(ctx context.Context, app string) (rules.Set, error)
	// AllRules are those of all apps that have some.
	AllRules(ctx context.Context) (map[string]rules.Set, error)
	// ChangeRules changes them; an error of change changes nothing.
	ChangeRules(ctx context.Context, app string, change func(s *rules.Set) error) error
	// Network is what was set for the network of app; zero: nothing.
	Network(ctx context.Context, app string) (core.Network, error)
	// ChangeNetwork changes it; an error of change changes nothing.
	ChangeNetwork(ctx context.Context, app string, change func(n *core.Network) error) error
	// Domains are the host names of app, sorted; an empty app means all, and
	// an unknown one has none.
	Domains(ctx context.Context, app string) ([]core.Domain, error)
	// AddDomain gives host to app. A host that another app has is a
	// *core.Rejection; one that app has already is no error.
	AddDomain(ctx context.Context, app, host string) error
	// RemoveDomain returns core.ErrNotFound if app has no such host.
	RemoveDomain(ctx context.Context, app, host string) error
}

// Volumes is the table of the volumes.
type Volumes interface {
	// Volumes are those of app, by name; an empty app means all, by app, and
	// an unknown one has none.
	Volumes(ctx context.Context, app string) ([]core.Volume, error)
	// AddVolume stores v. What core.CheckVolume refuses beside the app's other
	// volumes is a *core.Rejection. core.ErrNotFound: there is no such app.
	AddVolume(ctx context.Context, v core.Volume) error
	// RemoveVolume returns core.ErrNotFound if there is none with this id.
	RemoveVolume(ctx context.Context, id string) error
}

// Reach is the tables of the host's ports and of the links between apps.
type Reach interface {
	// HostPorts are those of app, or of all apps if it is empty, by their numbers.
	HostPorts(ctx context.Context, app string) ([]offer.HostPort, error)
	// TakePorts gives ports to apps, all or none. One that another app has is a *core.Rejection.
	TakePorts(ctx context.Context, ports []offer.HostPort) error
	// GivePort returns core.ErrNotFound if app does not have the port.
	GivePort(ctx context.Context, app string, host int) error
	// Offer is what can be reached of app.
	Offer(ctx context.Context, app string) (offer.Offer, error)
	// Links are those of app to others; an empty app means all.
	Links(ctx context.Context, app string) ([]core.Link, error)
	LinksTo(ctx context.Context, target string) ([]core.Link, error)
	Link(ctx context.Context, id int64) (core.Link, error)
	// AddLink stores l under a number that no link had before, or finds the one that there is.
	AddLink(ctx context.Context, l core.Link) (core.Link, error)
	// RemoveLink returns core.ErrNotFound if there is none.
	RemoveLink(ctx context.Context, app, target string) error
}

// Tools is the table of the digests of Node and of the package managers.
type Tools interface {
	// Tools are sorted by name, those of one name by when they were taken.
	Tools(ctx context.Context) ([]core.Tool, error)
	// AddTool stores t with its entry, unless one of its name and version is stored, and returns the one that is.
	AddTool(ctx context.Context, t core.Tool, e core.Entry) (core.Tool, error)
	// AcceptTool stores t in place of what has its name and version.
	AcceptTool(ctx context.Context, t core.Tool, e core.Entry) error
}

// Audit is the table of who did what.
type Audit interface {
	// Record appends to the audit: who did what to which app (which may be
	// empty). It never holds a secret.
	Record(ctx context.Context, e core.Entry) error
	// Entries are the newest first, in the order of their recording; an empty
	// app means all, and so does a limit of 0.
	Entries(ctx context.Context, app string, limit int) ([]core.Entry, error)
	// EntriesOf are those of r, with their ids.
	EntriesOf(ctx context.Context, r core.EntryRange) ([]core.Entry, error)
	// NextChange is closed after the next change.
	NextChange() <-chan struct{}
}

// Bases is the tables of the updates of bases.
type Bases interface {
	// AddBaseUpdate gives u an id and stores it with its moves.
	AddBaseUpdate(ctx context.Context, u core.BaseUpdate) (core.BaseUpdate, error)
	// SaveBaseMove stores what became of an app, with its entry; of an app that is gone, only the entry.
	SaveBaseMove(ctx context.Context, id int, m core.BaseMove, e core.Entry) error
	EndBaseUpdate(ctx context.Context, id int, at time.Time, e core.Entry) error
	// BaseUpdates are the newest first, each with its moves by app.
	BaseUpdates(ctx context.Context) ([]core.BaseUpdate, error)
	BaseUpdate(ctx context.Context, id int) (core.BaseUpdate, error)
	BaseSchedule(ctx context.Context) (core.BaseSchedule, error)
	SetBaseSchedule(ctx context.Context, s core.BaseSchedule, e core.Entry) error
}
