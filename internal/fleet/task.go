package fleet

import (
	"context"
	"maps"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
)

// TaskOf is a command that is to run in a machine of its own, beside those that serve.
type TaskOf struct {
	Name      string // of the machine, after the release's: "run"
	Start     []core.StartStep
	Env       map[string]string // overrides all but what gitd promises
	MemoryMiB int               // 0: as the app's
	Volumes   bool              // it gets the app's: no other machine may have them
	InPlace   bool              // it runs before machines are replaced, and counts as one of those, not as one more
	core.Task
}

// TaskSpec says how to boot a machine for t with the image and the config of rel.
func TaskSpec(ctx context.Context, f *Fleet, rel core.Release, t TaskOf) (core.MachineSpec, error) {
	s, fixed, err := f.booter.bare(ctx, rel)
	if err != nil {
		return s, err
	}
	s.ID = strings.TrimSuffix(s.ID, afterLast(s.ID)) + t.Name + "-" + afterLast(s.ID)
	s.Task, s.Port = &t.Task, 0
	if t.InPlace {
		s.Process = core.FirstWeb
	}
	if t.Terminal != nil {
		s.Env["TERM"] = "xterm-256color" // what nearly every terminal understands
	}
	maps.Copy(s.Env, t.Env)
	if t.MemoryMiB > 0 {
		s.Share = core.Share{Resources: core.Resources{MemoryMiB: t.MemoryMiB, CPUs: s.CPUs}, From: core.SetByCommand, CPUsFrom: s.CPUsFrom}
	}
	if s.Steps, err = core.Processes(t.Start, s.Env, fixed); err != nil {
		return s, err
	}
	if t.Volumes {
		err = f.booter.attach(ctx, &s)
	}
	return s, err
}

// afterLast is what follows the last hyphen of id.
func afterLast(id string) string { return id[strings.LastIndex(id, "-")+1:] }
