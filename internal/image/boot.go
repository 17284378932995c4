package image

import (
	"errors"
	"io/fs"
	"os"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
)

// Boot puts the files of an image into s: the kernel of its base, and a disk for the base and for each layer. Whether
// they are there, Check says.
func Boot(s *core.MachineSpec, state core.StateDir, m core.Manifest) {
	s.Kernel = state.Kernel(m.Base)
	if _, err := os.Stat(state.Initrd(m.Base)); !errors.Is(err, fs.ErrNotExist) {
		s.Initrd = state.Initrd(m.Base) // the minimal kernel has none
	}
	s.Disks = []core.Disk{
		{Serial: guest.DiskBase, Path: state.Root(m.Base)},
		{Serial: guest.DiskApp, Path: state.Layer(m.App.Digest)},
	}
	if m.Deps.Digest != "" {
		s.Disks = append(s.Disks, core.Disk{Serial: guest.DiskDeps, Path: state.Layer(m.Deps.Digest)})
	}
	if m.Debian.Digest != "" {
		s.Disks = append(s.Disks, core.Disk{Serial: guest.DiskDebian, Path: state.Layer(m.Debian.Digest)})
	}
}
