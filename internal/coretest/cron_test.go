package coretest

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/oneoff"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// withJob has builds make images with one job, which is due every five minutes.
func (w *world) withJob(overlap core.Overlap, words ...string) {
	w.build = func(ctx context.Context, src image.Source, r *progress.Report) (core.Manifest, error) {
		m, err := w.goodBuild(ctx, src, r)
		m.Cron = []core.CronJob{{Schedule: "*/5 * * * *", Command: strings.Join(words, " "), Overlap: overlap, Run: []core.StartStep{step(words...)}}}
		return m, err
	}
}

// clock is a time at which the job of withJob is due, later than anything in a test.
var clock = time.Now().Add(24 * time.Hour).Truncate(time.Hour)

func (w *world) tick(now time.Time) { w.core.OneOffs.Tick(w.t.Context(), now.Add(-time.Minute), now) }

// audited returns what the audit says of jobs, the newest first.
func (w *world) audited() (all []string) {
	w.t.Helper()
	entries, err := w.ledger.Entries(w.t.Context(), "shop", 100)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Action, "cron.") {
			all = append(all, e.Action+" "+e.Detail)
		}
	}
	return all
}

func (w *world) tasks() (all []core.MachineSpec) {
	w.driver.mu.Lock()
	defer w.driver.mu.Unlock()
	for _, s := range w.driver.specs {
		if s.Task != nil {
			all = append(all, s)
		}
	}
	return all
}

// TestCron: a job runs in its minute and in no other, with the image of the live release, and its result is known.
func TestCron(t *testing.T) {
	w := newWorld(t)
	w.withJob(core.OverlapSkip, "say", "cleaned", "4")
	w.push(none, commit(1))
	w.tick(clock.Add(time.Minute))
	w.tick(clock)
	w.eventually("the result is in the audit", func() bool { return len(w.audited()) == 1 })
	if s := w.tasks(); len(s) != 1 || !strings.HasPrefix(s[0].ID, "shop-v1-cron-") || s[0].Task.Attached {
		t.Errorf("ran %+v", s)
	}
	if said := w.audited()[0]; !strings.HasPrefix(said, "cron.end cron.1 shop-v1-cron-") || !strings.Contains(said, ": exit code 4, ") {
		t.Errorf("the audit says %q", said)
	}
	jobs, err := w.core.OneOffs.Jobs(t.Context(), "shop")
	if err != nil || len(jobs) != 1 {
		t.Fatalf("%+v, %v", jobs, err)
	}
	if j := jobs[0]; j.Command != "say cleaned 4" || j.Zone != "UTC" || !strings.Contains(j.Result, "exit code 4") || j.Last.IsZero() ||
		time.Until(j.Next) > 5*time.Minute || j.Next.Minute()%5 != 0 || j.Running {
		t.Errorf("%+v", j)
	}
}

// TestCronOfStoppedApp: the jobs of a stopped app do not run.
func TestCronOfStoppedApp(t *testing.T) {
	w := newWorld(t)
	w.withJob(core.OverlapSkip, "say", "cleaned", "0")
	w.push(none, commit(1))
	if err := w.core.StopApp(t.Context(), core.Host(), "shop", nil); err != nil {
		t.Fatal(err)
	}
	w.tick(clock)
	jobs, err := w.core.OneOffs.Jobs(t.Context(), "shop")
	if err != nil || !jobs[0].Next.IsZero() || len(w.tasks()) != 0 {
		t.Errorf("%+v, %v; %d machines were started", jobs, err, len(w.tasks()))
	}
}

// TestCronOverlap: what becomes of a run while the one before has not ended.
func TestCronOverlap(t *testing.T) {
	for overlap, want := range map[core.Overlap]struct{ ran, left int }{
		core.OverlapSkip: {1, 1}, core.OverlapAllow: {2, 2}, core.OverlapReplace: {2, 1},
	} {
		t.Run(string(overlap), func(t *testing.T) {
			w := newWorld(t)
			w.withJob(overlap, "wait")
			w.push(none, commit(1))
			w.tick(clock)
			w.eventually("it runs", func() bool { return len(w.tasks()) == 1 && w.driver.count() == 2 })
			w.tick(clock.Add(5 * time.Minute))
			w.eventually("the second is decided", func() bool { return len(w.tasks()) == want.ran && w.driver.count() == 1+want.left })
			said := strings.Join(w.audited(), "\n")
			if skipped := strings.Contains(said, "cron.skip cron.1 is skipped: the run before, in shop-v1-cron-"); skipped != (overlap == core.OverlapSkip) {
				t.Errorf("the audit says %q", said)
			}
			if overlap == core.OverlapReplace && !strings.Contains(said, "the next run takes its place") {
				t.Errorf("the audit says %q", said)
			}
		})
	}
}

// TestCronMissed: what was due while no gitd looked is not made up, and the audit says so.
func TestCronMissed(t *testing.T) {
	w := newWorld(t)
	w.withJob(core.OverlapSkip, "say", "cleaned", "0")
	w.push(none, commit(1))
	w.core.OneOffs.Tick(t.Context(), clock.Add(-time.Hour), clock)
	w.eventually("one ran", func() bool { return len(w.audited()) == 2 })
	if said := w.audited(); !strings.Contains(said[1], "cron.missed cron.1 11 runs since ") || len(w.tasks()) != 1 {
		t.Errorf("the audit says %q, %d ran", said, len(w.tasks()))
	}
	if info, err := os.Stat(core.CronTick(w.state)); err != nil || !info.ModTime().Equal(clock) {
		t.Errorf("the last look is not kept: %v", err)
	}
}

// TestCronRun: a job runs when somebody says so, for them.
func TestCronRun(t *testing.T) {
	w := newWorld(t)
	w.withJob(core.OverlapSkip, "say", "cleaned", "2")
	w.push(none, commit(1))
	var out syncBuffer
	streams := &oneoff.Streams{In: strings.NewReader(""), Out: &out, Err: &out}
	e, err := w.core.OneOffs.RunJob(t.Context(), core.Actor{Name: "ada"}, "shop", 1, streams)
	if err != nil || e.Code != 2 || out.String() != "cleaned" {
		t.Errorf("%+v, %v, %q", e, err, out.String())
	}
	_, err = w.core.OneOffs.RunJob(t.Context(), core.Actor{Name: "ada"}, "shop", 2, streams)
	if !strings.Contains(rejection(err), "shop has no job 2 in v1 / `cron shop` lists its jobs") {
		t.Errorf("a job that is not there: %v", err)
	}
}
