package command

import (
	"context"
	"io"
	"iter"
	"time"

	"github.com/nodeos-dev/gitd/internal/apps"
	"github.com/nodeos-dev/gitd/internal/contents"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/core/offer"
	"github.com/nodeos-dev/gitd/internal/core/rules"
	"github.com/nodeos-dev/gitd/internal/deploy"
	"github.com/nodeos-dev/gitd/internal/fleet"
	"github.com/nodeos-dev/gitd/internal/oneoff"
	"github.com/nodeos-dev/gitd/internal/people"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/usage"
)

// Services is what the commands act on.
type Services struct {
	Ledger   Ledger
	Settings Settings
	People   *people.Service
	Core     Core
	Tasks    Tasks
	Quotas   Quotas
	Networks Networks
	Policies Policies
	Sleepers Sleepers
	Front    Rules
	Refused  func() map[string]map[string]int64 // requests that the rules of each app have refused, by why
	Ports    Ports
	Links    Links
	PortUse  func() []offer.Use // of the ports of the host that lead to apps now
	Disks    Disks
	Bases    Bases
	Copies   Snapshots // of volumes
	Sessions Sessions  // of the SSH door
	Drains   Drains
	Backups  Backups
	Webhooks Webhooks
	Logs     Logs
	Access   Logs // the requests of each app, an object a line
	Builds   Builds
	Tools    Tools
	Contents contents.Reader // what is in images
	Counts   func(app string) core.Counts

	Certificates Certificates               // nil: there is no HTTPS
	HasImage     func(m core.Manifest) bool // whether an image is there to be booted
	Host         func(app string) string    // the name an app is served under
	URL          func(app string) string
	Defaults     core.Resources               // of a machine for which nothing is set
	Egress       core.Egress                  // of every app
	Kept         func(app string) []core.Kept // machines that a rollback may take; "": of all apps
	Spares       func() int                   // machines that are ready for any app
	Status       func() (HostStatus, error)
	HostKeys     []string // the fingerprints of the SSH door's keys, as ssh shows them
	PublicKeys   []string // those keys, as known_hosts has them
	Version      string
	// Claim opens the claim anew, and returns the line that the first person types.
	Claim func(ctx context.Context) (string, error)
	Halt  func() // begins to stop the machines and the daemon
	// Upgrade has the gitd that is on disk take this one's place. It returns when that one serves, or why it does not;
	// a session of the SSH door, which ends then, is told when it begins.
	Upgrade func(ctx context.Context, by core.Actor, w io.Writer) error
}

// Ledger is what the commands read of the ledger. Look-ups of what is not
// there return core.ErrNotFound.
type Ledger interface {
	App(ctx context.Context, name string) (core.App, error)
	// Apps are sorted by name.
	Apps(ctx context.Context) ([]core.App, error)
	Release(ctx context.Context, app string, version int) (core.Release, error)
	// Releases are the newest first; limit 0 means all.
	Releases(ctx context.Context, app string, limit int) ([]core.Release, error)
	// Lives are the live releases of all apps, by app.
	Lives(ctx context.Context) ([]core.Release, error)
	// Entries of the audit are the newest first; an empty app means all, and
	// so does a limit of 0.
	Entries(ctx context.Context, app string, limit int) ([]core.Entry, error)
	// EntriesOf are those of r.
	EntriesOf(ctx context.Context, r core.EntryRange) ([]core.Entry, error)
	// NextChange is closed after the next change of the ledger.
	NextChange() <-chan struct{}
}

// Tools is what was taken of Node and of the package managers.
type Tools interface {
	Tools(ctx context.Context) ([]core.Tool, error)
	// AcceptTool keeps t in place of what has its name and version.
	AcceptTool(ctx context.Context, t core.Tool, e core.Entry) error
}

// Settings is what the commands read of what people set for an app.
type Settings interface {
	Vars(ctx context.Context, app string) (map[string]string, error)
	// BuildVars are those of them that builds see.
	BuildVars(ctx context.Context, app string) (map[string]string, error)
	// Resources are those set by hand; zero fields are not set.
	Resources(ctx context.Context, app string) (core.Resources, error)
	// Network is what was set for the network of app.
	Network(ctx context.Context, app string) (core.Network, error)
	Domains(ctx context.Context, app string) ([]core.Domain, error)
	// Rules are those of the front door of app.
	Rules(ctx context.Context, app string) (rules.Set, error)
}

// Policies says what may be deployed to apps.
type Policies interface {
	SetOnlyTags(ctx context.Context, by core.Actor, app string, only bool) error
}

// Sleepers put apps to sleep, and wake them.
type Sleepers interface {
	Sleep(ctx context.Context, by core.Actor, app string, w io.Writer) error
	Wake(ctx context.Context, by core.Actor, app string, w io.Writer) error
	// SetAfter says after which time without a request app falls asleep; 0: never; nil: as the server says it.
	SetAfter(ctx context.Context, by core.Actor, app string, after *time.Duration) error
	// After is that time, and whether somebody has set it for app.
	After(ctx context.Context, app string) (after time.Duration, set bool, err error)
}

// Networks changes what apps may reach beside the public internet.
type Networks interface {
	AllowEgress(ctx context.Context, by core.Actor, app string, rules []core.EgressRule) error
	DenyEgress(ctx context.Context, by core.Actor, app string, rules []core.EgressRule) error
	SetEgressRate(ctx context.Context, by core.Actor, app string, rate int64) error
}

// Certificates is those with which the front door serves hosts.
type Certificates interface {
	// State is how far that of a host is.
	State(host string) core.Certificate
	// Set takes one for a host of app: PEM, with its chain and its private key.
	Set(ctx context.Context, by core.Actor, app, host string, text []byte) (core.Certificate, error)
	// Remove forgets what was set.
	Remove(ctx context.Context, by core.Actor, app, host string) error
}

// Ports are the ports of the host that lead to apps.
type Ports interface {
	// HostPorts are those of app, or of all apps if it is empty.
	HostPorts(ctx context.Context, app string) ([]offer.HostPort, error)
	Offer(ctx context.Context, app string) (offer.Offer, error)
	AllowPort(ctx context.Context, by core.Actor, p offer.HostPort) error
	DenyPort(ctx context.Context, by core.Actor, app string, host int) error
}

// Links say which apps reach which others.
type Links interface {
	// LinksOf are those of app and those to it, or those of all apps if it is empty.
	LinksOf(ctx context.Context, app string) ([]core.Link, error)
	AddLink(ctx context.Context, by core.Actor, app, target, variable string) (core.Link, error)
	RemoveLink(ctx context.Context, by core.Actor, app, target string) error
}

// Core is what the commands ask of the core. Operations with a writer print
// their progress there, and return when they are done or have failed.
type Core interface {
	Volumes
	Folders

	CreateApp(ctx context.Context, by core.Actor, app string) error
	RenameApp(ctx context.Context, by core.Actor, from, to string) error
	DestroyApp(ctx context.Context, by core.Actor, app string, w io.Writer) error
	LockApp(ctx context.Context, by core.Actor, app, reason string) error
	UnlockApp(ctx context.Context, by core.Actor, app string) error

	Rollback(ctx context.Context, by core.Actor, app string, version int, w io.Writer) error
	Rebuild(ctx context.Context, by core.Actor, app string, w io.Writer) error
	Verify(ctx context.Context, by core.Actor, app string, version int, w io.Writer) error
	Redeploy(ctx context.Context, by core.Actor, app string, t core.Trigger, w io.Writer) error
	StopApp(ctx context.Context, by core.Actor, app string, w io.Writer) error
	StartApp(ctx context.Context, by core.Actor, app string, w io.Writer) error
	ScaleOf(ctx context.Context, app string) (apps.Scaled, error)
	ScaleApp(ctx context.Context, by core.Actor, app string, changes []string, w io.Writer) error
	PinRelease(ctx context.Context, by core.Actor, app string, version int, pinned bool) error
	Usage(ctx context.Context) (usage.Usage, error)
	Cancel(ctx context.Context, by core.Actor, app string) error

	// ReadConfig returns the variables of app, or the one with a name, and notes in the audit who has read them.
	ReadConfig(ctx context.Context, by core.Actor, app, name string) (map[string]string, error)
	SetConfig(ctx context.Context, by core.Actor, app string, c apps.ConfigChange, w io.Writer) error
	SetResources(ctx context.Context, by core.Actor, app string, r core.Resources, w io.Writer) error
	AddDomain(ctx context.Context, by core.Actor, app, host string) error
	RemoveDomain(ctx context.Context, by core.Actor, app, host string) error

	Status(ctx context.Context, app string) (fleet.AppStatus, error)
	Statuses(ctx context.Context) ([]fleet.AppStatus, error)
	QueueOf(app string) []deploy.QueueEntry
	Overview() deploy.Overview
}

// Tasks runs commands beside apps, in machines of their own.
type Tasks interface {
	// Run returns when the command has ended; without streams, when it has begun.
	Run(ctx context.Context, by core.Actor, w oneoff.Wish) (oneoff.Ended, error)
	// Of are those of an app that run now.
	Of(app string) []oneoff.Info
	// End ends that of an app with this id, or all of them, and returns how many it found.
	End(app, id, why string) (found int)
	// Jobs are those of the app's live release.
	Jobs(ctx context.Context, app string) ([]oneoff.JobInfo, error)
	// RunJob runs a job now, and returns when it has ended.
	RunJob(ctx context.Context, by core.Actor, app string, number int, s *oneoff.Streams) (oneoff.Ended, error)
}

// Sessions are those of the SSH door that run.
type Sessions interface {
	// List is in the order in which they began.
	List() []Session
	// End ends one, and reports whether there was one with this id.
	End(id int) bool
}

// Session is one command, or one fetch or push of git, that runs.
type Session struct {
	ID      int
	Who     string
	Account string // whose budget it counts against: core.Actor.Account
	From    string // address
	Command string // without what could be a secret
	Since   time.Time
	Stays   bool // it goes on until somebody ends it
}

// Disks makes disks of releases.
type Disks interface {
	// Export sends one to w, in the form format, with the config vars on it.
	Export(ctx context.Context, by core.Actor, rel core.Release, vars map[string]string, format string, w io.Writer, r *progress.Report) error
}

// Folders says which folder of its repository an app is.
type Folders interface {
	SetFolder(ctx context.Context, by core.Actor, app, dir string) error
}

// Volumes acts on the disks of apps that outlive their machines.
type Volumes interface {
	VolumesOf(ctx context.Context, app string) ([]apps.VolumeUse, error)
	CreateVolume(ctx context.Context, by core.Actor, app, name string, size int64, mount string, w io.Writer) error
	RemoveVolume(ctx context.Context, by core.Actor, app, name string, w io.Writer) error
}

// Logs reads what apps said.
type Logs interface {
	// Tail yields the last n lines of app for which of is true, the oldest first; nil is true of all. After an error
	// there are no more.
	Tail(app string, n int, of func(core.Line) bool) iter.Seq2[core.Line, error]
	// Follow sends the last n lines and then live ones until ctx ends.
	Follow(ctx context.Context, app string, n int) (<-chan core.Line, error)
}

// Builds reads what deployments printed.
type Builds interface {
	// Text returns core.ErrNotFound when nothing was kept of a release.
	Text(app string, release int) (string, error)
}

// HostStatus is how the host is. Sizes are in bytes.
type HostStatus struct {
	Accel           string // how machines run: "kvm" or "qemu"
	Away            string // why it is not known which machines run; empty: it is
	Network         string // what is wrong with the network of machines; empty: nothing is known to be
	Kernel          string // the host's
	Started         time.Time
	CPUs            int
	MemoryTotal     uint64
	MemoryAvailable uint64
	DiskTotal       uint64 // of the file system with gitd's state
	DiskFree        uint64
}
