package image

import (
	"context"
	"errors"
	"fmt"

	"github.com/nodeos-dev/gitd/internal/core"
)

// retained returns the releases whose images are kept, from the releases of one app with the newest first: the live one
// and all that are on their way from or to live, the one before it, the pinned ones, and those of the last n images
// that were live. Several releases of one image (a restart, new config) count once, and so do those of the same layers
// on other bases, of which the newest is kept: updates of bases must not use up the rollbacks.
func retained(list []core.Release, n int) []core.Release {
	var kept []core.Release
	images, layers := map[string]bool{}, map[string]bool{}
	for _, r := range list {
		built := layersOf(r)
		image := r.Manifest.Base + " " + built
		room := len(images) < 2 || !layers[built] && len(layers) < n // 2: the live image and the one before it
		switch {
		case r.Manifest.Empty() || r.State == core.Failed:
			continue
		case r.State == core.Retired && !r.Pinned && !images[image] && !room:
			continue
		}
		if !r.State.Deploying() && !r.Pinned {
			images[image], layers[built] = true, true
		}
		kept = append(kept, r)
	}
	return kept
}

// layersOf names the layers of a release. There are thousands of releases, so the names are put together by hand.
func layersOf(r core.Release) string {
	m := r.Manifest
	return m.App.Digest + " " + m.Deps.Digest + " " + m.Debian.Digest
}

// without returns list, but for the releases in kept, which has them in the same order.
func without(list, kept []core.Release) (rest []core.Release) {
	for _, r := range list {
		if len(kept) > 0 && kept[0].Version == r.Version {
			kept = kept[1:]
			continue
		}
		rest = append(rest, r)
	}
	return rest
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
