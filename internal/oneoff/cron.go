package oneoff

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/nodeos-dev/gitd/internal/background"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/fleet"
)

// mostMissed bounds how many missed runs of one job are counted.
const mostMissed = 1000

// lookBack is in how many entries of an app's audit the last run of a job is looked for.
const lookBack = 1000

// JobInfo is what is known of a job of a live release.
type JobInfo struct {
	Number   int       `json:"number"` // 1, 2, …, in the order of the file
	Schedule string    `json:"schedule"`
	Zone     string    `json:"timezone"`
	Command  string    `json:"command"`
	Overlap  string    `json:"overlap"`
	Last     time.Time `json:"last,omitzero"` // when its last run ended, or was skipped
	Result   string    `json:"result,omitempty"`
	Next     time.Time `json:"next,omitzero"` // zero: the app is stopped
	Running  bool      `json:"running"`
}

// KeepTime runs the jobs of live releases when they are due, until ctx ends. A minute is looked at when it begins. Runs
// of the time in which no gitd looked are not made up.
func (m *Machines) KeepTime(ctx context.Context) {
	last := m.lastTick()
	for {
		now := time.Now().Truncate(time.Minute)
		if !last.IsZero() && last.Before(now) {
			m.Tick(ctx, last, now)
		}
		last = now
		if background.Sleep(ctx, time.Until(now.Add(time.Minute))) != nil {
			return
		}
	}
}

// lastTick is the last minute that was looked at. The first gitd of a state folder begins with now.
func (m *Machines) lastTick() time.Time {
	info, err := os.Stat(core.CronTick(m.cfg.State))
	if err != nil || info.ModTime().After(time.Now()) {
		return time.Now().Truncate(time.Minute)
	}
	return info.ModTime().Truncate(time.Minute)
}

// Tick runs what is due at the minute now, and notes what was due after last and before now: that was missed.
func (m *Machines) Tick(ctx context.Context, last, now time.Time) {
	if err := touch(core.CronTick(m.cfg.State), now); err != nil {
		m.cfg.Log.Error("the time of the last look at the schedules is not kept", "error", err)
	}
	lives, err := m.scheduled(ctx)
	if err != nil {
		m.cfg.Log.Error("no jobs run in this minute", "error", err)
		return
	}
	for _, r := range lives {
		for i, c := range r.Manifest.Cron {
			m.missed(ctx, r, i, last, now.Add(-time.Minute))
			if next, err := m.cfg.Next(c.Schedule, c.Zone, now.Add(-time.Minute)); err == nil && next.Equal(now) {
				m.due(ctx, r, i)
			}
		}
	}
}

func touch(path string, at time.Time) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Chtimes(path, at, at)
}

// scheduled are the live releases whose jobs run: not those of stopped apps.
func (m *Machines) scheduled(ctx context.Context) ([]core.Release, error) {
	apps, err := m.cfg.Ledger.Apps(ctx)
	if err != nil {
		return nil, err
	}
	stopped := map[string]bool{}
	for _, a := range apps {
		stopped[a.Name] = a.Stopped
	}
	lives, err := m.cfg.Ledger.Lives(ctx)
	return slices.DeleteFunc(lives, func(r core.Release) bool { return stopped[r.App] || len(r.Manifest.Cron) == 0 }), err
}

// missed notes the runs of a job that were due after last and not after until.
func (m *Machines) missed(ctx context.Context, r core.Release, i int, last, until time.Time) {
	c, n := r.Manifest.Cron[i], 0
	from := last
	if r.Finished.After(from) { // it was not live before
		from = r.Finished
	}
	for n < mostMissed {
		next, err := m.cfg.Next(c.Schedule, c.Zone, from)
		if err != nil || next.IsZero() || next.After(until) {
			break
		}
		from, n = next, n+1
	}
	if n > 0 {
		m.note(ctx, r, i, "cron.missed", fmt.Sprintf("%d runs since %s are not made up: gitd did not run", n, last.UTC().Format(time.RFC3339)))
	}
}

// note has the audit and the log of an app say something of a job.
func (m *Machines) note(ctx context.Context, r core.Release, i int, action, text string) {
	text = title(i) + " " + text
	m.cfg.Trail.Note(ctx, r.App, "gitd", action, text)
	m.cfg.Output.Append(r.App, core.Line{Time: time.Now(), Release: r.Version, Process: title(i), Stream: "nodeos", Text: text})
}

func title(i int) string { return fmt.Sprintf("%s.%d", CronJob, i+1) }

// due begins a scheduled run, by the job's overlap policy.
func (m *Machines) due(ctx context.Context, r core.Release, i int) {
	c := r.Manifest.Cron[i]
	before := m.runs(r.App, title(i))
	switch {
	case len(before) > 0 && c.Overlap == core.OverlapSkip:
		m.note(ctx, r, i, "cron.skip", "is skipped: the run before, in "+before[0]+", has not ended")
		return
	case len(before) > 0 && c.Overlap == core.OverlapReplace:
		for _, id := range before {
			m.End(r.App, id, "the next run takes its place")
		}
	}
	j := m.cronJob(r, i, core.Actor{Name: "gitd"})
	go func() {
		e, err := m.Do(m.cfg.Work.Context(), j)
		if err != nil || e.Code != 0 {
			m.cfg.Log.Warn("a job failed", "app", r.App, "job", j.Title, "reason", note("", e, err))
		}
	}()
}

// runs are the machines in which a job of app runs.
func (m *Machines) runs(app, title string) (ids []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, o := range m.running {
		if o.app == app && o.job.Title == title {
			ids = append(ids, o.id)
		}
	}
	return ids
}

func (m *Machines) cronJob(r core.Release, i int, by core.Actor) Job {
	c := r.Manifest.Cron[i]
	return Job{
		Release: r, By: by, Command: commandOf([]string{c.Command}), Title: title(i),
		TaskOf: fleet.TaskOf{Name: CronJob, Start: c.Run},
	}
}

// Jobs are those of the live release of app.
func (m *Machines) Jobs(ctx context.Context, app string) ([]JobInfo, error) {
	r, stopped, err := m.live(ctx, app)
	if err != nil {
		return nil, err
	}
	entries, err := m.cfg.Ledger.Entries(ctx, app, lookBack)
	if err != nil {
		return nil, err
	}
	all := make([]JobInfo, 0, len(r.Manifest.Cron))
	for i, c := range r.Manifest.Cron {
		info := JobInfo{
			Number: i + 1, Schedule: c.Schedule, Zone: c.Zone, Command: c.Command, Overlap: string(c.Overlap),
			Running: len(m.runs(app, title(i))) > 0,
		}
		info.Last, info.Result = lastRun(entries, title(i))
		if info.Zone == "" {
			info.Zone = "UTC"
		}
		if !stopped {
			if info.Next, err = m.cfg.Next(c.Schedule, c.Zone, time.Now()); err != nil {
				return nil, err
			}
		}
		all = append(all, info)
	}
	return all, nil
}

// lastRun finds the newest entry of a job, and what it says after the name of the job.
func lastRun(entries []core.Entry, title string) (at time.Time, result string) {
	for _, e := range entries {
		said, ok := strings.CutPrefix(e.Detail, title+" ")
		if ok && strings.HasPrefix(e.Action, CronJob+".") {
			return e.Time, said
		}
	}
	return at, ""
}

// RunJob runs a job of app now, for whoever exchanges bytes with it.
func (m *Machines) RunJob(ctx context.Context, by core.Actor, app string, number int, s *Streams) (Ended, error) {
	r, _, err := m.live(ctx, app)
	if err != nil {
		return Ended{}, err
	}
	if number < 1 || number > len(r.Manifest.Cron) {
		return Ended{}, core.Reject(fmt.Sprintf("%s has no job %d in v%d", app, number, r.Version), "`cron "+app+"` lists its jobs")
	}
	j := m.cronJob(r, number-1, by)
	j.Streams = s
	return m.Do(ctx, j)
}

// live is the live release of app.
func (m *Machines) live(ctx context.Context, app string) (r core.Release, stopped bool, err error) {
	a, err := m.cfg.Ledger.App(ctx, app)
	if err != nil {
		return r, false, err
	}
	if a.Live == 0 {
		return r, false, core.Reject(app+" has no release yet", "a `git push` makes the first")
	}
	r, err = m.cfg.Ledger.Release(ctx, app, a.Live)
	return r, a.Stopped, err
}
