// Package usage adds up what takes room on the host's disk, by app and by what all apps share.
package usage

import (
	"context"
	"errors"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/image"
)

// Ledger is what the Meter reads of the durable truth.
type Ledger interface {
	// Apps are sorted by name.
	Apps(ctx context.Context) ([]core.App, error)
	// Images are the releases of all apps that have an image and have not failed.
	Images(ctx context.Context) ([]core.Release, error)
	// Volumes are those of app; an empty app means those of all apps, by app.
	Volumes(ctx context.Context, app string) ([]core.Volume, error)
}

// Usage is what takes room on the disk, in bytes as the file system counts them.
type Usage struct {
	Apps     []App
	Shared   int64 // layers that several apps use
	Bases    int64
	Cache    int64 // Node, npm and what else the builds of all apps share
	Builds   int64 // folders of builds that run, or that were left behind
	Machines int64 // consoles and sockets
	Ledger   int64
	Stray    int64 // layers that no release needs; the next collection removes them
	Size     int64 // of the file system
	Free     int64 // free for gitd
	Unread   error // what could not be read, and counts nothing above; nil: nothing
}

// App is what one app takes.
type App struct {
	App        string
	Images     int   // how many are kept
	Layers     int64 // those that no other app uses
	Shared     int64 // layers that other apps use too; they count for each app
	Repository int64
	Cache      int64 // npm's, and installed dependencies
	Volumes    int64
	Logs       int64
}

// Total returns how many bytes would become free without the app.
func (u App) Total() int64 { return u.Layers + u.Repository + u.Cache + u.Volumes + u.Logs }

// Meter reads the state folder. Its methods are safe for concurrent use.
type Meter struct {
	State  core.StateDir
	Ledger Ledger
}

// Usage adds up what is on the disk. It reads folders, so it takes time if there are many files; ctx ends it.
func (m Meter) Usage(ctx context.Context) (Usage, error) {
	apps, err := m.Ledger.Apps(ctx)
	if err != nil {
		return Usage{}, err
	}
	images, err := m.Ledger.Images(ctx)
	if err != nil {
		return Usage{}, err
	}
	volumes, err := m.Ledger.Volumes(ctx, "")
	if err != nil {
		return Usage{}, err
	}
	s := &sum{state: m.State, users: layerUsers(images)}
	kept, data := m.keptImages(images), s.volumes(volumes)
	u := s.shared()
	for _, a := range apps {
		if err := ctx.Err(); err != nil {
			return Usage{}, err
		}
		one := s.app(a.Name)
		one.Cache = s.use(m.State.AppCache(a.Name))
		one.Images, one.Volumes = kept[a.Name], data[a.Name]
		u.Apps = append(u.Apps, one)
	}
	room, err := disk.SpaceOf(string(m.State))
	u.Size, u.Free, u.Unread = room.Size, room.Free, errors.Join(s.unread...)
	return u, err
}

// Promised returns how many bytes app has on the disk, or may fill: its images, also the parts that other apps use, its
// repository, its logs and its snapshots as they are, and its volumes by their size. What builds keep for the next one
// does not count: gitd bounds it, and nobody asked for it.
func (m Meter) Promised(ctx context.Context, app string) (int64, error) {
	images, err := m.Ledger.Images(ctx)
	if err != nil {
		return 0, err
	}
	volumes, err := m.Ledger.Volumes(ctx, app)
	if err != nil {
		return 0, err
	}
	s := &sum{state: m.State, users: layerUsers(images)}
	u := s.app(app)
	all := u.Layers + u.Shared + u.Repository + u.Logs
	for _, v := range volumes {
		all += v.Size + s.snapshots(v)
	}
	return all, errors.Join(s.unread...)
}

// keptImages counts the images of each app that can be booted. Several releases of one image count once.
func (m Meter) keptImages(images []core.Release) map[string]int {
	kept := map[string]int{}
	for _, r := range images {
		if r.ImageOf == 0 && image.Bootable(m.State, r) {
			kept[r.App]++
		}
	}
	return kept
}

// layerUsers returns the apps that use each layer, by its digest.
func layerUsers(images []core.Release) map[string]map[string]bool {
	users := map[string]map[string]bool{}
	for _, r := range images {
		for _, l := range r.Manifest.Layers() {
			if users[l.Digest] == nil {
				users[l.Digest] = map[string]bool{}
			}
			users[l.Digest][r.App] = true
		}
	}
	return users
}
