package command

import (
	"context"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/quota"
)

// Quotas say and set what apps and people may take. Look-ups of what is not there return core.ErrNotFound.
type Quotas interface {
	OfApp(ctx context.Context, app string) ([]quota.Share, error)
	OfUser(ctx context.Context, user string) ([]quota.Share, error)
	ChangeApp(ctx context.Context, by core.Actor, app string, change func(core.Quota) error) error
	ChangeUser(ctx context.Context, by core.Actor, user string, change func(core.Quota) error) error
	// Promised is what all machines have together, and the most that they may have; zero: any.
	Promised() (now, most core.Resources)
}
