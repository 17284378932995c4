package deploy

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/image"
)

// rollback is a deployment that goes back to an older release.
type rollback struct{ *deployment }

// target finds the release to roll back to, or refuses before anything is changed.
func (r rollback) target(ctx context.Context, version int) (core.Release, error) {
	if err := r.unlocked(); err != nil {
		return core.Release{}, err
	}
	if r.app.Live == 0 {
		return core.Release{}, NoRelease(r.app.Name)
	}
	find := r.previous
	if version > 0 {
		find = r.chosen
	}
	target, err := find(ctx, version)
	if err != nil {
		return core.Release{}, err
	}
	if gone := r.takeImage(target.Manifest); gone != nil {
		return core.Release{}, &core.Rejection{
			Reason: fmt.Sprintf("the image of v%d is no longer kept", target.Version),
			Hint:   image.BuildAgain(target),
			Err:    gone,
		}
	}
	return target, nil
}

// chosen returns the release with this version, if it can be rolled back to.
func (r rollback) chosen(ctx context.Context, version int) (core.Release, error) {
	chosen, err := r.cfg.Ledger.Release(ctx, r.app.Name, version)
	switch {
	case errors.Is(err, core.ErrNotFound):
		return core.Release{}, core.Reject(fmt.Sprintf("%s has no release v%d", r.app.Name, version), seeReleases(r.app.Name))
	case err != nil:
		return core.Release{}, err
	case chosen.State == core.Live && !r.app.Stopped:
		return core.Release{}, core.Reject(fmt.Sprintf("v%d is live already", version), "")
	case chosen.State != core.Retired && chosen.State != core.Draining && chosen.State != core.Live:
		return core.Release{}, core.Reject(fmt.Sprintf("v%d was never live: it is %s", version, chosen.State), seeReleases(r.app.Name))
	}
	return chosen, nil
}

// previous returns the newest release that was live before the live one and has another image.
func (r rollback) previous(ctx context.Context, _ int) (core.Release, error) {
	list, err := r.cfg.Ledger.Releases(ctx, r.app.Name, 0)
	if err != nil {
		return core.Release{}, err
	}
	var live core.Release
	for _, one := range list {
		old := one.State == core.Retired || one.State == core.Draining
		switch {
		case one.Version == r.app.Live:
			live = one
		case one.Version < r.app.Live && old && !sameImage(one.Manifest, live.Manifest):
			return one, nil
		}
	}
	return core.Release{}, core.Reject(fmt.Sprintf("there is nothing before v%d to roll back to", r.app.Live), seeReleases(r.app.Name))
}

// sameImage reports whether two releases run the same, however they were built.
func sameImage(a, b core.Manifest) bool {
	a.Made, b.Made = core.Made{}, core.Made{}
	return reflect.DeepEqual(a, b)
}

func seeReleases(app string) string { return "`releases " + app + "` lists them" }
