package libvirt

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// reach returns an error if there is a folder on the way to path that QEMU's user cannot enter. The error says which,
// and what to type. QEMU opens the disks by their paths: without this check, each machine would fail with libvirt's
// inner words.
func (a *account) reach(path string) error {
	if a.Name == "" {
		return nil // QEMU runs as this process does
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	var way []string // from path up to the root
	for dir := path; ; dir = filepath.Dir(dir) {
		way = append(way, dir)
		if dir == filepath.Dir(dir) {
			break
		}
	}
	for _, w := range slices.Backward(way) {
		if err := a.enter(w); errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("the user %s, as whom QEMU runs, cannot enter %s, so no machine could open its disks in %s: "+
				"chmod o+x %s, or choose another folder with --state", a.Name, w, path, w)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// enter returns an error if the account cannot enter dir. It asks the kernel, on a thread that takes the account's file
// system identity and ends with it: where there are access control lists, modes alone do not tell.
func (a *account) enter(dir string) error {
	found := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread has another identity now, and ends with this goroutine
		found <- a.enterHere(dir)
	}()
	return <-found
}

func (a *account) enterHere(dir string) error {
	groups := []uint32{uint32(a.GID)}
	for _, g := range a.Groups {
		groups = append(groups, uint32(g))
	}
	// A raw call changes this thread alone. syscall.Setgroups would change the whole process.
	_, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(groups)), uintptr(unsafe.Pointer(&groups[0])), 0)
	if errno != 0 {
		return fmt.Errorf("take the groups of %s: %w", a.Name, errno)
	}
	if err := errors.Join(unix.Setfsgid(a.GID), unix.Setfsuid(a.UID)); err != nil {
		return fmt.Errorf("take the identity of %s: %w", a.Name, err)
	}
	var st unix.Stat_t
	if err := unix.Stat(dir+"/.", &st); err != nil {
		return &fs.PathError{Op: "enter", Path: dir, Err: err}
	}
	return nil
}
