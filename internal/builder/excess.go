package builder

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"

	"github.com/nodeos-dev/gitd/internal/builder/sandbox"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/units"
)

// What a build leaves of the disk to all others.
const (
	lowSpace = 256 << 20 // bytes free; on a small disk, a twentieth of it
	lowFiles = 10_000
)

// buildMemory is what the processes of one build may have together: three quarters of the host's memory.
func buildMemory() int64 {
	var info syscall.Sysinfo_t
	if syscall.Sysinfo(&info) != nil {
		return 0
	}
	return int64(info.Totalram) * int64(info.Unit) / 4 * 3
}

// fills returns a function that says whether this build fills the disk: little is free, and the build has taken half of
// what is gone since it began. Other builds go on, and so do machines and the ledger, which need the rest.
func (j *job) fills() func() error {
	began, err := disk.SpaceOf(j.shop.dir)
	if err != nil {
		return nil
	}
	return func() error {
		now, err := disk.SpaceOf(j.shop.dir)
		if err != nil || !low(began, now) {
			return nil
		}
		t := taken(j.shop.dir, j.store.npmCache())
		if t.bytes < (began.Free-now.Free)/2 && t.files < (began.Files-now.Files)/2 {
			return nil // it is another's
		}
		return &sandbox.Excess{
			What: fmt.Sprintf("filled the server's disk: it has %s in %d files, and %s are free",
				units.Bytes(t.bytes), t.files, units.Bytes(now.Free)),
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
func taken(dirs ...string) (t need) {
	for _, dir := range dirs {
		filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error { //nolint:errcheck // see above
			if err != nil {
				return nil //nolint:nilerr // it counts nothing
			}
			t.files++
			if info, err := e.Info(); err == nil {
				t.bytes += disk.Allocated(info)
			}
			return nil
		})
	}
	return t
}
