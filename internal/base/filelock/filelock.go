// Package filelock is a lock in a file, for work that goroutines and processes
// share. It ends with its holder. It does not own what is locked.
package filelock

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Take takes the lock at path, which is held against other goroutines and
// other processes alike, and ends with the process. busy is called once if
// somebody else has it. A link at path is refused: root may lock in a folder of somebody else's.
func Take(ctx context.Context, path string, busy func()) (unlock func(), err error) {
	f, err := TakeFile(ctx, path, busy)
	if err != nil {
		return nil, err
	}
	return func() { f.Close() }, nil
}

// TakeFile is Take for a lock that is shared with a child of this process, which gets the file. The lock ends when the
// last of them has closed it.
func TakeFile(ctx context.Context, path string, busy func()) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	err = flock(f, unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		busy()
		err = wait(ctx, f)
	} else if err != nil {
		f.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return f, nil
}

// wait waits for the lock, or closes f.
func wait(ctx context.Context, f *os.File) error {
	got := make(chan error, 1)
	go func() { got <- flock(f, 0) }()
	select {
	case err := <-got:
		if err != nil {
			f.Close()
		}
		return err
	case <-ctx.Done():
		// The kernel's wait has no end of its own: the lock is let go as soon
		// as it is given.
		go func() {
			<-got //nolint:errcheck // nobody waits for the lock
			f.Close()
		}()
		return ctx.Err()
	}
}

func flock(f *os.File, flags int) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|flags)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
