package core

import (
	"os"
	"time"
)

// DiskCopy is a disk of a machine, by its path on the host, and the file that its copy goes to: empty, as long as the
// disk, and open for reading and writing.
type DiskCopy struct {
	Path string
	To   *os.File
}

// Captured is how a copy of a disk was made whose machine ran.
type Captured struct {
	Frozen bool          // the guest held its app's writes; false: the copy is as after a power cut
	Held   time.Duration // for so long
}
