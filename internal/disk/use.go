package disk

import (
	"io/fs"
	"os"
	"syscall"
)

// Used is what a file or a folder takes on the disk.
type Used struct {
	Bytes int64
	Files int64 // and folders
	Size  int64 // bytes that are in the files

	Depth int // of the folders: how many are in each other
	Path  int // bytes of the longest path in it
}

// Use adds up what the file or folder at path takes; a file with several names counts once. What is not there takes
// nothing. The error says that something could not be read, and counts nothing.
func Use(path string) (Used, error) {
	var u Used
	seen := map[fileID]bool{}
	w := walk{top: path, see: func(info fs.FileInfo, depth, path int) {
		u.Path = max(u.Path, path)
		if info.IsDir() {
			u.Depth = max(u.Depth, depth)
		}
		if s, ok := info.Sys().(*syscall.Stat_t); ok && s.Nlink > 1 && !info.IsDir() {
			id := fileID{uint64(s.Dev), s.Ino}
			if seen[id] {
				return
			}
			seen[id] = true
		}
		u.Bytes += Allocated(info)
		u.Files++
		if info.Mode().IsRegular() {
			u.Size += info.Size()
		}
	}}
	err := w.run()
	return u, err
}

// fileID is the identity of a file on this host.
type fileID struct{ dev, ino uint64 }

// Allocated is how many bytes a file takes on the disk: more than its size, or less if it has holes.
func Allocated(info os.FileInfo) int64 {
	const block = 512 // of st_blocks, whatever the file system's own is
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Blocks * block
	}
	return info.Size()
}
