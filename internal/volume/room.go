package volume

import (
	"fmt"
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"

	"gitd/internal/core"
	"gitd/internal/units"
)

// keepFree is what a new volume leaves of the host's disk for builds, logs and
// the ledger, in bytes.
const keepFree = 256 << 20

// checkRoom refuses a volume that could not be filled. Volumes are sparse:
// what those there are may still take counts as taken.
func (s *Store) checkRoom(size int64) error {
	free, err := freeBytes(s.state.Volumes())
	if err != nil {
		return err
	}
	promised, err := s.promised()
	if err != nil {
		return err
	}
	if room := max(0, free-promised-keepFree); size > room {
		return core.Reject(
			fmt.Sprintf("there is no room for a volume of %s: the disk has %s free, of which %s are promised to other volumes and %s are kept for gitd",
				units.Bytes(size), units.Bytes(free), units.Bytes(promised), units.Bytes(keepFree)),
			fmt.Sprintf("up to %s would fit", units.Bytes(room)))
	}
	return nil
}

// promised is what the volumes may still take, in bytes.
func (s *Store) promised() (int64, error) {
	files, err := s.files("")
	if err != nil {
		return 0, err
	}
	var sum int64
	for _, info := range files {
		sum += max(0, info.Size()-allocated(info))
	}
	return sum, nil
}

// freeBytes is what gitd may still take of dir's disk.
func freeBytes(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("free room in %s: %w", dir, err)
	}
	return int64(st.Bavail) * st.Bsize, nil
}

// allocated is what a file takes of the disk, in bytes.
func allocated(info fs.FileInfo) int64 {
	const block = 512 // of st_blocks, whatever the file system's own is
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Blocks * block
	}
	return info.Size()
}
