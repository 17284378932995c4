package jail

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// base is where the new root is made, in this process's own mount namespace. Every Linux has this folder.
const base = "/tmp"

// The two halves of base while the root is made, after the first pivot.
const (
	oldRoot = "/old"
	newRoot = "/new"
)

// devices are what QEMU opens below /dev.
var devices = []string{"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", kvmDevice}

// enterRoot gives this process a root with QEMU's program, its devices, the machine's files, and copies of its keys.
// The way is bubblewrap's: pivot to a tmpfs, bind from the old root, pivot again.
func (s *Spec) enterRoot(keys []string) error {
	if err := pivotToBase(); err != nil {
		return err
	}
	if err := errors.Join(bindSystem(), bindAll(devices)); err != nil {
		return err
	}
	for _, f := range s.Files {
		if err := bind(f.Path, !f.Writable); err != nil {
			return err
		}
	}
	for _, k := range keys {
		if err := copyKey(k); err != nil {
			return err
		}
	}
	if err := os.Mkdir(newRoot+"/tmp", 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return leaveOldRoot()
}

func pivotToBase() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return &fs.PathError{Op: "make private", Path: "/", Err: err}
	}
	if err := unix.Mount("tmpfs", base, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755,size=1m"); err != nil {
		return &fs.PathError{Op: "mount", Path: base, Err: err}
	}
	if err := errors.Join(os.Mkdir(base+oldRoot, 0o755), os.Mkdir(base+newRoot, 0o755)); err != nil {
		return err
	}
	if err := unix.Mount(base+newRoot, base+newRoot, "", unix.MS_BIND, ""); err != nil {
		return &fs.PathError{Op: "bind", Path: base, Err: err}
	}
	if err := unix.PivotRoot(base, base+oldRoot); err != nil {
		return &fs.PathError{Op: "pivot", Path: base, Err: err}
	}
	return os.Chdir("/")
}

func leaveOldRoot() error {
	if err := unix.Unmount(oldRoot, unix.MNT_DETACH); err != nil {
		return &fs.PathError{Op: "unmount", Path: oldRoot, Err: err}
	}
	if err := os.Chdir(newRoot); err != nil {
		return err
	}
	// The new root goes over the old one, which then is unmounted from below it.
	if err := unix.PivotRoot(".", "."); err != nil {
		return &fs.PathError{Op: "pivot", Path: newRoot, Err: err}
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return &fs.PathError{Op: "unmount", Path: "/", Err: err}
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	return readOnly("/", 0)
}

// bindSystem shows QEMU's program and its libraries.
func bindSystem() error {
	if err := bind("/usr", true); err != nil {
		return err
	}
	for _, dir := range []string{"/bin", "/sbin", "/lib", "/lib32", "/lib64"} {
		target, err := os.Readlink(oldRoot + dir)
		switch {
		case err == nil:
			err = os.Symlink(target, newRoot+dir)
		case errors.Is(err, fs.ErrNotExist):
			err = nil
		default:
			err = bind(dir, true)
		}
		if err != nil {
			return err
		}
	}
	return bindAll([]string{"/etc/ld.so.cache", "/etc/alternatives"})
}

// bindAll binds what is there.
func bindAll(paths []string) error {
	for _, p := range paths {
		if err := bind(p, false); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// bind shows a file or folder of the old root at the same path of the new one.
func bind(path string, ro bool) error {
	from, to := oldRoot+path, newRoot+path
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if err := makePlace(to, info.IsDir()); err != nil {
		return err
	}
	if err := unix.Mount(from, to, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return &fs.PathError{Op: "bind", Path: path, Err: err}
	}
	if !ro {
		return nil
	}
	return readOnly(to, unix.AT_RECURSIVE)
}

// readOnly changes a mount. mount_setattr leaves the flags alone that a user namespace may not clear.
func readOnly(path string, flags uint) error {
	attr := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID}
	if err := unix.MountSetattr(unix.AT_FDCWD, path, flags, attr); err != nil {
		return &fs.PathError{Op: "make read-only", Path: path, Err: err}
	}
	return nil
}

// makePlace makes the file or folder that a mount covers.
func makePlace(path string, dir bool) error {
	if dir {
		return os.MkdirAll(path, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDONLY, 0o444)
	if err != nil {
		return err
	}
	return f.Close()
}

// copyKey copies a file that its owner alone may read into the machine's own root, where nobody but QEMU is.
func copyKey(path string) error {
	b, err := os.ReadFile(oldRoot + path)
	if err != nil {
		return fmt.Errorf("the machine's key: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(newRoot+path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(newRoot+path, b, 0o444)
}
