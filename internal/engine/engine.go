// Package engine puts the rooms of the core together: the pipeline, the fleet, the apps and their volumes, and the
// collection of images.
//
// It owns the order in which they begin and end. It does not own what any of them does.
package engine

import (
	"context"
	"log/slog"
	"time"

	"github.com/nodeos-dev/gitd/internal/apps"
	"github.com/nodeos-dev/gitd/internal/audit"
	"github.com/nodeos-dev/gitd/internal/background"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/core/offer"
	"github.com/nodeos-dev/gitd/internal/deploy"
	"github.com/nodeos-dev/gitd/internal/fleet"
	"github.com/nodeos-dev/gitd/internal/fleet/sleepers"
	"github.com/nodeos-dev/gitd/internal/front"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/oneoff"
	"github.com/nodeos-dev/gitd/internal/quota"
	"github.com/nodeos-dev/gitd/internal/reach"
	"github.com/nodeos-dev/gitd/internal/rollout"
	"github.com/nodeos-dev/gitd/internal/sleep"
	"github.com/nodeos-dev/gitd/internal/snapshot"
	"github.com/nodeos-dev/gitd/internal/usage"
)

// Ledger is the durable truth, as the rooms need it together.
type Ledger interface {
	deploy.Ledger
	fleet.Ledger
	apps.Ledger
	quota.Ledger
	image.Ledger
	oneoff.Ledger
	reach.Ledger
	rollout.Ledger
	audit.Entries
	front.Ledger
}

// Images is where the files of images are.
type Images interface {
	deploy.Images
	image.Files
}

// Repos are the apps' repositories.
type Repos interface {
	deploy.Repos
	image.Repos
	apps.Files
}

// Output is what the apps say.
type Output interface {
	fleet.Output
	apps.Files
}

// BuildLogs is what deployments print.
type BuildLogs interface {
	deploy.BuildLogs
	apps.Files
}

// Router is the front door.
type Router interface {
	fleet.Router
	apps.Names
	front.Router
}

// Labels write what the ledger knows of an app into the app's folders.
type Labels interface {
	Write(ctx context.Context, app string)
	// WriteAll is called once, at the start.
	WriteAll(ctx context.Context)
}

// VolumeFiles is where the disks of volumes and their snapshots are.
type VolumeFiles interface {
	apps.VolumeFiles
	snapshot.Files
}

// Config is what an Engine works with. Every field is required unless it says something else.
type Config struct {
	State     core.StateDir
	Ledger    Ledger
	Builder   deploy.Builder
	Bases     rollout.Bases
	Images    Images
	Contents  deploy.Contents
	Driver    fleet.Driver
	Warm      fleet.Warm // nil: no machine is kept
	Sleep     Sleep
	Router    Router
	Repos     Repos
	Output    Output
	BuildLogs BuildLogs
	Access    apps.Files                            // the requests of each app
	Hash      func(password string) (string, error) // of those that let people into apps
	Volumes   VolumeFiles
	Capturer  snapshot.Capturer
	Ports     reach.Router // the way to apps by TCP
	Labels    Labels
	Log       *slog.Logger
	Observe   func(core.Transition) // called at each moment of a deployment or a machine; nil: nothing is called
	Traced    func(id string) bool  // see deploy.Config; nil: nothing is traced

	// Authorize says why by may not do any more what they asked for on app; nil: everybody may.
	Authorize func(ctx context.Context, by core.Actor, app string) error

	Domain    string                  // each app has its own name below this domain
	URL       func(app string) string // where people find an app
	Defaults  core.Resources          // for releases that ask for none
	Egress    core.Egress             // what every app may reach beside the public internet
	Capacity  core.Resources          // of the host that machines run on; zero fields are not known
	Limits    fleet.Limits
	Quotas    quota.Limits
	OneOff    OneOff
	HostPorts HostPorts
	Stopping  error // why the contexts of callers end when gitd does; nil: they do not
	Keep      int   // how many images that were live are kept of each app; the live one and the one before always are
	Builds    int   // how many run side by side, of all apps; 0: as many as there are cores
}

// Sleep is what apps sleep with.
type Sleep struct {
	Beds    *sleep.Beds // which Driver is, or asks; nil: no app sleeps
	After   time.Duration
	Traffic func(app string) (now, ever int64)
	Rest    time.Duration                                  // see sleep.RoomConfig
	Free    func() (mib int, known bool)                   // see quota.Room; nil: nobody can say
	Clear   func(ctx context.Context, size core.Resources) // the same; nil: nothing is up for nobody
}

// HostPorts are ports of the host.
type HostPorts struct {
	Ranges []offer.Range // of which every app may take those that are free
	Own    []int         // of gitd itself
}

// OneOff is what one-off machines work with beside the rest.
type OneOff struct {
	Run     time.Duration // for a command for which nobody has set another limit
	Release time.Duration // for a release command
	// Follow finds out what the words of a person run in the image of rel.
	Follow func(ctx context.Context, rel core.Release, words []string) ([]core.StartStep, error)
	// Next is the first time after after at which a schedule of a job is due; zero: there is none.
	Next func(schedule, zone string, after time.Time) (time.Time, error)
}

// sleepers are nil if no app sleeps.
func (s Sleep) sleepers() sleepers.Sleepers {
	if s.Beds == nil {
		return nil
	}
	return s.Beds
}

// Engine is the core of a running gitd. Everything that is done to apps is done through its rooms.
type Engine struct {
	*deploy.Deployer
	*apps.Apps
	*apps.Volumes
	*apps.Secrets
	*apps.Scaling
	*apps.Networks
	*apps.Policies
	*fleet.Fleet
	*image.Collector
	usage.Meter

	OneOffs *oneoff.Machines
	Quotas  *quota.Gate
	Bases   *rollout.Rollout
	Copies  *snapshot.Snapshots
	Front   *front.Rules
	Ports   *reach.Ports
	Links   *reach.Links
	Sleep   *sleep.Sleepers // nil: no app sleeps

	labels Labels
	work   *background.Work
}

// New puts an Engine together. Call Start before anything else.
func New(cfg Config) *Engine {
	e := &Engine{work: background.New(), labels: cfg.Labels, Meter: usage.Meter{State: cfg.State, Ledger: cfg.Ledger}}
	trail, shelf := audit.New(cfg.Ledger, cfg.Log), &image.Shelf{}
	e.Quotas = quota.New(quota.Config{Limits: cfg.Quotas, Ledger: cfg.Ledger, Disk: e.Meter, Trail: trail, Room: room{e, cfg.Sleep}})
	driver := e.Quotas.Drive(watched(cfg.Driver, cfg.Observe))
	e.Collector = image.NewCollector(image.CollectorConfig{
		State: cfg.State, Ledger: cfg.Ledger, Files: cfg.Images, Repos: cfg.Repos, Shelf: shelf, Trail: trail,
		Work: e.work, Log: cfg.Log, Label: cfg.Labels.Write, Keep: cfg.Keep,
		Also: func(ctx context.Context) ([]string, error) { return e.Bases.Kept(ctx) },
	})
	e.Fleet = fleet.New(fleet.Config{
		State: cfg.State, Ledger: cfg.Ledger, Driver: driver, Places: e.Quotas, Warm: cfg.Warm, Router: cfg.Router, Sleepers: cfg.Sleep.sleepers(), Output: cfg.Output, Trail: trail,
		Work: e.work, Log: cfg.Log, Observe: cfg.Observe, Label: cfg.Labels.Write,
		Host: func(app string) string { return app + "." + cfg.Domain }, Defaults: cfg.Defaults, Egress: cfg.Egress, Capacity: cfg.Capacity,
		Limits: cfg.Limits,
	})
	e.OneOffs = oneoff.New(oneoff.Config{
		State: cfg.State, Ledger: cfg.Ledger, Fleet: e.Fleet, Driver: driver, Places: e.Quotas, Output: cfg.Output, Shelf: shelf, Trail: trail,
		Work: e.work, Log: cfg.Log, Follow: cfg.OneOff.Follow, Next: cfg.OneOff.Next, Boot: cfg.Limits.Boot, Grace: cfg.Limits.Grace, Limit: cfg.OneOff.Run,
	})
	reached := reach.Config{
		Ledger: cfg.Ledger, Router: cfg.Ports, Fleet: e.Fleet, Trail: trail, Log: cfg.Log, Ranges: cfg.HostPorts.Ranges, Own: cfg.HostPorts.Own,
	}
	e.Ports, e.Links = reach.NewPorts(reached), reach.NewLinks(reached)
	e.Deployer = deploy.New(deploy.Config{
		State: cfg.State, Ledger: cfg.Ledger, Builder: cfg.Builder, Images: cfg.Images, Contents: cfg.Contents, Fleet: e.Fleet, Repos: cfg.Repos,
		BuildLogs: cfg.BuildLogs, Shelf: shelf, Collector: e.Collector, Trail: trail, Work: e.work, Log: cfg.Log,
		Observe: cfg.Observe, Traced: cfg.Traced, Label: cfg.Labels.Write, URL: cfg.URL, Builds: cfg.Builds, Authorize: cfg.Authorize, Tasks: e.OneOffs, Quotas: e.Quotas, Ports: e.Ports,
		ReleaseLimit: cfg.OneOff.Release,
	})
	if cfg.Sleep.Beds != nil {
		e.Sleep = sleep.NewSleepers(sleep.RoomConfig{
			Beds: cfg.Sleep.Beds, Apps: cfg.Ledger, Fleet: e.Fleet, Deployer: e.Deployer, OneOffs: e.OneOffs, Trail: trail, Work: e.work,
			Traffic: cfg.Sleep.Traffic, After: cfg.Sleep.After, Rest: cfg.Sleep.Rest,
		})
	}
	e.Bases = rollout.New(rollout.Config{
		Ledger: cfg.Ledger, Bases: cfg.Bases, Deployer: e.Deployer, Trail: trail, Work: e.work, Log: cfg.Log, Next: cfg.OneOff.Next,
		Stopping: cfg.Stopping,
	})
	e.Front = front.New(front.Config{Ledger: cfg.Ledger, Router: cfg.Router, Trail: trail, Label: cfg.Labels.Write, Hash: cfg.Hash})
	changes := apps.Config{
		State: cfg.State, Ledger: cfg.Ledger, Deployer: e.Deployer, Fleet: e.Fleet, OneOffs: e.OneOffs, Quotas: e.Quotas, Names: cfg.Router, Linked: e.Links.To, Rules: e.Front, Repos: cfg.Repos,
		Output: cfg.Output, BuildLogs: cfg.BuildLogs, Access: cfg.Access, Trail: trail, Log: cfg.Log, Label: cfg.Labels.Write,
		URL: cfg.URL, Domain: cfg.Domain, Capacity: cfg.Capacity,
	}
	e.Apps, e.Volumes, e.Scaling = apps.New(changes), apps.NewVolumes(changes, cfg.Volumes), apps.NewScaling(changes)
	e.Copies = snapshot.New(snapshot.Config{
		State: cfg.State, Volumes: e.Volumes, Files: cfg.Volumes, Capturer: cfg.Capturer, Fleet: e.Fleet, Quotas: e.Quotas, Trail: trail,
	})
	e.Secrets, e.Networks, e.Policies = apps.NewSecrets(changes), apps.NewNetworks(changes), apps.NewPolicies(changes)
	return e
}

// Start makes everything agree with the ledger: what the last gitd began is finished or marked as failed, branches
// point at what is live, machines are adopted, started or stopped. Call it once, before the first push.
func (e *Engine) Start(ctx context.Context) error {
	if e.Sleep != nil {
		if err := e.Sleep.Load(ctx); err != nil {
			return err
		}
	}
	for _, step := range []func(context.Context) error{
		e.Front.Start, e.Volumes.Recover, e.FailInterrupted, e.Apps.Reconcile, e.RepairAllRefs, e.Fleet.Reconcile,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	e.work.Go(e.labels.WriteAll)
	e.work.Go(e.OneOffs.KeepTime)
	e.work.Go(e.Bases.Resume)
	e.work.Go(e.Bases.KeepTime)
	if e.Sleep != nil {
		e.work.Go(e.Sleep.KeepTime)
	}
	e.Soon("")
	return nil
}

// Close ends running deployments, which fail, and waits for them. Machines keep running: the next process adopts them.
func (e *Engine) Close() { e.work.Close() }

// Halt does what Close does, and stops every machine. Live releases stay live in the ledger, so the next process starts
// them again.
func (e *Engine) Halt(ctx context.Context) {
	e.Close()
	e.HaltAll(ctx)
}
