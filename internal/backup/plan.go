package backup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// Plans is where the ledger keeps the plan of backups.
type Plans interface {
	// BackupPlan returns core.ErrNotFound if there is none.
	BackupPlan(ctx context.Context) (core.BackupPlan, error)
	// SetBackupPlan replaces the plan; nil: there is none any more.
	SetBackupPlan(ctx context.Context, p *core.BackupPlan) error
	// NoteBackup stores when the last planned backup was begun, and why it failed; "": it did not.
	NoteBackup(ctx context.Context, at time.Time, problem string) error
}

const (
	fileName = "gitd-20060102T150405Z.tar" // in UTC
	partEnd  = ".part"                     // ends the name of one that is not whole
)

// Kept is a backup in the folder of the plan.
type Kept struct {
	Path string
	Time time.Time
	Size int64 // bytes
}

func tryDir(dir string) error {
	f, err := os.CreateTemp(dir, ".gitd-try-")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// Plan is how backups are made by themselves, or core.ErrNotFound.
func (b *Backups) Plan(ctx context.Context) (core.BackupPlan, error) {
	return b.cfg.Ledger.BackupPlan(ctx)
}

// Due is when the next one begins.
func (b *Backups) Due(p core.BackupPlan) time.Time {
	next, err := b.cfg.Next(p.Schedule, p.Last)
	if err != nil {
		return time.Time{}
	}
	return next
}

// SetPlan makes backups by themselves from now on; nil: no more.
func (b *Backups) SetPlan(ctx context.Context, by core.Actor, p *core.BackupPlan) error {
	what := "off"
	if p != nil {
		p.Last = time.Now()
		if err := b.checkPlan(*p); err != nil {
			return err
		}
		what = fmt.Sprintf("%s to %s, keep %s", p.Schedule, p.Dir, p.Keep)
	}
	if err := b.cfg.Ledger.SetBackupPlan(ctx, p); err != nil {
		return err
	}
	b.cfg.Trail.Note(ctx, "", by.Name, "backup.schedule", what)
	select {
	case b.changed <- struct{}{}:
	default:
	}
	return nil
}

// List are the backups in the folder of a plan, the newest first.
func List(dir string) (all []Kept, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		t, notOurs := time.Parse(fileName, e.Name())
		info, infoErr := e.Info()
		if notOurs == nil && infoErr == nil && info.Mode().IsRegular() {
			all = append(all, Kept{filepath.Join(dir, e.Name()), t, info.Size()})
		}
	}
	slices.SortFunc(all, func(a, b Kept) int { return b.Time.Compare(a.Time) })
	return all, nil
}

// KeepTime makes backups when they are due, until ctx ends. One that was due while no gitd ran is made at its start.
func (b *Backups) KeepTime(ctx context.Context) error {
	var began time.Time // of the last one: the ledger may not take it
	for ctx.Err() == nil {
		var due <-chan time.Time
		p, err := b.Plan(ctx)
		if p.Last.Before(began) {
			p.Last = began
		}
		if next := b.Due(p); err == nil && !next.IsZero() {
			due = time.After(time.Until(next))
		} else if err != nil && !errors.Is(err, core.ErrNotFound) && ctx.Err() == nil {
			b.cfg.Log.Error("the plan of backups cannot be read", "error", err)
		}
		select {
		case <-due:
			began = time.Now()
			b.planned(ctx, p)
		case <-b.changed:
		case <-ctx.Done():
		}
	}
	return nil
}

// planned makes one, and notes what became of it.
func (b *Backups) planned(ctx context.Context, p core.BackupPlan) {
	began, problem := time.Now(), ""
	path, err := b.toFile(ctx, p, began)
	if ctx.Err() != nil {
		return // the next start makes it
	}
	if err != nil {
		problem = oneLine(err)
		b.cfg.Log.Error("the planned backup has failed", "error", err)
		b.cfg.Trail.Note(ctx, "", planner.Name, "backup.failed", problem)
	} else {
		b.cfg.Log.Info("backup made", "file", path, "took", time.Since(began))
	}
	if err := b.cfg.Ledger.NoteBackup(ctx, began, problem); err != nil {
		b.cfg.Log.Error("what became of the backup is not noted", "error", err)
	}
}

// planner is who makes planned backups.
var planner = core.Actor{Name: "gitd", Admin: true}

// toFile writes a backup to a file that has its name when it is whole, and removes those that need not be kept.
func (b *Backups) toFile(ctx context.Context, p core.BackupPlan, now time.Time) (path string, err error) {
	path = filepath.Join(p.Dir, now.UTC().Format(fileName))
	f, err := os.OpenFile(path+partEnd, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	err = b.Write(ctx, planner, Options{Secrets: p.Secrets, Layers: p.Layers}, f, progress.NewReport(nil))
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(path+partEnd, path)
	}
	if err != nil {
		return "", errors.Join(err, os.Remove(path+partEnd))
	}
	return path, errors.Join(prune(p), disk.SyncFolder(p.Dir))
}

// prune removes what need not be kept, and what a gitd that was killed had begun.
func prune(p core.BackupPlan) error {
	keep, err := ParseKeep(p.Keep)
	if err != nil {
		return err
	}
	all, err := List(p.Dir)
	if err != nil {
		return err
	}
	remove, err := filepath.Glob(filepath.Join(p.Dir, "gitd-*Z.tar"+partEnd))
	if err != nil {
		return err
	}
	var times []time.Time
	for _, k := range all {
		times = append(times, k.Time)
	}
	for _, t := range keep.Dispensable(times) {
		remove = append(remove, filepath.Join(p.Dir, t.Format(fileName)))
	}
	for _, path := range remove {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}
