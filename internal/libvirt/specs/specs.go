// Package specs checks what the driver is asked to boot, before anything of it is made.
package specs

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
	"github.com/nodeos-dev/gitd/internal/units"
)

// ID matches what a machine may be called. Its id is the name of a libvirt domain and of a folder.
var ID = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// Check says what of spec cannot be, or nil.
func Check(spec core.MachineSpec) error {
	switch {
	case !ID.MatchString(spec.ID):
		return errors.New("the id is not made of lower-case letters, digits and '-'")
	case spec.MemoryMiB <= 0 || spec.CPUs <= 0:
		return fmt.Errorf("%s of memory and %d CPUs are not enough", units.Bytes(int64(spec.MemoryMiB)<<20), spec.CPUs)
	case len(spec.Disks) == 0 || len(spec.Disks) > guest.MaxDisks:
		return fmt.Errorf("%d disks; there must be 1 to %d", len(spec.Disks), guest.MaxDisks)
	case spec.Port < 0 || spec.Port > 65535 || spec.Port == 0 && spec.Task == nil:
		return fmt.Errorf("port %d is none", spec.Port)
	}
	paths := []string{spec.Kernel}
	for _, disk := range spec.Disks {
		paths = append(paths, disk.Path)
	}
	for _, p := range paths {
		if !filepath.IsAbs(p) {
			return fmt.Errorf("path %q is not absolute", p)
		}
	}
	return checkSerials(spec)
}

// checkSerials checks that the guest will find each disk, and a writable disk for each mount.
func checkSerials(spec core.MachineSpec) error {
	writable := map[string]bool{}
	for _, disk := range spec.Disks {
		if _, twice := writable[disk.Serial]; twice || disk.Serial == "" || len(disk.Serial) > guest.MaxSerial {
			return fmt.Errorf("disk serial %q: it must be the only one, of 1 to %d bytes", disk.Serial, guest.MaxSerial)
		}
		writable[disk.Serial] = disk.Writable
	}
	for _, m := range spec.Mounts {
		if !writable[m.Serial] {
			return fmt.Errorf("there is no writable disk %q to mount at %s", m.Serial, m.Path)
		}
	}
	return nil
}
