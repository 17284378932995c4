package disk

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Use is how many bytes the file or folder at path takes on the disk. What cannot be read counts nothing, and neither
// does what is not there.
func Use(path string) (bytes int64) {
	filepath.WalkDir(path, func(_ string, e fs.DirEntry, err error) error { //nolint:errcheck // see above
		if err != nil {
			return nil //nolint:nilerr // it counts nothing
		}
		if info, err := e.Info(); err == nil {
			bytes += Allocated(info)
		}
		return nil
	})
	return bytes
}

// Allocated is how many bytes a file takes on the disk: more than its size, or less if it has holes.
func Allocated(info os.FileInfo) int64 {
	const block = 512 // of st_blocks, whatever the file system's own is
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Blocks * block
	}
	return info.Size()
}
