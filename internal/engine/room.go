package engine

import (
	"context"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// room is where the Gate has room from: what apps sleep with, if they do.
type room struct {
	e   *Engine
	cfg Sleep
}

// Free implements quota.Room.
func (r room) Free() (mib int, known bool) {
	if r.cfg.Free == nil {
		return 0, false
	}
	return r.cfg.Free()
}

// Clear implements quota.Room.
func (r room) Clear(ctx context.Context, size core.Resources) {
	if r.cfg.Clear != nil {
		r.cfg.Clear(ctx, size)
	}
}

// May implements quota.Room.
func (r room) May(ctx context.Context, since time.Time) []string {
	if r.e.Sleep == nil {
		return nil
	}
	return r.e.Sleep.May(ctx, since)
}

// Idle implements quota.Room.
func (r room) Idle(ctx context.Context) []string {
	if r.e.Sleep == nil {
		return nil
	}
	return r.e.Sleep.Idle(ctx)
}

// Doze implements quota.Room.
func (r room) Doze(ctx context.Context, app, favoured string) bool {
	return r.e.Sleep != nil && r.e.Sleep.Doze(ctx, app, favoured)
}
