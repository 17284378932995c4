package debian

import (
	"errors"
	"io/fs"
)

// AddApplets gives busybox, if it is among the packages, the names by which programs call it. A file that another
// package has of such a name stays. Debian leaves these links to the administrator, since they would be in the way of
// the real programs; a machine has no other ones.
func (u *Unpacked) AddApplets(names []string) error {
	const bin, busybox = "usr/bin/", "busybox"
	if info, err := u.root.Lstat(bin + busybox); err != nil || !info.Mode().IsRegular() {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	for _, name := range names {
		if err := u.root.Symlink(busybox, bin+name); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}
