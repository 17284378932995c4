package libvirt

import (
	"fmt"

	"github.com/nodeos-dev/gitd/internal/service"
)

// reach returns an error if there is a folder on the way to path that QEMU's user cannot enter. The error says which,
// and what to type. QEMU opens the disks by their paths: without this check, each machine would fail with libvirt's
// inner words.
func (a *account) reach(path string) error {
	if a.Name == "" {
		return nil // QEMU runs as this process does
	}
	dir, err := service.Account{Name: a.Name, UID: a.UID, GID: a.GID, Groups: a.Groups}.Blocked(path)
	if err == nil && dir != "" {
		err = fmt.Errorf("the user %s, as whom QEMU runs, cannot enter %s, so no machine could open its disks in %s: "+
			"chmod o+x %s, or choose another folder with --state", a.Name, dir, path, dir)
	}
	return err
}
