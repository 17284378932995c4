package image

import (
	"context"
	"log/slog"
	"sync"

	"github.com/nodeos-dev/gitd/internal/audit"
	"github.com/nodeos-dev/gitd/internal/background"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/units"
)

// Ledger is what collections read of the durable truth, and the method that pins a release.
type Ledger interface {
	// Apps are sorted by name.
	Apps(ctx context.Context) ([]core.App, error)
	Release(ctx context.Context, app string, version int) (core.Release, error)
	// Images are the releases of all apps that have an image and have not failed, by app, the newest first, without
	// those of ForgetImages.
	Images(ctx context.Context) ([]core.Release, error)
	// ForgetImages takes releases out of Images, but for those that are pinned or not retired.
	ForgetImages(ctx context.Context, gone []core.Release) error
	// PinRelease sets or clears Pinned, which no other method stores.
	PinRelease(ctx context.Context, app string, version int, pinned bool) error
}

// Files are where images are kept.
type Files interface {
	// Sweep removes what sweep does not keep, and returns how many bytes became free. It uses sweep.Drop for everything
	// that a deployment may hold. If it cannot remove something, it goes on with the rest.
	Sweep(ctx context.Context, sweep *Sweep) (freed int64, err error)
}

// Repos are the repositories that images were built from.
type Repos interface {
	// Tidy packs app's repository and removes the objects that no branch and none of commits reaches, if there are
	// enough of them to be worth it. It waits for pushes that run, and gives up when the next push comes.
	Tidy(ctx context.Context, app string, commits []string) error
}

// CollectorConfig is what a Collector works with. Every field is required.
type CollectorConfig struct {
	State  core.StateDir
	Ledger Ledger
	Files  Files
	Repos  Repos
	Shelf  *Shelf
	Trail  *audit.Trail
	Work   *background.Work
	Log    *slog.Logger
	Keep   int // how many images that were live are kept of each app; the live one and the one before it always are

	Label func(ctx context.Context, app string) // writes what the ledger knows of app into its folders
	// Also are names of files that are kept for another reason than that a release has them; nil: there are none.
	Also func(ctx context.Context) ([]string, error)
}

// Collector removes what no release needs any more. It runs one collection at a time, and remembers what it was asked
// for in the meantime. Its methods are safe for concurrent use.
type Collector struct {
	cfg CollectorConfig

	mu      sync.Mutex
	running bool
	wanted  map[string]bool // apps whose repositories may be tidied; "": images only
}

// NewCollector makes a Collector that has nothing to do.
func NewCollector(cfg CollectorConfig) *Collector { return &Collector{cfg: cfg} }

// Soon begins a collection in the background: of images that no release needs any more, and of what is loose or
// unreachable in the repository of app (which may be empty). If a collection fails, that is logged, and the next one
// does its work.
func (c *Collector) Soon(app string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wanted == nil {
		c.wanted = map[string]bool{}
	}
	c.wanted[app] = true
	if !c.running {
		c.running = c.cfg.Work.Go(c.run)
	}
}

// run makes collections until no more are wanted.
func (c *Collector) run(ctx context.Context) {
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
		if err := c.collect(ctx, apps); err != nil && ctx.Err() == nil {
			c.cfg.Log.Error("not everything could be collected", "error", err)
		}
	}
}

// collect makes one collection. It reads the ledger after the sweep has begun; see Shelf. Nothing is noted in between:
// what one collection does not remove, because gitd ended or a file was in use, the next one finds again.
func (c *Collector) collect(ctx context.Context, apps map[string]bool) error {
	sweep := c.cfg.Shelf.Sweep()
	defer sweep.End()
	kept, err := c.keepWhatIsNamed(ctx, sweep)
	if err != nil {
		return err
	}
	freed, err := c.cfg.Files.Sweep(ctx, sweep)
	if freed > 0 {
		c.cfg.Log.Info("images collected", "freed", units.Bytes(freed))
	}
	if err != nil {
		return err
	}
	for app := range apps {
		if app == "" {
			continue
		}
		if err := c.cfg.Repos.Tidy(ctx, app, kept[app]); err != nil && ctx.Err() == nil {
			c.cfg.Log.Warn("repository not tidied", "app", app, "error", err)
		}
	}
	return nil
}

// keepWhatIsNamed gives the sweep all names that the ledger needs, and returns the commits of the releases that can be
// deployed again, by app. The ledger need not tell the next collection of the others: otherwise each deployment would
// take longer than the one before. Should this process end before their files are removed, the next sweep removes them
// like any file that nobody names.
func (c *Collector) keepWhatIsNamed(ctx context.Context, sweep *Sweep) (map[string][]string, error) {
	apps, err := c.cfg.Ledger.Apps(ctx)
	if err != nil {
		return nil, err
	}
	for _, a := range apps {
		sweep.Keep(AppCache(a.Name))
	}
	if c.cfg.Also != nil {
		names, err := c.cfg.Also(ctx)
		if err != nil {
			return nil, err
		}
		sweep.Keep(names...)
	}
	images, err := c.cfg.Ledger.Images(ctx)
	if err != nil {
		return nil, err
	}
	commits, gone := map[string][]string{}, []core.Release(nil)
	for len(images) > 0 {
		n := 1
		for n < len(images) && images[n].App == images[0].App {
			n++
		}
		kept := retained(images[:n], c.cfg.Keep)
		for _, r := range kept {
			sweep.Keep(r.Manifest.Files()...)
			commits[r.App] = append(commits[r.App], r.Commit)
		}
		gone = append(gone, without(images[:n], kept)...)
		images = images[n:]
	}
	if len(gone) == 0 {
		return commits, nil
	}
	return commits, c.cfg.Ledger.ForgetImages(ctx, gone)
}
