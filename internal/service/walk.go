package service

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// HandOver gives the folder to the account, with what in it is root's or of the users From, and returns how many files
// changed their owner. It follows no link, by descriptors that are opened one below the other: whoever could change the
// folder meanwhile leads it nowhere else. The folder itself comes last: after a power cut, the next start goes on.
func (f Folder) HandOver(a Account) (changed int, err error) {
	fd, err := unix.Open(f.Path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, &fs.PathError{Op: "open", Path: f.Path, Err: err}
	}
	w := walk{folder: f, to: a, dir: fd}
	defer func() { unix.Close(w.dir) }()
	if err := w.run(); err != nil {
		return w.changed, fmt.Errorf("hand %s over to %s: %w", f.Path, a.Name, err)
	}
	return w.changed, nil
}

// Own gives the account one file that root has made, and follows no link.
func (a Account) Own(path string) error {
	w := walk{to: a}
	if err := w.give(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return &fs.PathError{Op: "chown", Path: path, Err: err}
	}
	return nil
}

// walk goes through a folder with one descriptor at a time, however deep it is: a build may have left a tree that is
// deeper than a process may have open files.
type walk struct {
	folder  Folder
	to      Account
	changed int
	dir     int // where the walk is
	levels  []level
}

// level is a folder between the top and where the walk is.
type level struct {
	dev, ino uint64
	left     []string // what in it is still to be handed over
}

func (w *walk) run() error {
	if err := w.enter(w.dir); err != nil {
		return err
	}
	top := &w.levels[0]
	top.left = slices.DeleteFunc(top.left, func(name string) bool { return name == lostAndFound })
	for len(w.levels) > 0 {
		if err := w.step(); err != nil {
			return err
		}
	}
	return nil
}

// step hands over one entry, or goes into one, or comes to the end of a folder.
func (w *walk) step() error {
	here := &w.levels[len(w.levels)-1]
	if len(here.left) == 0 {
		return w.leave()
	}
	name := here.left[0]
	here.left = here.left[1:]
	fd, err := unix.Openat(w.dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP):
		err = w.give(w.dir, name, unix.AT_SYMLINK_NOFOLLOW)
	case err == nil:
		unix.Close(w.dir)
		return w.enter(fd)
	}
	if ignoreMissing(err) != nil {
		return &fs.PathError{Op: "chown", Path: name, Err: err}
	}
	return nil
}

// enter makes a folder the place of the walk.
func (w *walk) enter(fd int) error {
	w.dir = fd
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	again, err := unix.Openat(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	list := os.NewFile(uintptr(again), ".")
	defer list.Close()
	names, err := list.Readdirnames(-1)
	w.levels = append(w.levels, level{st.Dev, st.Ino, names})
	return err
}

// leave hands over the folder that the walk is in, and goes up.
func (w *walk) leave() error {
	if err := w.give(w.dir, "", unix.AT_EMPTY_PATH); err != nil {
		return err
	}
	w.levels = w.levels[:len(w.levels)-1]
	if len(w.levels) == 0 {
		return nil
	}
	up, err := unix.Openat(w.dir, "..", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	unix.Close(w.dir)
	w.dir = up
	var st unix.Stat_t
	if err := unix.Fstat(up, &st); err != nil {
		return err
	}
	if above := w.levels[len(w.levels)-1]; above.dev != st.Dev || above.ino != st.Ino {
		return errors.New("a folder in it was moved meanwhile; start gitd again")
	}
	return nil
}

// give changes one owner. A file that has a second name is handed over too: on a host that does not protect hard links
// (fs.protected_hardlinks), that name could be elsewhere, and then it is left as it is.
func (w *walk) give(at int, name string, flags int) error {
	var st unix.Stat_t
	if err := unix.Fstatat(at, name, &st, flags); err != nil {
		return err
	}
	if st.Uid != 0 && !slices.Contains(w.folder.From, int(st.Uid)) {
		return nil
	}
	if st.Mode&unix.S_IFMT == unix.S_IFREG && st.Nlink > 1 && !linksProtected() {
		return nil
	}
	w.changed++
	return unix.Fchownat(at, name, w.to.UID, w.to.GID, flags)
}

// linksProtected reports whether a user can give a name only to files that are their own.
func linksProtected() bool {
	text, err := os.ReadFile("/proc/sys/fs/protected_hardlinks")
	return err == nil && len(text) > 0 && text[0] == '1'
}
