package oneoff

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/fleet"
)

// Wish is what a person wants to run.
type Wish struct {
	App       string
	Words     []string          // the command, or the name of a process type and words that follow its command
	Env       map[string]string // in addition to the app's config, which it overrides
	MemoryMiB int               // 0: as the app's machines have
	Timeout   time.Duration     // 0: the default
	Streams   *Streams          // nil: it goes on when the caller has gone, and its output is in the app's log
	Terminal  *core.Size        // on which it runs; nil: none
	Tell      func(note string) // is told what the person should know
}

// Run runs the command of w in a machine of its own, with the image and the config of the app's live release, and
// returns when it has ended; without Streams, when it has begun.
func (m *Machines) Run(ctx context.Context, by core.Actor, w Wish) (Ended, error) {
	j, err := m.job(ctx, by, w)
	if err != nil {
		return Ended{}, err
	}
	if err := m.tellOfVolumes(ctx, w); err != nil {
		return Ended{}, err
	}
	j.Began = func(id string) error { // a command may print the app's config
		if err := m.cfg.Trail.Before(context.WithoutCancel(ctx), w.App, by.Name, "run.begin", id+": "+said(w)); err != nil {
			return fmt.Errorf("the audit does not take it, so nothing was run: %w", err)
		}
		return nil
	}
	if j.Streams != nil {
		return m.Do(ctx, j)
	}
	return Ended{}, m.detach(j, w)
}

// detach begins a job that nobody waits for.
func (m *Machines) detach(j Job, w Wish) error {
	begun, refused := make(chan string, 1), make(chan error, 1)
	note := j.Began
	j.Began = func(id string) error {
		err := note(id)
		if err == nil {
			begun <- id
		}
		return err
	}
	go func() {
		_, err := m.Do(m.cfg.Work.Context(), j)
		refused <- err
	}()
	select {
	case id := <-begun:
		w.Tell(fmt.Sprintf("%s runs in the machine %s; `logs %s -t` shows what it says, `run:stop %s %s` ends it", j.Command, id, w.App, w.App, id))
		return nil
	case err := <-refused:
		return err
	}
}

func (m *Machines) job(ctx context.Context, by core.Actor, w Wish) (Job, error) {
	for name := range w.Env {
		if err := core.CheckVarName(name); err != nil {
			return Job{}, err
		}
	}
	if err := core.CheckVars(w.Env); err != nil {
		return Job{}, err
	}
	if err := core.CheckResources(core.Resources{MemoryMiB: w.MemoryMiB}); err != nil {
		return Job{}, err
	}
	rel, _, err := m.live(ctx, w.App)
	if err != nil {
		return Job{}, err
	}
	start, err := m.start(ctx, rel, w.Words)
	if err != nil {
		return Job{}, err
	}
	return Job{
		Release: rel, By: by, Command: commandOf(w.Words), Streams: w.Streams,
		TaskOf: fleet.TaskOf{
			Name: RunJob, Start: start, Env: w.Env, MemoryMiB: w.MemoryMiB,
			Task: core.Task{Terminal: w.Terminal, Limit: w.Timeout},
		},
	}, nil
}

// start is what the words of a person stand for.
func (m *Machines) start(ctx context.Context, rel core.Release, words []string) ([]core.StartStep, error) {
	if len(words) == 0 || words[0] == "" {
		return nil, core.Reject("there is no command to run", "for example: `run "+rel.App+" -- node script.js`")
	}
	steps := rel.Manifest.Run
	if t, ok := rel.Manifest.Type(words[0]); ok {
		steps = t.Run
	} else if words[0] != core.Web || len(steps) == 0 {
		if words[0] == "node" {
			return []core.StartStep{{Name: commandOf(words), Words: plain(words), Next: core.Next{OK: 1, Fail: 1}}}, nil
		}
		return m.cfg.Follow(ctx, rel, words)
	}
	if len(words) > 1 { // as on Heroku, they follow the command
		last := len(steps) - 1
		steps = slices.Clone(steps)
		steps[last].Words = slices.Concat(steps[last].Words, plain(words[1:]))
	}
	return steps, nil
}

func plain(words []string) []core.Word {
	all := make([]core.Word, len(words))
	for i, w := range words {
		all[i] = core.Plain(w)
	}
	return all
}

// tellOfVolumes says that a command runs without the app's volumes. Each belongs to one machine at a time, and that is
// the one that serves.
func (m *Machines) tellOfVolumes(ctx context.Context, w Wish) error {
	volumes, err := m.cfg.Ledger.Volumes(ctx, w.App)
	if err != nil || len(volumes) == 0 {
		return err
	}
	var all []string
	for _, v := range volumes {
		all = append(all, v.Name+" at "+v.Mount)
	}
	w.Tell(fmt.Sprintf("without the app's volumes (%s), each of which belongs to one machine at a time; a release command has them",
		strings.Join(all, ", ")))
	return nil
}

// said is a command for the audit, which holds no secrets: the names of variables, without their values.
func said(w Wish) string {
	var names []string
	for name := range w.Env {
		names = append(names, name+"=…")
	}
	slices.Sort(names)
	return commandOf(append(names, w.Words...))
}

// Interrupted reports whether a command was ended because its caller has gone, or has pressed ^C.
func Interrupted(err error) bool { return errors.Is(err, context.Canceled) }
