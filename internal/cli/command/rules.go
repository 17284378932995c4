package command

import (
	"context"
	"net/netip"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/core/rules"
)

// Rules changes what holds at the front door of an app.
type Rules interface {
	SetUser(ctx context.Context, by core.Actor, app, name, password string) (isNew bool, err error)
	RemoveUser(ctx context.Context, by core.Actor, app, name string) error
	AddSources(ctx context.Context, by core.Actor, app string, list []netip.Prefix) error
	RemoveSources(ctx context.Context, by core.Actor, app string, list []netip.Prefix) error
	// SetLimits changes limits, by their names and as people write them.
	SetLimits(ctx context.Context, by core.Actor, app string, to map[string]string) error
	BeginMaintenance(ctx context.Context, by core.Actor, app string, m rules.Maintenance) error
	EndMaintenance(ctx context.Context, by core.Actor, app string) error
	SetPage(ctx context.Context, by core.Actor, app string, status int, html string) error
	RemovePage(ctx context.Context, by core.Actor, app string, status int) error
}
