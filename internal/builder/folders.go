package builder

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// removeChildren empties a folder but for its hidden files.
func removeChildren(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			errs = append(errs, removeTree(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(errs...)
}

// removeTree removes a folder in which other people's code ran. Such code may
// have locked folders against their owner, which stops anyone but root.
func removeTree(dir string) error {
	if err := os.RemoveAll(dir); err == nil {
		return nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := unlock(root, "."); err != nil {
		return err
	}
	return os.RemoveAll(dir)
}

func unlock(root *os.Root, name string) error {
	if err := root.Chmod(name, 0o700); err != nil {
		return err
	}
	entries, err := readDir(root, name)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := unlock(root, filepath.Join(name, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// measure adds up the files below dir, without following links. It stops
// with an error at the limits.
func measure(dir string, maxFiles int, maxBytes int64) (files int, bytes int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		files++
		if info.Mode().IsRegular() {
			bytes += info.Size()
		}
		if files > maxFiles || bytes > maxBytes {
			return errTooLarge
		}
		return nil
	})
	return files, bytes, err
}

var errTooLarge = errors.New("too large")
