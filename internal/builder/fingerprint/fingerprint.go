// Package fingerprint tells whether a build has changed a folder. It owns what counts as a change.
package fingerprint

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"path/filepath"
)

// Of tells whether anything below dir changed: names, sizes, modes,
// times and links, not contents. npm's and bundlers' scratch folder
// node_modules/.cache does not count.
func Of(dir string) (sum [sha256.Size]byte, err error) {
	h := sha256.New()
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && path == filepath.Join(dir, ".cache") {
			return fs.SkipDir
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if e.IsDir() {
			fmt.Fprintf(h, "%q %s\n", path, info.Mode())
			return nil
		}
		fmt.Fprintf(h, "%q %s %d %d\n", path, info.Mode(), info.Size(), info.ModTime().UnixNano())
		return nil
	})
	return [sha256.Size]byte(h.Sum(nil)), err
}
