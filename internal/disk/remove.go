package disk

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// RemoveAll removes a folder in which other people's code ran, and all that is in it. A missing one is no error.
//
// Such code may have locked folders against their owner, which stops anyone but root, and it may have nested them by
// the ten thousand. os.RemoveAll holds a descriptor for each level, and no path reaches below 4 KiB. So here a folder
// in a folder is moved up to the top before it is emptied: a few descriptors, and each folder is touched once.
func RemoveAll(dir string) error {
	parent, name := filepath.Split(filepath.Clean(dir))
	root, err := os.OpenRoot(filepath.Clean(parent))
	if err != nil {
		return IgnoreMissing(err)
	}
	defer root.Close()
	return RemoveAllIn(root, name)
}

// Unlock lets the owner of a folder do everything with it.
func Unlock(dir string) error {
	parent, name := filepath.Split(filepath.Clean(dir))
	root, err := os.OpenRoot(filepath.Clean(parent))
	if err != nil {
		return err
	}
	defer root.Close()
	return root.Chmod(name, 0o700)
}

// RemoveAllIn is RemoveAll for name in root. A link is removed, and not followed.
func RemoveAllIn(root *os.Root, name string) error {
	info, err := root.Lstat(name)
	if err != nil {
		return IgnoreMissing(err)
	}
	if info.IsDir() {
		if err := empty(root, name); err != nil {
			return fmt.Errorf("remove %s: %w", name, err)
		}
	}
	return IgnoreMissing(root.Remove(name))
}

// IgnoreMissing is err, unless it says that a file is not there.
func IgnoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// empty removes what is in a folder of root.
func empty(root *os.Root, name string) error {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		return err
	}
	top, err := openLocked(root, name)
	if err != nil {
		return err
	}
	defer top.Close()
	r := &removal{top: top, prefix: ".removed-" + hex.EncodeToString(b[:]) + "-"}
	for {
		r.moved = 0
		err := sweep(top, r.below)
		if err != nil || r.moved == 0 { // what was moved may have come after the list was read
			return err
		}
	}
}

// openLocked opens a folder that may be locked against its owner.
func openLocked(root *os.Root, name string) (*os.Root, error) {
	if err := root.Chmod(name, 0o700); err != nil {
		return nil, err
	}
	return root.OpenRoot(name)
}

// sweep removes the files of a folder, and calls folder for each folder in it.
func sweep(root *os.Root, folder func(name string) error) error {
	d, err := root.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	for {
		entries, end := d.ReadDir(1000)
		for _, e := range entries {
			remove := root.Remove
			if e.IsDir() {
				remove = folder
			}
			if err := remove(e.Name()); IgnoreMissing(err) != nil {
				return err
			}
		}
		if end != nil {
			if errors.Is(end, io.EOF) {
				return nil
			}
			return end
		}
	}
}

// removal empties the folder top.
type removal struct {
	top    *os.Root
	prefix string // of the names that folders get which are moved there: nobody can have guessed it
	named  int
	moved  int // since top was read from its beginning
}

// below removes a folder that is in top. The folders in it are moved to top.
func (r *removal) below(name string) error {
	sub, err := openLocked(r.top, name)
	if err != nil {
		return err
	}
	defer sub.Close()
	err = sweep(sub, func(child string) error {
		if err := sub.Chmod(child, 0o700); err != nil { // a folder that is moved must be writable
			return err
		}
		r.named++
		r.moved++
		return r.top.Rename(name+"/"+child, fmt.Sprint(r.prefix, r.named))
	})
	if err != nil {
		return err
	}
	return r.top.Remove(name)
}

// ReadDir lists the folder name of root. fs.ReadDir would refuse a name that is not UTF-8, which a build may make.
func ReadDir(root *os.Root, name string) ([]fs.DirEntry, error) {
	d, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.ReadDir(-1)
}
