package disk

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// DiskUse is how many bytes the file or folder at path takes on the disk.
// What cannot be read counts nothing, and neither does what is not there.
func Use(path string) (bytes int64) {
	filepath.WalkDir(path, func(_ string, e fs.DirEntry, err error) error { //nolint:errcheck // see above
		if err != nil {
			return nil
		}
		if info, err := e.Info(); err == nil {
			bytes += blocks(info)
		}
		return nil
	})
	return bytes
}

// blocks is what a file takes, which is more than its size, or less if it
// has holes.
func blocks(info os.FileInfo) int64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Blocks * 512
	}
	return info.Size()
}
