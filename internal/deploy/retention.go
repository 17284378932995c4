package deploy

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"gitd/internal/core"
	"gitd/internal/image"
)

// retained are the releases of one app, given with the newest first, whose
// images are kept: the live one and all that are on their way from or to it,
// the one before it, the pinned, and those of the last n images that were
// live. Several releases of one image (a restart, new config) count once.
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

// takeImage keeps collections from removing an image that the ledger names,
// until the deployment ends, and reports as Check does whether it is
// there.
func (j *deployment) takeImage(m core.Manifest) error {
	j.files.Take(m.Files()...)
	return image.Check(j.d.cfg.State, m)
}

// PinRelease keeps the image of a release whatever comes after it, or ends
// that.
func (d *Deployer) PinRelease(ctx context.Context, by core.Actor, app string, version int, pinned bool) error {
	hold := d.shelf.Hold()
	defer hold.Release()
	r, err := d.cfg.Ledger.Release(ctx, app, version)
	if ignoreMissing(err) == nil && err != nil {
		return core.Reject(fmt.Sprintf("%s has no release v%d", app, version), "`releases "+app+"` lists them")
	}
	if err != nil {
		return err
	}
	hold.Take(r.Manifest.Files()...)
	if pinned && (r.Manifest.Empty() || r.State == core.Failed || image.Check(d.cfg.State, r.Manifest) != nil) {
		return core.Reject(fmt.Sprintf("v%d has no image that could be kept", version), "`releases "+app+"` shows which have one")
	}
	if err := d.cfg.Ledger.PinRelease(ctx, app, version, pinned); err != nil {
		return err
	}
	action := map[bool]string{true: "release.pin", false: "release.unpin"}[pinned]
	d.record(ctx, app, by.Name, action, fmt.Sprintf("v%d", version))
	if !pinned {
		d.collectSoon("")
	}
	return nil
}

// hasImage reports whether r can be booted without a build.
func (d *Deployer) hasImage(r core.Release) bool {
	return !r.Manifest.Empty() && image.Check(d.cfg.State, r.Manifest) == nil
}

// verify reads the release's image in the background and returns the wait for
// what that finds. It takes less time than a boot, and no damaged image
// becomes live.
func (j *deployment) verify(ctx context.Context) (sound func() error) {
	found := make(chan error, 1)
	r := j.release
	go func() {
		err := j.d.cfg.Store.Verify(ctx, r.Manifest)
		var rej *core.Rejection
		if errors.As(err, &rej) && r.Trigger != core.ByPush && r.Trigger != core.ByTag {
			err = &core.Rejection{Reason: rej.Reason, Hint: buildAgain(r), Err: rej.Err}
		}
		found <- err
	}()
	return sync.OnceValue(func() error { return <-found })
}
