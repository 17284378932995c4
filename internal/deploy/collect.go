package deploy

import (
	"context"
	"sync"

	"gitd/internal/image"
	"gitd/internal/units"
)

// collector runs one collection at a time, and remembers what it was asked
// for meanwhile.
type collector struct {
	mu      sync.Mutex
	running bool
	wanted  map[string]bool // apps whose repositories may be tidied; "": images only
}

// collectSoon begins a collection in the background: images that no release
// needs any more, and what is loose or unreachable in the repository of app
// (which may be empty). A collection that fails is logged; the next one does
// its work.
func (d *Deployer) collectSoon(app string) {
	c := &d.collector
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wanted == nil {
		c.wanted = map[string]bool{}
	}
	c.wanted[app] = true
	if c.running {
		return
	}
	c.running = true
	d.goWork(d.collections)
}

func (d *Deployer) collections(ctx context.Context) {
	c := &d.collector
	for {
		c.mu.Lock()
		apps := c.wanted
		c.wanted = nil
		c.running = len(apps) > 0 && ctx.Err() == nil
		more := c.running
		c.mu.Unlock()
		if !more {
			return
		}
		if err := d.collect(ctx, apps); err != nil && ctx.Err() == nil {
			d.cfg.Log.Error("not everything could be collected", "error", err)
		}
	}
}

// collect is one collection. The ledger is read after the sweep has begun;
// see Shelf. What is removed too late, because gitd ended or a file was in
// use, the next one finds again: nothing is noted in between.
func (d *Deployer) collect(ctx context.Context, apps map[string]bool) error {
	sweep := d.shelf.Sweep()
	defer sweep.End()
	kept, err := d.keepWhatIsNamed(ctx, sweep)
	if err != nil {
		return err
	}
	freed, err := d.cfg.Store.Sweep(ctx, sweep)
	if freed > 0 {
		d.cfg.Log.Info("images collected", "freed", units.Bytes(freed))
	}
	if err != nil {
		return err
	}
	for app := range apps {
		if app == "" {
			continue
		}
		if err := d.cfg.Repos.Tidy(ctx, app, kept[app]); err != nil && ctx.Err() == nil {
			d.cfg.Log.Warn("repository not tidied", "app", app, "error", err)
		}
	}
	return nil
}

// keepWhatIsNamed gives the sweep all names that the ledger needs, and
// returns the commits of the releases that can be deployed again, by app.
func (d *Deployer) keepWhatIsNamed(ctx context.Context, sweep *image.Sweep) (commits map[string][]string, err error) {
	apps, err := d.cfg.Ledger.Apps(ctx)
	if err != nil {
		return nil, err
	}
	for _, a := range apps {
		sweep.Keep(image.AppCache(a.Name))
	}
	images, err := d.cfg.Ledger.Images(ctx)
	if err != nil {
		return nil, err
	}
	commits = map[string][]string{}
	for len(images) > 0 {
		n := 1
		for n < len(images) && images[n].App == images[0].App {
			n++
		}
		for _, r := range retained(images[:n], d.cfg.Keep) {
			sweep.Keep(r.Manifest.Files()...)
			commits[r.App] = append(commits[r.App], r.Commit)
		}
		images = images[n:]
	}
	return commits, nil
}
