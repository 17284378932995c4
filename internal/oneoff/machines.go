package oneoff

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/nodeos-dev/gitd/internal/audit"
	"github.com/nodeos-dev/gitd/internal/background"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/fleet"
	"github.com/nodeos-dev/gitd/internal/image"
)

// Bounds for the machines that run at once. A release command is never refused for them: a deployment waits for it.
const (
	mostOfApp = 8
	mostOfAll = 32
)

// Config is what Machines work with. Every field is required.
type Config struct {
	State  core.StateDir
	Ledger Ledger
	Fleet  *fleet.Fleet
	Driver fleet.Driver
	Places Places
	Output fleet.Output
	Shelf  *image.Shelf
	Trail  *audit.Trail
	Work   *background.Work
	Log    *slog.Logger
	// Follow finds out what the words of a person run in the image of rel.
	Follow func(ctx context.Context, rel core.Release, words []string) ([]core.StartStep, error)

	// Next is the first time after after at which a schedule is due; zero: there is none.
	Next func(schedule, zone string, after time.Time) (time.Time, error)

	Boot  time.Duration // for a machine to boot
	Grace time.Duration // for a command to end that was told to
	Limit time.Duration // for a command for which nobody has set another
}

// Places say which machines there may be. The driver asks them again at each boot.
type Places interface {
	// CheckOne says why app cannot have one more machine of this size, or nil.
	CheckOne(ctx context.Context, app string, size core.Resources) error
}

// Ledger is what one-off machines read of the durable truth.
type Ledger interface {
	App(ctx context.Context, name string) (core.App, error)
	Release(ctx context.Context, app string, version int) (core.Release, error)
	Volumes(ctx context.Context, app string) ([]core.Volume, error)
	// Apps are sorted by name.
	Apps(ctx context.Context) ([]core.App, error)
	// Lives are the live releases of all apps, by app.
	Lives(ctx context.Context) ([]core.Release, error)
	// Entries of the audit are the newest first.
	Entries(ctx context.Context, app string, limit int) ([]core.Entry, error)
}

// Machines are the one-off machines that run now. Its methods are safe for concurrent use.
type Machines struct {
	cfg Config

	mu      sync.Mutex
	running []*one
}

// New begins with no machine.
func New(cfg Config) *Machines { return &Machines{cfg: cfg} }

// Info is what is known of a one-off machine.
type Info struct {
	ID      string    `json:"machine"`
	What    string    `json:"what"` // "run", "release" or "cron"
	Command string    `json:"command"`
	By      string    `json:"by"`
	Release int       `json:"release"`
	Since   time.Time `json:"since"`
}

// Of are the one-off machines of app, the oldest first.
func (m *Machines) Of(app string) []Info {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []Info
	for _, o := range m.running {
		if o.app == app {
			all = append(all, Info{o.id, o.job.Name, o.job.Command, o.job.By.Name, o.job.Release.Version, o.begun})
		}
	}
	return all
}

// Running is how many run, of all apps.
func (m *Machines) Running() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.running)
}

// End ends the one-off machines of app, or the one of them with this id, and returns how many it found.
func (m *Machines) End(app, id, why string) (found int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, o := range m.running {
		if o.app == app && (id == "" || o.id == id) {
			o.cancel(core.Reject(why, ""))
			found++
		}
	}
	return found
}

// Gone waits until app has no one-off machine.
func (m *Machines) Gone(ctx context.Context, app string) error {
	for {
		m.mu.Lock()
		i := slices.IndexFunc(m.running, func(o *one) bool { return o.app == app })
		var next *one
		if i >= 0 {
			next = m.running[i]
		}
		m.mu.Unlock()
		if next == nil {
			return nil
		}
		select {
		case <-next.removed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Rename gives the machines of an app its new name.
func (m *Machines) Rename(from, to string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, o := range m.running {
		if o.app == from {
			o.app = to
		}
	}
}

// add takes a place for o.
func (m *Machines) add(o *one) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	ofApp := 0
	for _, other := range m.running {
		if other.app == o.app {
			ofApp++
		}
	}
	switch {
	case o.job.Name == ReleaseJob:
	case ofApp >= mostOfApp:
		return core.Reject(fmt.Sprintf("%d one-off machines of %s run already", ofApp, o.app),
			"`run:list "+o.app+"` lists them, and `run:stop "+o.app+" MACHINE` ends one")
	case len(m.running) >= mostOfAll:
		return core.Reject(fmt.Sprintf("%d one-off machines run already, of all apps", len(m.running)), "try again when some have ended")
	}
	m.running = append(m.running, o)
	return nil
}

func (m *Machines) remove(o *one) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.running = slices.DeleteFunc(m.running, func(other *one) bool { return other == o })
	close(o.removed)
}
