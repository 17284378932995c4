// Package stamp tells whether a file has changed without reading it. It owns
// no cache; callers keep what it writes.
package stamp

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// Write writes what changes whenever the file's content does: with the inode
// and the change time, which no program can set, a restored modification time
// does not hide a change.
func Write(w io.Writer, file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("stat %s: %w", file, errors.ErrUnsupported)
	}
	_, err = fmt.Fprintf(w, " %q %d %d %d %d %d", file, s.Dev, s.Ino, s.Size, s.Mtim.Nano(), s.Ctim.Nano())
	return err
}
