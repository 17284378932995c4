// Package stamp tells whether a file has changed without reading it. It owns
// no cache; callers keep what it writes.
package stamp

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
)

// Write writes what changes whenever the file's content does: with the inode
// and the change time, which no program can set, a restored modification time
// does not hide a change.
func Write(w io.Writer, file string) error {
	s, err := stat(file)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, " %q %d %d %d %d %d", file, s.Dev, s.Ino, s.Size, s.Mtim.Nano(), s.Ctim.Nano())
	return err
}

// Changed is when the file's content, owner, mode or name was last changed.
func Changed(file string) (time.Time, error) {
	s, err := stat(file)
	if err != nil {
		return time.Time{}, err
	}
	return time.Unix(0, s.Ctim.Nano()), nil
}

func stat(file string) (*syscall.Stat_t, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil, fmt.Errorf("stat %s: %w", file, errors.ErrUnsupported)
	}
	return s, nil
}
