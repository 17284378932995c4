// Package backup writes all that a gitd has into one stream, while it serves, and makes a state folder of it again.
//
// It owns what is in a backup, in which order it is taken so that its parts fit together, and when backups are made by
// themselves and how long they are kept. It does not own the form (package archive), how a volume is copied (package
// snapshot), nor the ledger's and git's own copies.
package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/nodeos-dev/gitd/internal/audit"
	"github.com/nodeos-dev/gitd/internal/backup/archive"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/snapshot"
)

// Ledger is what a backup reads of the durable truth.
type Ledger interface {
	// WriteCopy writes the ledger as it is at one moment to the empty file at path.
	WriteCopy(ctx context.Context, path string) error
	// Apps are sorted by name.
	Apps(ctx context.Context) ([]core.App, error)
	// Images are the releases of all apps that have an image and have not failed.
	Images(ctx context.Context) ([]core.Release, error)
	// Volumes are those of all apps, by app, if app is empty.
	Volumes(ctx context.Context, app string) ([]core.Volume, error)
	Plans
}

// Repos copies repositories.
type Repos interface {
	// Write writes the repository of app, and of its commits those that are there, to a file. It returns which commits
	// have no parents there. An error that Empty accepts says that there is nothing in it.
	Write(ctx context.Context, app string, commits []string, to *os.File) (shallow []byte, err error)
	Empty(err error) bool
}

// Config is what Backups work with. Every field is required.
type Config struct {
	State   core.StateDir
	Ledger  Ledger
	Repos   Repos
	Copies  *snapshot.Snapshots
	Trail   *audit.Trail
	Log     *slog.Logger
	Version string // of this gitd
	// Next is the first time after after at which a schedule is due. The schedule may begin with its time zone.
	Next func(schedule string, after time.Time) (time.Time, error)
}

// Backups makes backups, one at a time. Its methods are safe for concurrent use.
type Backups struct {
	cfg     Config
	running sync.Mutex
	changed chan struct{} // has a token when the plan has changed
}

// New makes Backups.
func New(cfg Config) *Backups { return &Backups{cfg: cfg, changed: make(chan struct{}, 1)} }

// Options are what a backup has beside the rest.
type Options struct {
	Secrets bool // the keys: of the config, of the host, of certificates
	Layers  bool // the images
}

// Write writes a backup to out, and its progress to r.
func (b *Backups) Write(ctx context.Context, by core.Actor, o Options, out io.Writer, r *progress.Report) error {
	if !b.running.TryLock() {
		return core.Reject("a backup is being made already", "try again when it has ended")
	}
	defer b.running.Unlock()
	what := "without keys"
	if o.Secrets {
		what = "with all keys"
	}
	if err := b.cfg.Trail.Before(ctx, "", by.Name, "backup", what); err != nil {
		return err
	}
	began := time.Now()
	a, err := archive.NewWriter(out, archive.Head{
		Gitd: b.cfg.Version, Created: began.UTC(), Secrets: o.Secrets, Layers: o.Layers,
	})
	if err == nil {
		w := &work{Backups: b, Options: o, Writer: a, r: r}
		err = w.all(ctx)
	}
	if err != nil {
		b.cfg.Trail.Note(context.WithoutCancel(ctx), "", by.Name, "backup.failed", oneLine(err))
		return disk.Rejected(fmt.Errorf("the backup is not whole, and of no use: %w", err))
	}
	r.Done("the backup is whole, after %s", time.Since(began).Round(time.Millisecond))
	return nil
}

func oneLine(err error) string { return progress.OneLine(err.Error()) }

// work is the writing of one backup.
type work struct {
	*Backups
	Options
	*archive.Writer
	r        *progress.Report
	contents contents
}

// contents is what a backup says of itself, for people.
type contents struct {
	Apps    []string  `json:"apps"`
	Volumes []ofDisk  `json:"volumes"`
	LeftOut []string  `json:"left_out"` // what was removed meanwhile
	At      time.Time `json:"at"`       // the moment of the ledger
}

type ofDisk struct {
	ID     string `json:"id"`
	App    string `json:"app"`
	Name   string `json:"name"`
	Size   int64  `json:"size"`   // bytes
	Frozen bool   `json:"frozen"` // its app wrote nothing then; false and not idle: as after a power cut
	Idle   bool   `json:"idle"`   // no machine had it
}

// all writes everything. The ledger comes first, and says what is live. What is added later is in it as a whole or not
// at all: a repository may have commits that the ledger does not know, and the start after a restore sets its branch to
// what is live. What the ledger knows is not removed that fast: commits and images of releases outlive several more.
func (w *work) all(ctx context.Context) error {
	before, err := w.cfg.Ledger.Images(ctx)
	if err != nil {
		return err
	}
	if err := w.ledger(ctx); err != nil {
		return err
	}
	after, err := w.cfg.Ledger.Images(ctx)
	if err != nil {
		return err
	}
	images := append(before, after...)
	for _, part := range []func() error{
		w.secrets,
		func() error { return w.repos(ctx, images) },
		func() error { return w.volumes(ctx) },
		func() error { return w.layers(ctx, images) },
		func() error { return w.json("contents.json", w.contents) },
		w.Close,
	} {
		if err := errors.Join(ctx.Err(), part()); err != nil {
			return err
		}
	}
	return nil
}

// temp is a file that has no name any more when use is called, and is gone when it returns.
func (w *work) temp(use func(f *os.File) error) error {
	f, err := os.CreateTemp(core.Snapshots(w.cfg.State), ".new-") // removed at the next start, if gitd is killed
	if err != nil {
		return err
	}
	defer f.Close()
	if err := os.Remove(f.Name()); err != nil {
		return err
	}
	return use(f)
}

func (w *work) file(name string, f *os.File) error {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	return w.Add(name, size, io.NewSectionReader(f, 0, size))
}

func (w *work) ledger(ctx context.Context) error {
	f, err := os.CreateTemp(core.Snapshots(w.cfg.State), ".new-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // see temp
	defer f.Close()
	w.contents.At = time.Now().UTC()
	if err := w.cfg.Ledger.WriteCopy(ctx, f.Name()); err != nil {
		return err
	}
	w.r.Step("The ledger")
	return w.file(ledgerName, f)
}
