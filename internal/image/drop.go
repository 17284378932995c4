package image

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
)

// dropFile removes the file at path, known by name, unless it is needed.
func (w *Sweep) dropFile(name, path string) (freed int64, err error) {
	size := disk.Use(path)
	dropped, err := w.Drop(name, func() error { return os.Remove(path) })
	if !dropped || err != nil {
		return 0, disk.IgnoreMissing(err)
	}
	return size, nil
}

// DropFolder removes the folder at path, known by name, unless it is needed. It leaves its place at once and is
// removed afterwards, so that no build waits for that, and no crash leaves half of it there.
func (w *Sweep) DropFolder(state core.StateDir, name, path string) (freed int64, err error) {
	bin := trash(state, path)
	if err := disk.RemoveAll(bin); err != nil {
		return 0, err
	}
	dropped, err := w.Drop(name, func() error { return os.Rename(path, bin) })
	if !dropped || err != nil {
		return 0, disk.IgnoreMissing(err)
	}
	freed = disk.Use(bin)
	return freed, disk.RemoveAll(bin)
}

// RemoveFolder removes the folder at path as DropFolder does, needed or not.
func RemoveFolder(state core.StateDir, path string) error {
	bin := trash(state, path)
	return errors.Join(disk.RemoveAll(bin), os.Rename(path, bin), disk.RemoveAll(bin))
}

// trash is where a folder goes before it is removed: with the builds, whose leftovers a start removes.
func trash(state core.StateDir, path string) string {
	return filepath.Join(state.Builds(), "trash-"+filepath.Base(path))
}
