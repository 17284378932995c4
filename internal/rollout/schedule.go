package rollout

import (
	"context"
	"time"

	"github.com/nodeos-dev/gitd/internal/background"
	"github.com/nodeos-dev/gitd/internal/core"
)

// Schedule is when bases are updated by themselves.
func (r *Rollout) Schedule(ctx context.Context) (core.BaseSchedule, error) {
	return r.cfg.Ledger.BaseSchedule(ctx)
}

// SetSchedule has bases updated when text, which the caller has checked, is due; "": never.
func (r *Rollout) SetSchedule(ctx context.Context, by core.Actor, text, zone string) error {
	detail := "off"
	if text != "" {
		detail = text
	}
	if zone != "" {
		detail += ", in " + zone
	}
	return r.cfg.Ledger.SetBaseSchedule(ctx, core.BaseSchedule{Text: text, Zone: zone, By: by.Name}, entry("", by, "base.schedule", detail))
}

// Due is the next time at which bases are updated by themselves; zero: never.
func (r *Rollout) Due(ctx context.Context) (time.Time, error) {
	s, err := r.Schedule(ctx)
	if err != nil || s.Text == "" {
		return time.Time{}, err
	}
	return r.cfg.Next(s.Text, s.Zone, time.Now())
}

// KeepTime updates bases when the schedule is due, until ctx ends. A minute is looked at when it begins; what was due
// while no gitd ran is not made up: the next night does it.
func (r *Rollout) KeepTime(ctx context.Context) {
	for {
		now := time.Now().Truncate(time.Minute)
		if background.Sleep(ctx, time.Until(now.Add(time.Minute))) != nil {
			return
		}
		r.Tick(ctx, now.Add(time.Minute))
	}
}

// Tick updates bases if the schedule is due at the minute now. The result is in the audit.
func (r *Rollout) Tick(ctx context.Context, now time.Time) {
	s, err := r.Schedule(ctx)
	if err == nil && s.Text == "" {
		return
	}
	var due time.Time
	if err == nil {
		due, err = r.cfg.Next(s.Text, s.Zone, now.Add(-time.Minute))
	}
	if err == nil && due.Equal(now) {
		err = r.night(ctx)
	}
	if err != nil && ctx.Err() == nil {
		r.cfg.Log.Error("the scheduled update of bases failed", "error", err)
	}
}

func (r *Rollout) night(ctx context.Context) error {
	by := core.Actor{Name: "gitd", Admin: true}
	end, err := r.wait(ctx, by)
	if err != nil {
		return err
	}
	defer end()
	_, err = r.update(ctx, by, core.BaseWish{Night: true}, nil)
	return err
}
