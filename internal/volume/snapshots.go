package volume

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/units"
)

// Snapshots are the files STATE/snapshots/VOLUME/NAME.ext4. The folder is all that is known of them: a ledger that was
// restored from yesterday's backup does not cost today's snapshots.
const (
	snapshotEnd = ".ext4"
	unfinished  = ".new-" // begins the name of a file that has not got its own yet
)

func (s *Store) snapshots(v core.Volume) (string, error) {
	if !volumeID.MatchString(v.ID) {
		return "", fmt.Errorf("volume id %q: it cannot name a folder", v.ID)
	}
	return filepath.Join(core.Snapshots(s.state), v.ID), nil
}

func (s *Store) snapshot(v core.Volume, name string) (string, error) {
	dir, err := s.snapshots(v)
	if err == nil {
		err = core.CheckSnapshotName(name)
	}
	return filepath.Join(dir, name+snapshotEnd), err
}

// Draft makes an empty file of so many bytes, for a copy of a volume, if used bytes of contents have room. It is gone
// when it is closed, unless Keep or Replace has given it a name before.
func (s *Store) Draft(size, used int64) (*core.Draft, error) {
	space, err := disk.SpaceOf(core.Snapshots(s.state))
	if err != nil {
		return nil, err
	}
	if used+keepFree > space.Free {
		return nil, core.Reject(fmt.Sprintf("there is no room for a copy of %s: the disk has %s free, of which %s are kept for gitd",
			units.Bytes(used), units.Bytes(space.Free), units.Bytes(keepFree)), disk.FreeRoom)
	}
	f, err := os.CreateTemp(core.Snapshots(s.state), unfinished)
	if err != nil {
		return nil, err
	}
	d := &core.Draft{File: f}
	if err := f.Truncate(size); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// place gives a draft a name that no file has.
func place(d *core.Draft, path string) error {
	if err := d.Sync(); err != nil {
		return err
	}
	if err := os.Link(d.Name(), path); err != nil {
		return err
	}
	return disk.SyncFolder(filepath.Dir(path))
}

// Keep makes a draft a snapshot of v.
func (s *Store) Keep(v core.Volume, name string, d *core.Draft) error {
	path, err := s.snapshot(v, name)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	err = place(d, path)
	if errors.Is(err, fs.ErrExist) {
		return core.Reject(fmt.Sprintf("there is a snapshot %q already", name), "choose another name")
	}
	return err
}

// Snapshots are those of v, the oldest first.
func (s *Store) Snapshots(v core.Volume) (all []core.Snapshot, err error) {
	dir, err := s.snapshots(v)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, disk.IgnoreMissing(err)
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), snapshotEnd)
		info, err := e.Info()
		if !ok || err != nil || !info.Mode().IsRegular() {
			continue
		}
		all = append(all, core.Snapshot{Name: name, Created: info.ModTime(), Size: info.Size(), Used: disk.Allocated(info)})
	}
	return all, nil
}

// Open opens v, or its snapshot with this name, for reading.
func (s *Store) Open(v core.Volume, snapshot string) (*os.File, error) {
	path, err := s.path(v)
	if snapshot != "" {
		path, err = s.snapshot(v, snapshot)
	}
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) && snapshot != "" {
		return nil, core.Reject(fmt.Sprintf("%s of %s has no snapshot %q", v.Name, v.App, snapshot),
			fmt.Sprintf("`volumes:snapshots %s %s` lists them", v.App, v.Name))
	}
	return f, err
}

// RemoveSnapshot removes one.
func (s *Store) RemoveSnapshot(v core.Volume, name string) error {
	f, err := s.Open(v, name)
	if err != nil {
		return err
	}
	defer f.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(remove(f.Name()), disk.SyncFolder(filepath.Dir(f.Name())))
}

// Adopt makes a draft the file of the new volume v, as Create makes an empty one.
func (s *Store) Adopt(ctx context.Context, v core.Volume, d *core.Draft, record func() error) error {
	return s.create(v, record, func(path string) error { return errors.Join(ctx.Err(), place(d, path)) })
}

// Replace gives v the contents of a draft. A machine that runs with v keeps the file that it has open, until it ends.
func (s *Store) Replace(v core.Volume, d *core.Draft) error {
	path, err := s.path(v)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := d.Sync(); err != nil {
		return err
	}
	if err := os.Rename(d.Name(), path); err != nil {
		return err
	}
	d.Kept = true
	return errors.Join(s.sync(), disk.SyncFolder(core.Snapshots(s.state)))
}

// sweepDrafts removes the drafts of a gitd that was killed.
func (s *Store) sweepDrafts() error {
	begun, err := filepath.Glob(filepath.Join(core.Snapshots(s.state), unfinished+"*"))
	for _, path := range begun {
		err = errors.Join(err, remove(path))
	}
	return err
}
