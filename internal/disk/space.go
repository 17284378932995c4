package disk

import (
	"fmt"
	"math"
	"syscall"
)

// Space is what a file system has.
type Space struct {
	Size  int64 // bytes
	Free  int64 // bytes that an ordinary user may still take
	Files int64 // files that may still be made
}

// SpaceOf asks the file system that path is on.
func SpaceOf(path string) (Space, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(path, &s); err != nil {
		return Space{}, fmt.Errorf("look how much room %s has: %w", path, err)
	}
	space := Space{Size: int64(s.Blocks) * s.Bsize, Free: int64(s.Bavail) * s.Bsize, Files: int64(s.Ffree)}
	if s.Files == 0 { // a file system that makes inodes as it needs them
		space.Files = math.MaxInt64
	}
	return space, nil
}
