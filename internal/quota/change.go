package quota

import (
	"context"
	"errors"
	"fmt"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
)

// Share is what somebody has of what they may have.
type Share struct {
	Limited core.Limited
	Has     int64
	Most    int64 // core.Unlimited: any number
	Set     bool  // for them; false: it holds for all
}

// OfApp is what app has, and may have.
func (g *Gate) OfApp(ctx context.Context, app string) ([]Share, error) {
	set, err := g.cfg.Ledger.AppQuota(ctx, app)
	if err != nil {
		return nil, err
	}
	return g.shares(ctx, []string{app}, core.LimitsOfApp, set, g.cfg.Limits.App)
}

// OfUser is what the apps of user have together, and may have.
func (g *Gate) OfUser(ctx context.Context, user string) ([]Share, error) {
	set, err := g.cfg.Ledger.UserQuota(ctx, user)
	if err != nil {
		return nil, err
	}
	own, err := g.cfg.Ledger.Owned(ctx, user)
	if err != nil {
		return nil, err
	}
	return g.shares(ctx, own, core.LimitsOfUser, set, g.cfg.Limits.User)
}

func (g *Gate) shares(ctx context.Context, apps []string, limits []core.Limited, set, def core.Quota) ([]Share, error) {
	onDisk, err := g.promised(ctx, apps)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	has := g.total(rules{own: apps}.ofTheirs)
	g.mu.Unlock()
	var all []Share
	for _, l := range limits {
		_, own := set[l]
		s := Share{Limited: l, Has: has.of(l), Most: core.Unlimited, Set: own}
		if n, ok := set.Or(def)[l]; ok {
			s.Most = n
		}
		switch l {
		case core.LimitDisk:
			s.Has = onDisk
		case core.LimitApps:
			s.Has = int64(len(apps))
		}
		all = append(all, s)
	}
	return all, nil
}

// ChangeApp sets what app may have. What runs goes on.
func (g *Gate) ChangeApp(ctx context.Context, by core.Actor, app string, change func(core.Quota) error) error {
	q, err := g.cfg.Ledger.AppQuota(ctx, app)
	if err != nil {
		return err
	}
	if err := change(q); err != nil {
		return err
	}
	if err := g.cfg.Ledger.SetAppQuota(ctx, app, q); err != nil {
		return disk.Rejected(err)
	}
	g.cfg.Trail.Note(ctx, app, by.Name, "quota.change", q.String())
	return nil
}

// ChangeUser sets what the apps of user may have together.
func (g *Gate) ChangeUser(ctx context.Context, by core.Actor, user string, change func(core.Quota) error) error {
	q, err := g.cfg.Ledger.UserQuota(ctx, user)
	if err != nil {
		return err
	}
	if err := change(q); err != nil {
		return err
	}
	if err := g.cfg.Ledger.SetUserQuota(ctx, user, q); err != nil {
		return disk.Rejected(err)
	}
	g.cfg.Trail.Note(ctx, "", by.Name, "quota.change", user+": "+q.String())
	return nil
}

// MayMake is how many apps user may make; core.Unlimited: any number.
func (g *Gate) MayMake(ctx context.Context, user string) (int64, error) {
	q, err := g.cfg.Ledger.UserQuota(ctx, user)
	if errors.Is(err, core.ErrNotFound) {
		return core.Unlimited, nil // the host itself
	}
	if most, ok := q.Or(g.cfg.Limits.User).Of(core.LimitApps); ok {
		return most, err
	}
	return core.Unlimited, err
}

// TooManyApps is the answer to a user who may make no more apps than most.
func TooManyApps(user string, most int64) error {
	return core.Reject(fmt.Sprintf("%s has made %s, and may make no more", user, core.LimitApps.Text(most)),
		fmt.Sprintf("`apps:destroy` makes room; an administrator can allow more: `users:quota %s --apps %d`", user, most+1))
}

// CheckDisk says why app, which has what it has on the disk, cannot have more bytes, or nil. It reads folders only if
// there is a quota.
func (g *Gate) CheckDisk(ctx context.Context, app string, more int64) error {
	r, err := g.rules(ctx, app)
	if err != nil {
		return err
	}
	for _, of := range []struct {
		apps  []string
		quota core.Quota
		why   func(l core.Limited, next, most int64) error
	}{{[]string{app}, r.ofApp, r.appOver}, {r.own, r.ofOwner, r.ownerOver}} {
		most, ok := of.quota.Of(core.LimitDisk)
		if !ok {
			continue
		}
		has, err := g.promised(ctx, of.apps)
		if err != nil {
			return err
		}
		if has+more > most {
			return of.why(core.LimitDisk, has+more, most)
		}
	}
	return nil
}

func (g *Gate) promised(ctx context.Context, apps []string) (sum int64, err error) {
	for _, app := range apps {
		n, err := g.cfg.Disk.Promised(ctx, app)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}
