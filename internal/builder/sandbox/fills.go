package sandbox

import (
	"fmt"

	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/units"
)

// What a build leaves of the disk to all others.
const (
	lowSpace = 256 << 20 // bytes free; on a small disk, a twentieth of it
	lowFiles = 10_000
)

// Fills returns a Check that fails when a command fills the disk of the first of the folders in which it may write:
// little is free, and the command has taken half of what is gone since it began. Other commands go on, and so do
// machines and the ledger, which need the rest.
func Fills(folders ...string) func() error {
	began, err := disk.SpaceOf(folders[0])
	if err != nil {
		return nil
	}
	return func() error {
		now, err := disk.SpaceOf(folders[0])
		if err != nil || !low(began, now) {
			return nil //nolint:nilerr // if it cannot be known, no command is ended
		}
		bytes, files := taken(folders)
		if bytes < (began.Free-now.Free)/2 && files < (began.Files-now.Files)/2 {
			return nil // it is another's
		}
		return &Excess{
			What: fmt.Sprintf("filled the server's disk: it has %s in %d files, and %s are free",
				units.Bytes(bytes), files, units.Bytes(now.Free)),
			Hint: "a build must not need that much; " + disk.FreeRoom,
		}
	}
}

// low reports whether little is left. A disk on which little was left before is no fault of this build.
func low(began, now disk.Space) bool {
	space := min(lowSpace, began.Size/20)
	return began.Free > 2*space && now.Free < space || began.Files > 2*lowFiles && now.Files < lowFiles
}

// taken adds up what is in folders in which a build runs. What cannot be read counts nothing.
func taken(folders []string) (bytes, files int64) {
	for _, dir := range folders {
		u, _ := disk.Use(dir) // see above
		bytes, files = bytes+u.Bytes, files+u.Files
	}
	return bytes, files
}
