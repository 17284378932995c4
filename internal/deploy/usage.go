package deploy

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"gitd/internal/core"
	"gitd/internal/disk"
)

// Usage is what takes room on the disk, in bytes as the file system counts
// them.
type Usage struct {
	Apps     []AppUsage
	Shared   int64 // layers that several apps use
	Bases    int64
	Cache    int64 // Node, npm and what else builds of all apps share
	Builds   int64 // what runs, or was left behind
	Machines int64 // consoles and sockets
	Ledger   int64
	Stray    int64 // layers that no release needs: the next collection removes them
	Size     int64 // of the file system
	Free     int64 // for gitd
}

// AppUsage is what one app takes.
type AppUsage struct {
	App        string
	Images     int   // that are kept
	Layers     int64 // that no other app uses
	Shared     int64 // that others use too; counted for each of them
	Repository int64
	Cache      int64 // npm's, and installed dependencies
	Volumes    int64
	Logs       int64
}

// Total is what would become free with the app.
func (u AppUsage) Total() int64 { return u.Layers + u.Repository + u.Cache + u.Volumes + u.Logs }

// Usage adds up what is on the disk. It reads folders, so it takes time where
// there are many files; ctx ends it.
func (d *Deployer) Usage(ctx context.Context) (Usage, error) {
	s := d.cfg.State
	apps, err := d.cfg.Ledger.Apps(ctx)
	if err != nil {
		return Usage{}, err
	}
	images, err := d.cfg.Ledger.Images(ctx)
	if err != nil {
		return Usage{}, err
	}
	u := Usage{
		Bases: disk.Use(s.Bases()), Builds: disk.Use(s.Builds()), Machines: disk.Use(s.Machines()),
		Cache: disk.Use(s.Cache()) - disk.Use(s.AppCaches()),
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		u.Ledger += disk.Use(s.Ledger() + suffix)
	}
	users := layerUsers(images)
	u.layers(s, users)
	for _, a := range apps {
		if err := ctx.Err(); err != nil {
			return Usage{}, err
		}
		one := d.appUsage(a.Name, users)
		for _, r := range images {
			if r.App == a.Name && d.hasImage(r) && r.ImageOf == 0 {
				one.Images++
			}
		}
		u.Apps = append(u.Apps, one)
	}
	if err := u.volumes(ctx, d); err != nil {
		return Usage{}, err
	}
	var f syscall.Statfs_t
	if err := syscall.Statfs(string(s), &f); err != nil {
		return Usage{}, fmt.Errorf("look at %s: %w", s, err)
	}
	u.Size, u.Free = int64(f.Blocks)*f.Bsize, int64(f.Bavail)*f.Bsize
	return u, nil
}

// volumes adds each volume's disk, which has holes where nothing was written,
// to its app.
func (u *Usage) volumes(ctx context.Context, d *Deployer) error {
	table, ok := d.cfg.Ledger.(Volumes)
	if !ok {
		return nil
	}
	all, err := table.Volumes(ctx, "")
	if err != nil {
		return err
	}
	for _, v := range all {
		for i := range u.Apps {
			if u.Apps[i].App == v.App {
				u.Apps[i].Volumes += disk.Use(d.cfg.State.Volume(v.ID))
			}
		}
	}
	return nil
}

// layerUsers are the apps of each layer, by its digest.
func layerUsers(images []core.Release) map[string]map[string]bool {
	users := map[string]map[string]bool{}
	for _, r := range images {
		for _, l := range []core.Layer{r.Manifest.App, r.Manifest.Deps} {
			if users[l.Digest] == nil {
				users[l.Digest] = map[string]bool{}
			}
			users[l.Digest][r.App] = true
		}
	}
	return users
}

// layers adds up those that several apps use, and those that none does.
func (u *Usage) layers(s core.StateDir, users map[string]map[string]bool) {
	files, err := os.ReadDir(s.Layers())
	if err != nil {
		return
	}
	for _, f := range files {
		path := filepath.Join(s.Layers(), f.Name())
		switch n := len(users[strings.TrimSuffix(f.Name(), ".erofs")]); {
		case n == 0:
			u.Stray += disk.Use(path)
		case n > 1:
			u.Shared += disk.Use(path)
		}
	}
}

func (d *Deployer) appUsage(app string, users map[string]map[string]bool) AppUsage {
	s := d.cfg.State
	u := AppUsage{
		App: app, Repository: disk.Use(s.Repo(app)), Cache: disk.Use(s.AppCache(app)),
		Logs: disk.Use(s.BuildLog(app)),
	}
	logs, _ := filepath.Glob(s.Log(app) + "*") // the pattern is a name and a star
	for _, l := range logs {
		u.Logs += disk.Use(l)
	}
	for digest, by := range users {
		switch {
		case digest == "" || !by[app]:
		case len(by) == 1:
			u.Layers += disk.Use(s.Layer(digest))
		default:
			u.Shared += disk.Use(s.Layer(digest))
		}
	}
	return u
}
