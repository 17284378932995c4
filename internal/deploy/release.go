package deploy

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/fleet"
	"github.com/nodeos-dev/gitd/internal/oneoff"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// Tasks run commands in machines of their own.
type Tasks interface {
	// Do runs j to its end, which is no error, however the command ended.
	Do(ctx context.Context, j oneoff.Job) (oneoff.Ended, error)
}

// prepare runs the release command of the Procfile, if there is one: once for each release but those of a restart, with
// its image and config, before anything of it serves. volumes says that no other machine has the app's volumes.
func (d *deployment) prepare(ctx context.Context, volumes bool, sound func() error) error {
	t, ok := d.release.Manifest.Type(core.ReleaseType)
	if !ok || d.release.Trigger == core.ByRestart {
		return nil
	}
	if err := sound(); err != nil {
		return err
	}
	command := textOf(t.Run)
	d.report.Step("Running the release command: %s", command)
	ended, err := d.cfg.Tasks.Do(ctx, oneoff.Job{
		Release: d.release, By: d.by, Command: command,
		TaskOf: fleet.TaskOf{
			Name: oneoff.ReleaseJob, Start: t.Run, Volumes: volumes, InPlace: true, Task: core.Task{Limit: d.cfg.ReleaseLimit},
		},
		Line: func(l string) { d.report.Detail("release | %s", l) },
	})
	d.report.Lap("release")
	if err == nil && ended.Code == 0 {
		return nil
	}
	return releaseFailed(d.app.Name, command, ended, err)
}

func releaseFailed(app, command string, e oneoff.Ended, err error) error {
	const hint = "its last lines are above; nothing has changed: what was live stays live"
	if r, ok := errors.AsType[*core.Rejection](err); ok {
		return &core.Rejection{Reason: "the release command failed: " + r.Reason, Hint: r.Hint, Err: r}
	}
	if err != nil {
		return fmt.Errorf("the release command: %w", err)
	}
	reason := fmt.Sprintf("the release command failed: %s (%s)", e.Reason, command)
	if e.Memory > 0 {
		return core.Reject(reason, core.MemoryCommand(app, e.Memory)+" gives it more memory")
	}
	if e.Last != "" {
		reason += ": " + progress.Shorten(e.Last)
	}
	return core.Reject(reason, hint)
}

// textOf is a command as its author wrote it.
func textOf(steps []core.StartStep) string {
	var all []string
	for _, s := range steps {
		all = append(all, s.String())
	}
	return progress.Shorten(strings.Join(all, ", then "))
}
