// Package label writes into the folders of apps what the ledger knows of them, and reads it when the ledger is lost.
//
// It owns the labels: a file in each repository and one beside each volume. A label is written after the ledger, so one
// that knows more than the ledger proves that the ledger has lost something. It does not own the ledger's form, and
// holds no secret: config values and people are in the ledger alone.
package label

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/google/renameio/v2"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/core/rules"
	"github.com/nodeos-dev/gitd/internal/image"
)

// Ledger is what labels are made from. Look-ups of what is not there return core.ErrNotFound.
type Ledger interface {
	App(ctx context.Context, name string) (core.App, error)
	Apps(ctx context.Context) ([]core.App, error)
	// Releases are the newest first; limit 0 means all.
	Releases(ctx context.Context, app string, limit int) ([]core.Release, error)
	Machines(ctx context.Context) ([]core.Machine, error)
	Volumes(ctx context.Context, app string) ([]core.Volume, error)
	Resources(ctx context.Context, app string) (core.Resources, error)
	Domains(ctx context.Context, app string) ([]core.Domain, error)
	Rules(ctx context.Context, app string) (rules.Set, error)
}

// Labels writes labels. Its methods are safe for concurrent use.
type Labels struct {
	state  core.StateDir
	ledger Ledger
	log    *slog.Logger
	mu     sync.Mutex      // held from reading the ledger until the label is written
	fresh  map[string]bool // apps that Write has labelled since WriteAll began
}

// New makes a Labels.
func New(state core.StateDir, ledger Ledger, log *slog.Logger) *Labels {
	return &Labels{state: state, ledger: ledger, log: log}
}

// Write labels the folders of one app. That it cannot is logged: nothing but the ledger is needed as long as that is
// there. An app that is gone needs no label.
func (l *Labels) Write(ctx context.Context, app string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fresh != nil {
		l.fresh[app] = true
	}
	machines, err := l.ledger.Machines(ctx)
	if err == nil {
		err = core.IgnoreMissing(l.write(ctx, app, machines))
	}
	l.failed(ctx, app, err)
}

// WriteAll labels the folders of all apps, as the first start of a gitd that writes labels must. What is labelled
// already is only read. It is called once.
func (l *Labels) WriteAll(ctx context.Context) {
	l.mu.Lock()
	l.fresh = map[string]bool{}
	l.mu.Unlock()
	machines, err := l.ledger.Machines(ctx)
	if err != nil {
		l.failed(ctx, "", err)
		return
	}
	apps, err := l.ledger.Apps(ctx)
	l.failed(ctx, "", err)
	for _, a := range apps {
		if ctx.Err() != nil {
			return
		}
		l.writeOld(ctx, a.Name, machines)
	}
}

// writeOld writes the label of an app from machines that may be older than what Write has read.
func (l *Labels) writeOld(ctx context.Context, app string, machines []core.Machine) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.fresh[app] {
		l.failed(ctx, app, core.IgnoreMissing(l.write(ctx, app, machines)))
	}
}

func (l *Labels) failed(ctx context.Context, app string, err error) {
	if err != nil && ctx.Err() == nil {
		l.log.Error("the folders of an app are not labelled", "app", app, "error", err)
	}
}

func (l *Labels) write(ctx context.Context, app string, machines []core.Machine) error {
	label, err := l.of(ctx, app)
	if err != nil {
		return err
	}
	for _, m := range machines {
		if m.App == app {
			label.Machines = append(label.Machines, m)
		}
	}
	if _, err = os.Stat(l.state.Repo(app)); err == nil {
		err = replace(core.LabelFiles(l.state).App(app), label)
	} else if errors.Is(err, fs.ErrNotExist) {
		err = nil // nothing has been pushed yet
	}
	return errors.Join(err, l.writeVolumes(ctx, app))
}

// of is the label of app, without its machines.
func (l *Labels) of(ctx context.Context, app string) (core.AppLabel, error) {
	var label core.AppLabel
	var err error
	if label.App, err = l.ledger.App(ctx, app); err != nil {
		return label, err
	}
	label.App.Owner = "" // people are in the ledger alone
	if label.Resources, err = l.ledger.Resources(ctx, app); err != nil {
		return label, err
	}
	set, err := l.ledger.Rules(ctx, app)
	if err != nil {
		return label, err
	}
	// The rules are in the ledger alone. An app that not everybody may see does not come back without them.
	label.App.Stopped = label.App.Stopped || set.Guarded()
	domains, err := l.ledger.Domains(ctx, app)
	for _, d := range domains {
		label.Domains = append(label.Domains, d.Host)
	}
	if err != nil {
		return label, err
	}
	label.Releases, err = l.ledger.Releases(ctx, app, 0)
	label.Releases = slices.DeleteFunc(label.Releases, func(r core.Release) bool { return !l.worthKeeping(r) })
	return label, err
}

// worthKeeping reports whether r is live, or can be deployed again without a build.
func (l *Labels) worthKeeping(r core.Release) bool {
	switch r.State {
	case core.Live:
		return true
	case core.Draining, core.Retired:
		return image.Bootable(l.state, r)
	default:
		return false
	}
}

func (l *Labels) writeVolumes(ctx context.Context, app string) error {
	volumes, err := l.ledger.Volumes(ctx, app)
	for _, v := range volumes {
		if _, missing := os.Stat(l.state.Volume(v.ID)); missing == nil {
			err = errors.Join(err, replace(core.LabelFiles(l.state).Volume(v.ID), v))
		}
	}
	return err
}

// replace writes v to path unless it stands there. After a crash, the old label is there or the new one.
func replace(path string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	if was, err := os.ReadFile(path); err == nil && bytes.Equal(was, text) {
		return nil
	}
	return renameio.WriteFile(path, text, 0o600, renameio.WithTempDir(filepath.Dir(path)))
}
