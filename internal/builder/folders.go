package builder

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/nodeos-dev/gitd/internal/disk"
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
			errs = append(errs, disk.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(errs...)
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
