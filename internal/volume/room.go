package volume

import (
	"fmt"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/units"
)

// keepFree is what a new volume leaves of the host's disk for builds, logs and
// the ledger, in bytes.
const keepFree = 256 << 20

// checkRoom refuses a volume for which the disk has no room. The files of volumes are sparse: what the existing ones
// may still take counts as taken.
func (s *Store) checkRoom(size int64) error {
	space, err := disk.SpaceOf(s.state.Volumes())
	if err != nil {
		return err
	}
	promised, err := s.promised()
	if err != nil {
		return err
	}
	if room := max(0, space.Free-promised-keepFree); size > room {
		return core.Reject(
			fmt.Sprintf("there is no room for a volume of %s: the disk has %s free, "+
				"of which %s are promised to other volumes and %s are kept for gitd",
				units.Bytes(size), units.Bytes(space.Free), units.Bytes(promised), units.Bytes(keepFree)),
			fmt.Sprintf("up to %s would fit", units.Bytes(room)))
	}
	return nil
}

// promised returns what the existing volumes may still take, in bytes.
func (s *Store) promised() (int64, error) {
	files, err := s.files("")
	if err != nil {
		return 0, err
	}
	var sum int64
	for _, info := range files {
		sum += max(0, info.Size()-disk.Allocated(info))
	}
	return sum, nil
}
