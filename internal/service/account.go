// Package service is how a gitd that root has started becomes the system user that it runs as, before it reads a byte
// of anybody.
//
// It owns the look-up of that user, how the state folder becomes that user's, a program that the user can run, and the
// exec by which root is given up, for good: the process is the same one, and there is no way back. It does not own what
// is done with root's rights before (packages libvirt and cgroup), nor what gitd does.
package service

import (
	"errors"
	"fmt"
	"io/fs"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Account is a user of the host, with all of its groups.
type Account struct {
	Name   string
	UID    int
	GID    int
	Groups []int
}

// Lookup finds the user that gitd shall run as.
func Lookup(name string) (Account, error) {
	u, err := user.Lookup(name)
	if unknown := user.UnknownUserError(""); errors.As(err, &unknown) {
		return Account{}, fmt.Errorf("there is no user %s, as whom gitd runs when root starts it: "+
			"scripts/setup runtime adds the user gitd, and --user names another", name)
	} else if err != nil {
		return Account{}, err
	}
	ids, err := u.GroupIds()
	if err != nil {
		return Account{}, err
	}
	a := Account{Name: name}
	for _, id := range ids {
		n, err := strconv.Atoi(id)
		if err != nil {
			return Account{}, err
		}
		a.Groups = append(a.Groups, n)
	}
	uid, errUser := strconv.Atoi(u.Uid)
	gid, errGroup := strconv.Atoi(u.Gid)
	a.UID, a.GID = uid, gid
	if a.UID == 0 {
		return Account{}, fmt.Errorf("gitd does not run as %s, whose user id is 0: name an ordinary user with --user", name)
	}
	return a, errors.Join(errUser, errGroup)
}

// Blocked returns the first folder on the way to path, path included, that the account cannot enter; or an empty text.
// What does not exist blocks nobody.
func (a Account) Blocked(path string) (dir string, err error) {
	if path, err = filepath.Abs(path); err != nil {
		return "", err
	}
	way := []string{path} // up to the root
	for path != filepath.Dir(path) {
		path = filepath.Dir(path)
		way = append(way, path)
	}
	err = a.do(func() error {
		for _, w := range slices.Backward(way) {
			var st unix.Stat_t
			err := unix.Stat(w+"/.", &st)
			if errors.Is(err, fs.ErrPermission) {
				dir = w
				return nil
			}
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return &fs.PathError{Op: "enter", Path: w, Err: err}
			}
		}
		return nil
	})
	return dir, err
}

// CanRun reports whether the account can execute a program.
func (a Account) CanRun(program string) bool { return a.may(program, unix.R_OK|unix.X_OK) }

// CanRead reports whether the account can read a file, or list a folder.
func (a Account) CanRead(path string) bool { return a.may(path, unix.R_OK) }

func (a Account) may(path string, what uint32) bool {
	return a.do(func() error { return unix.Faccessat(unix.AT_FDCWD, path, what, unix.AT_EACCESS) }) == nil
}

// do asks the kernel as the account, on a thread that takes the account's file system identity and ends with it: where
// there are access control lists, modes alone do not tell.
func (a Account) do(ask func() error) error {
	found := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread has another identity now, and ends with this goroutine
		if err := a.take(); err != nil {
			found <- err
			return
		}
		found <- ask()
	}()
	return <-found
}

func (a Account) take() error {
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
	return nil
}
