package deploy

import (
	"cmp"
	"context"
	"fmt"

	"github.com/nodeos-dev/gitd/internal/core"
)

// Live is the app's live release, or a *core.Rejection.
func (t *Turn) Live(ctx context.Context) (core.Release, error) {
	if t.App.Live == 0 {
		return core.Release{}, NoRelease(t.App.Name)
	}
	return t.d.cfg.Ledger.Release(ctx, t.App.Name, t.App.Live)
}

// Move deploys the image of live on another base, as a new release of its own: the layers stay as they are. It returns
// the version of that release, whether it became live or not; 0: none was made.
func (t *Turn) Move(ctx context.Context, live core.Release, to core.BaseRef) (version int, err error) {
	d := t.d
	if err := d.unlocked(); err != nil {
		return 0, err
	}
	m := live.Manifest
	m.Made.Node = cmp.Or(m.Made.Node, m.Node) // for releases:verify
	m.Base, m.Node = to.ID, to.Node
	if gone := d.takeImage(m); gone != nil {
		return 0, &core.Rejection{Reason: fmt.Sprintf("the base %s, or the image of v%d, is no longer kept", to.ID, live.Version),
			Hint: "`ps:rebuild " + d.app.Name + "` makes both anew", Err: gone}
	}
	err = d.run(ctx, core.Release{Commit: live.Commit, Subject: live.Subject, Trigger: core.ByBase, State: core.Built, Manifest: m})
	if err == nil {
		d.report.Pass(d.summary())
	}
	return d.release.Version, err
}
