package image

import (
	"context"
	"errors"
	"fmt"

	"github.com/nodeos-dev/gitd/internal/core"
)

// retained returns the releases whose images are kept, from the releases of one app with the newest first: the live one
// and all that are on their way from or to live, the one before it, the pinned ones, and those of the last n images
// that were live. Several releases of one image (a restart, new config) count once.
func retained(list []core.Release, n int) []core.Release {
	var kept []core.Release
	seen := map[string]bool{}
	for _, r := range list {
		image := fmt.Sprint(r.Manifest.Files())
		switch {
		case r.Manifest.Empty() || r.State == core.Failed:
			continue
		case r.State == core.Retired && !r.Pinned && !seen[image] && len(seen) >= max(n, 2):
			continue // max: the live image and the one before it
		}
		if !r.State.Deploying() && !r.Pinned {
			seen[image] = true
		}
		kept = append(kept, r)
	}
	return kept
}

// PinRelease keeps the image of a release, however many releases follow, or ends that.
func (c *Collector) PinRelease(ctx context.Context, by core.Actor, app string, version int, pinned bool) error {
	hold := c.cfg.Shelf.Hold()
	defer hold.Release()
	r, err := c.cfg.Ledger.Release(ctx, app, version)
	if errors.Is(err, core.ErrNotFound) {
		return core.Reject(fmt.Sprintf("%s has no release v%d", app, version), "`releases "+app+"` lists them")
	}
	if err != nil {
		return err
	}
	hold.Take(r.Manifest.Files()...)
	if pinned && (r.State == core.Failed || !Bootable(c.cfg.State, r)) {
		return core.Reject(fmt.Sprintf("v%d has no image that could be kept", version), "`releases "+app+"` shows which have one")
	}
	if err := c.cfg.Ledger.PinRelease(ctx, app, version, pinned); err != nil {
		return err
	}
	c.cfg.Label(ctx, app)
	action := map[bool]string{true: "release.pin", false: "release.unpin"}[pinned]
	c.cfg.Trail.Note(ctx, app, by.Name, action, fmt.Sprintf("v%d", version))
	if !pinned {
		c.Soon("")
	}
	return nil
}
