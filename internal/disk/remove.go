package disk

import (
	"io/fs"
	"os"
	"path/filepath"
)

// RemoveAll is os.RemoveAll for a folder in which other people's code ran. Such code may have locked folders against
// their owner, which stops anyone but root.
func RemoveAll(dir string) error {
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
	entries, err := ReadDir(root, name)
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

// ReadDir lists the folder name of root. fs.ReadDir would refuse a name that is not UTF-8, which a build may make.
func ReadDir(root *os.Root, name string) ([]fs.DirEntry, error) {
	d, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.ReadDir(-1)
}
