package oneoff

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/fleet"
	"github.com/nodeos-dev/gitd/internal/latch"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/units"
)

// What machines are for, which is a part of their names.
const (
	RunJob     = "run"
	ReleaseJob = "release"
	CronJob    = "cron"
)

// bootTries is how often a machine is started that ends before its command has run: see package fleet.
const bootTries = 3

// powerOffLimit is for a machine with volumes to write everything to them, after its command has ended.
const powerOffLimit = 10 * time.Second

// Job is a command that runs in a one-off machine.
type Job struct {
	Release core.Release
	By      core.Actor
	Command string // for people
	Title   string // before its machine in the audit: "cron.1"; may be empty
	fleet.TaskOf
	Streams *Streams              // who exchanges bytes with it; nil: its output becomes lines of the app's log
	Line    func(l string)        // is told each line too; nil: nobody is
	Began   func(id string) error // is told that the command is about to run, and may refuse it; nil: nobody is told
}

// Ended is how a command ended.
type Ended struct {
	Code   int    // as a shell has it: 128 and more for a signal
	Reason string // for people: "exit code 3"
	Last   string // the last line that it said, printable; empty: it said none
	Memory int    // MiB that its machine had, if it ran out of them; 0: it did not
	Took   time.Duration
}

// Do runs j to its end. The end of ctx interrupts it, and so does that of gitd. An error says that no command has
// ended by itself.
func (m *Machines) Do(ctx context.Context, j Job) (Ended, error) {
	done, err := m.cfg.Work.Begin()
	if err != nil {
		return Ended{}, core.Reject("gitd is stopping; try again when it is back", "")
	}
	defer done()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(m.cfg.Work.Context(), func() { cancel(core.Reject("gitd is stopping", "")) })()
	o := &one{m: m, job: j, app: j.Release.App, cancel: cancel, removed: make(chan struct{}), begun: time.Now()}
	if err := m.add(o); err != nil {
		return Ended{}, err
	}
	defer m.remove(o)
	hold := m.cfg.Shelf.Hold()
	defer hold.Release()
	hold.Take(j.Release.Manifest.Files()...)
	j.Task.Attached = j.Streams != nil
	j.Task.Limit = cmp.Or(j.Task.Limit, m.cfg.Limit)
	o.job = j
	ended, err := o.run(ctx)
	m.cfg.Log.Info("command ended", "app", o.app, "what", j.Name, "reason", note(o.id, ended, err))
	m.cfg.Trail.Note(context.WithoutCancel(ctx), j.Release.App, j.By.Name, j.Name+".end", strings.TrimSpace(j.Title+" "+note(o.id, ended, err)))
	return ended, err
}

func note(id string, e Ended, err error) string {
	switch {
	case err != nil && id == "": // it has had no machine
		return progress.OneLine(err.Error())
	case err != nil:
		return id + ": " + progress.OneLine(err.Error())
	}
	return fmt.Sprintf("%s: %s, %s", id, e.Reason, units.Took(e.Took))
}

// run boots machines until one has booted, and waits for the end of its command.
func (o *one) run(ctx context.Context) (Ended, error) {
	for try := 1; ; try++ {
		spec, err := fleet.TaskSpec(ctx, o.m.cfg.Fleet, o.job.Release, o.job.TaskOf)
		if err != nil {
			return Ended{}, err
		}
		if try == 1 && !o.job.InPlace {
			if err := o.m.cfg.Places.CheckOne(ctx, o.app, spec.Resources); err != nil {
				return Ended{}, err
			}
		}
		o.begin(spec)
		if try == 1 && o.job.Began != nil {
			if err := o.job.Began(spec.ID); err != nil {
				return Ended{}, err
			}
		}
		ended, err := o.once(ctx, spec)
		if !errors.Is(err, errNotBooted) || try == bootTries {
			return ended, err
		}
		o.m.cfg.Log.Warn("one-off machine did not boot", "app", o.app, "machine", spec.ID, "reason", o.why())
	}
}

// once boots one machine, and stops it in any case.
func (o *one) once(ctx context.Context, spec core.MachineSpec) (Ended, error) {
	if _, err := o.m.cfg.Driver.Boot(ctx, spec, o.watch); err != nil {
		return Ended{}, fmt.Errorf("boot %s: %w", spec.ID, err)
	}
	defer o.stop(ctx, spec)
	stop := o.attach(ctx)
	defer stop()
	if err := o.await(ctx); err != nil {
		return Ended{}, err
	}
	return o.ending()
}

// stop removes the machine. One with volumes has a moment to write everything to them.
func (o *one) stop(ctx context.Context, spec core.MachineSpec) {
	if spec.Exclusive() {
		select {
		case <-o.gone:
		case <-time.After(powerOffLimit):
		}
	}
	if err := o.m.cfg.Driver.Stop(context.WithoutCancel(ctx), spec.ID, 0); err != nil {
		o.m.cfg.Log.Error("one-off machine does not stop; the next start of gitd removes it", "machine", spec.ID, "error", err)
	}
}

// await waits until the command has ended, or until it has to. Its end is then waited for, but not for long.
func (o *one) await(ctx context.Context) error {
	boot, limit := time.After(o.m.cfg.Boot), time.NewTimer(o.job.Task.Limit)
	defer limit.Stop()
	booted := o.booted
	for {
		select {
		case <-o.over:
			return nil
		case <-booted:
			booted, boot = nil, nil
		case <-boot:
			return core.Reject(fmt.Sprintf("the machine did not boot within %s", o.m.cfg.Boot),
				"this is the server's fault: its operator finds more in gitd's log")
		case <-limit.C:
			o.end(ctx, sigTerm)
			late := core.Reject(fmt.Sprintf("%s ran for longer than %s, and was ended", o.job.Command, o.job.Task.Limit), o.job.moreTime())
			o.cancel(late) // a client that does not read is not waited for
			return late
		case <-ctx.Done():
			o.end(ctx, sigInt)
			return context.Cause(ctx)
		}
	}
}

// moreTime is what to do about a limit.
func (j Job) moreTime() string {
	if j.Name == RunJob {
		return "`run --timeout 48h` gives it more time"
	}
	return ""
}

// Signals as Linux counts them.
const (
	sigInt  = 2
	sigTerm = 15
)

// end tells the command to end, and gives it a moment.
func (o *one) end(ctx context.Context, signal int) {
	id := o.id
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), o.m.cfg.Grace)
	defer cancel()
	if !latch.Closed(o.booted) {
		return
	}
	if o.job.Task.Attached {
		go o.m.cfg.Driver.Tell(ctx, id, core.Tell{Signal: signal}) //nolint:errcheck // its machine is stopped in any case
	} else {
		go o.m.cfg.Driver.Stop(ctx, id, o.m.cfg.Grace) //nolint:errcheck // likewise
	}
	select {
	case <-o.over:
	case <-ctx.Done():
	}
}

// commandOf is words for people.
func commandOf(words []string) string { return progress.Shorten(strings.Join(words, " ")) }
