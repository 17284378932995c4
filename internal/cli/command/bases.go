package command

import (
	"context"
	"io"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// Bases moves apps from one base to another.
type Bases interface {
	// Update has no error because of an app that stays where it is: what became of each is in what it returns.
	Update(ctx context.Context, by core.Actor, wish core.BaseWish, w io.Writer) (core.BaseUpdate, error)
	Rollback(ctx context.Context, by core.Actor, apps []string, w io.Writer) (core.BaseUpdate, error)
	// Next is where an update would move app now; the base is made.
	Next(ctx context.Context, app string, w io.Writer) (core.BaseMove, error)
	// Updates are those that are remembered, the newest first.
	Updates(ctx context.Context) ([]core.BaseUpdate, error)
	News(ctx context.Context) core.BaseNews
	SetSchedule(ctx context.Context, by core.Actor, text, zone string) error
	// Due is the next time at which bases are updated by themselves; zero: never.
	Due(ctx context.Context) (time.Time, error)
}
