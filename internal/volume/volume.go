// Package volume keeps the disks that outlive an app's machines: one sparse file with an ext4 file system for each
// volume. It implements apps.VolumeFiles.
//
// It owns the files below STATE/volumes, the room that they may take, and the order of steps by which no volume is lost
// and no file is left over. It does not own which volumes there are (the ledger), nor when a machine may have one (the
// core).
package volume

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sync"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
)

// A mark at the end of a file's name says that a change was begun. The mark is made before the ledger is changed, and
// is removed after that. So Recover learns from the ledger whether it must complete the change or undo it.
const (
	markNew     = ".new"     // a second name of a file that is being created
	markRemoved = ".removed" // the only name of a file that is being removed
)

// Store is the folder of the volumes. Its methods are safe for concurrent
// use.
type Store struct {
	state core.StateDir
	mu    sync.Mutex // held for each change, so that the same room is not given twice
}

// Open returns the store of the volumes of state.
func Open(state core.StateDir) *Store { return &Store{state: state} }

// volumeID matches the ids that may become part of a file name.
var volumeID = regexp.MustCompile(`^[a-z0-9-]{1,80}$`)

func (s *Store) path(v core.Volume) (string, error) {
	if !volumeID.MatchString(v.ID) {
		return "", fmt.Errorf("volume id %q: it cannot name a file", v.ID)
	}
	return s.state.Volume(v.ID), nil
}

// Create implements apps.VolumeFiles.
func (s *Store) Create(ctx context.Context, v core.Volume, record func() error) error {
	return s.create(v, record, func(path string) error { return makeFile(ctx, path, v.Size) })
}

// create makes the file of v with make, and records it.
func (s *Store) create(v core.Volume, record func() error, make func(path string) error) error {
	path, err := s.path(v)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.checkRoom(v.Size); err != nil {
		return err
	}
	if err := make(path + markNew); err != nil {
		return errors.Join(err, remove(path+markNew))
	}
	// A link, and not a rename, because a link replaces no existing file.
	if err := os.Link(path+markNew, path); err != nil {
		return errors.Join(fmt.Errorf("make volume: %w", err), remove(path+markNew))
	}
	err = s.sync()
	if err == nil {
		err = record()
	}
	if err != nil {
		return errors.Join(err, remove(path), remove(path+markNew))
	}
	s.unmark(path + markNew)
	return nil
}

// makeFile makes an empty file system in a file that only gitd's user can open. The driver lets QEMU open it.
func makeFile(ctx context.Context, path string, size int64) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("make volume: %w", err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		return fmt.Errorf("make volume: %w", err)
	}
	if err := mkfs(ctx, path); err != nil {
		return err
	}
	return f.Sync()
}

// Remove implements apps.VolumeFiles. A volume whose file is lost can be removed too.
func (s *Store) Remove(v core.Volume, forget func() error) error {
	path, err := s.path(v)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := os.Rename(path, path+markRemoved); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove volume: %w", err)
	}
	if err := s.sync(); err != nil {
		return err
	}
	if err := forget(); err != nil {
		return errors.Join(err, putBack(path))
	}
	remove(core.LabelFiles(s.state).Volume(v.ID)) //nolint:errcheck // what stays, the next Recover removes
	s.unmark(path + markRemoved)
	return nil
}

func putBack(path string) error {
	err := os.Rename(path+markRemoved, path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// unmark removes the mark of a change that is complete. If that fails, the next Recover removes the mark.
func (s *Store) unmark(marked string) {
	if remove(marked) == nil {
		s.sync() //nolint:errcheck // see above
	}
}

// sync makes the names in the folder durable.
func (s *Store) sync() error { return disk.SyncFolder(s.state.Volumes()) }

func remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Used implements apps.VolumeFiles.
func (s *Store) Used(v core.Volume) (int64, error) {
	path, err := s.path(v)
	if err != nil {
		return 0, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return disk.Allocated(info), nil
}

// files returns the files in the folder that have this mark, by the id of their volume. An empty mark means files
// without a mark.
func (s *Store) files(mark string) (map[string]fs.FileInfo, error) {
	paths, err := filepath.Glob(s.state.Volume("*") + mark)
	if err != nil {
		return nil, err
	}
	found := map[string]fs.FileInfo{}
	for _, p := range paths {
		info, err := os.Lstat(p)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		id := filepath.Base(p)
		found[id[:len(id)-len(".ext4"+mark)]] = info
	}
	return found, nil
}
