package image

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
)

// dropFile removes the file at path, known by name, unless it is needed.
func (w *Sweep) dropFile(name, path string) (freed int64, err error) {
	size, _ := disk.Use(path) // it is a file: either it is there or not
	dropped, err := w.Drop(name, func() error { return os.Remove(path) })
	if !dropped || err != nil {
		return 0, disk.IgnoreMissing(err)
	}
	return size.Bytes, nil
}

// DropFolder removes the folder at path, known by name, unless it is needed. It leaves its place at once and is
// removed afterwards, so that no build waits for that, and no crash leaves half of it there.
func (w *Sweep) DropFolder(state core.StateDir, name, path string) (freed int64, err error) {
	bin := trash(state, path)
	if err := disk.RemoveAll(bin); err != nil {
		return 0, err
	}
	dropped, err := w.Drop(name, func() error { return moveLocked(path, bin) })
	if !dropped || err != nil {
		return 0, disk.IgnoreMissing(err)
	}
	was, _ := disk.Use(bin) // what could not be read is freed too; how much it was stays unknown
	return was.Bytes, disk.RemoveAll(bin)
}

// moveLocked moves a folder that may be locked against its owner: one that moves must be writable.
func moveLocked(from, to string) error {
	err := os.Rename(from, to)
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return errors.Join(disk.Unlock(from), os.Rename(from, to))
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
