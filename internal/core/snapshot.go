package core

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"time"
)

// Snapshot is a copy of a volume as it was at one moment. The file is all there is of it.
type Snapshot struct {
	Name    string // unique among those of the volume
	Created time.Time
	Size    int64 // bytes, that of the volume
	Used    int64 // bytes of the host's disk
}

// Draft is a file with a copy of a volume that has no name yet. It is gone when it is closed, unless somebody has
// kept it.
type Draft struct {
	*os.File
	Kept bool
}

// Close closes the file, and removes it unless it was kept.
func (d *Draft) Close() error {
	err := d.File.Close()
	if !d.Kept {
		err = errors.Join(err, os.Remove(d.Name()))
	}
	return err
}

// snapshotName allows names that need no quoting, and that no temporary file has.
var snapshotName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// CheckSnapshotName says why a snapshot cannot have this name, or nil.
func CheckSnapshotName(name string) error {
	if !snapshotName.MatchString(name) {
		return Reject(fmt.Sprintf("%.80q is no name for a snapshot", name), "use up to 63 letters, digits, '.', '_' and '-', starting with a letter or digit")
	}
	return nil
}

// SnapshotName is the name of a snapshot for which nobody has chosen one.
func SnapshotName(now time.Time) string { return now.UTC().Format("20060102-150405") }
