package sleep

import (
	"context"
	"errors"
	"time"

	"github.com/nodeos-dev/gitd/internal/background"
	"github.com/nodeos-dev/gitd/internal/fleet"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/quota"
)

// rouse has the next machine of app be the one that it sleeps as, and reports whether it sleeps.
func (b *Beds) rouse(app string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	bed := b.beds[app]
	if bed != nil {
		bed.waking, bed.barred = true, ""
	}
	return bed != nil
}

// bar has an app sleep on that did not wake, if what it sleeps as is still of use, and time alone can help. Requests do
// not wake it until unbar: those that wait are told why.
func (b *Beds) bar(ctx context.Context, app string, why error) *bed {
	b.mu.Lock()
	defer b.mu.Unlock()
	bed := b.beds[app]
	if bed == nil || bed.used || !errors.Is(why, quota.ErrFull) && ctx.Err() == nil {
		return nil
	}
	bed.waking, bed.barred = false, "it sleeps on: "+progress.OneLine(why.Error())
	return bed
}

// unbar returns the app that sleeps there, if it does so still, and is barred.
func unbar(b *Beds, one *bed) (app string, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for app, bed := range b.beds {
		if bed == one && bed.barred != "" {
			bed.barred = ""
			return app, true
		}
	}
	return "", false
}

// barTime is between two attempts to wake an app for which there is no room: each looks for an app that could sleep
// instead.
const barTime = time.Second

func (s *Sleepers) unbarSoon(one *bed) {
	s.cfg.Work.Go(func(ctx context.Context) {
		if background.Sleep(ctx, barTime) != nil {
			return
		}
		if app, ok := unbar(s.beds, one); ok {
			fleet.Lie(s.cfg.Fleet, app)
		}
	})
}
