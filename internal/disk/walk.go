package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// walk visits a folder in which other people's code ran, and perhaps still runs. It holds three descriptors however
// deep the folders are, needs no path longer than a name, touches each folder twice, follows no link, and reads folders
// that are locked against their owner; it locks them again when it leaves them.
//
// Rejected: filepath.WalkDir, for which a folder below 4 KiB of path is not there; os.Root's FS, which goes from the
// top down to each folder, so that time grows with the square of the depth; and what RemoveAll does, to move folders up
// to the top: what is only measured must stay as it is.
type walk struct {
	top    string
	see    func(info fs.FileInfo, depth, path int) // path: bytes of the path from top, which is not counted
	parent *os.File                                // of top
	dir    *os.File                                // the folder of the last level
	levels []level                                 // those that were entered and not left yet
	unread int                                     // files and folders
	first  error                                   // why the first of them could not be read
}

// level is one folder on the way down.
type level struct {
	name   string
	info   fs.FileInfo
	path   int      // bytes, from top
	below  []string // the folders in it that are still to be visited
	locked bool     // its mode was widened; info has the one that it had
}

// run visits top itself and all below it. Its error says how much could not be read; what is not there, or goes away
// meanwhile, is no error.
func (w *walk) run() error {
	info, err := os.Lstat(w.top)
	if err != nil {
		return IgnoreMissing(err)
	}
	w.see(info, 0, 0)
	if !info.IsDir() {
		return nil
	}
	if w.parent, err = os.Open(filepath.Dir(w.top)); err != nil {
		return err
	}
	defer w.parent.Close()
	w.enter(w.parent, filepath.Base(w.top))
	for len(w.levels) > 0 {
		if name, ok := w.levels[len(w.levels)-1].next(); ok {
			w.enter(w.dir, name)
		} else {
			w.leave()
		}
	}
	if w.unread == 0 {
		return nil
	}
	return fmt.Errorf("%d files or folders in %s cannot be read; the first: %w", w.unread, w.top, w.first)
}

func (l *level) next() (name string, ok bool) {
	last := len(l.below) - 1
	if last < 0 {
		return "", false
	}
	name, l.below = l.below[last], l.below[:last]
	return name, true
}

// failed notes that something could not be read.
func (w *walk) failed(err error) {
	if IgnoreMissing(err) == nil {
		return
	}
	if w.unread++; w.unread == 1 {
		w.first = err
	}
}

// enter goes down into a folder of at, and reads it.
func (w *walk) enter(at *os.File, name string) {
	dir, l, err := enterable(at, name)
	if err != nil {
		w.failed(err)
		return
	}
	if len(w.levels) > 0 {
		l.path = w.levels[len(w.levels)-1].path + len(name) + len("/")
	}
	l.below = w.read(dir, l.path)
	if w.dir != nil {
		w.dir.Close()
	}
	w.dir, w.levels = dir, append(w.levels, l)
}

// read shows what is in dir, and returns the names of the folders.
func (w *walk) read(dir *os.File, path int) (folders []string) {
	for {
		entries, end := dir.ReadDir(1000)
		for _, e := range entries {
			info, err := e.Info()
			if err != nil {
				w.failed(ofName(e.Name(), err))
				continue
			}
			w.see(info, len(w.levels)+1, path+len(e.Name()))
			if info.IsDir() {
				folders = append(folders, e.Name())
			}
		}
		if end != nil {
			if !errors.Is(end, io.EOF) {
				w.failed(end)
			}
			return folders
		}
	}
}

// leave goes up to the folder above.
func (w *walk) leave() {
	left, last := w.dir, len(w.levels)-1
	l := w.levels[last]
	w.dir, w.levels = nil, w.levels[:last]
	if last > 0 {
		w.dir = openSame(left, "..", w.levels[last-1].info)
	}
	if l.locked {
		left.Chmod(l.info.Mode()) //nolint:errcheck // at worst its owner may read it
	}
	left.Close()
	if last > 0 && w.dir == nil {
		w.again()
	}
}

// again goes down from the top, because somebody has moved the folder that was left, or one above. The rest of what is
// not where it was is not read.
func (w *walk) again() {
	at, n := w.parent, 0
	for ; n < len(w.levels); n++ {
		dir := openSame(at, w.levels[n].name, w.levels[n].info)
		if dir == nil {
			w.failed(fmt.Errorf("somebody has moved the folder %q", w.levels[n].name))
			break
		}
		if n > 0 {
			at.Close()
		}
		at = dir
	}
	w.levels = w.levels[:n]
	if n > 0 {
		w.dir = at
	}
}

// openSame opens a folder of at, if it is the one that info is of; nil: it is not.
func openSame(at *os.File, name string, info fs.FileInfo) *os.File {
	dir, err := openFolder(at, name, syscall.O_RDONLY)
	if err != nil {
		return nil
	}
	if now, err := dir.Stat(); err != nil || !os.SameFile(now, info) {
		dir.Close()
		return nil
	}
	return dir
}

// enterable opens a folder of at. A folder that is locked against its owner is unlocked.
func enterable(at *os.File, name string) (*os.File, level, error) {
	const need = 0o500
	handle, err := openFolder(at, name, oPath)
	if err != nil {
		return nil, level{}, err
	}
	defer handle.Close()
	l := level{name: name}
	if l.info, err = handle.Stat(); err != nil {
		return nil, level{}, err
	}
	if mode := l.info.Mode(); mode&need != need {
		l.locked = os.Chmod(handle.Name(), mode|need) == nil // by its descriptor: no link can have taken its place
	}
	dir, err := openFolder(handle, ".", syscall.O_RDONLY)
	return dir, l, err
}

// oPath is O_PATH, which package syscall does not have: a descriptor that names a file, whatever its mode.
const oPath = 0x200000

// openFolder opens a folder of at and follows no link. Its name is a path by which the system finds it, however deep
// it is.
func openFolder(at *os.File, name string, flags int) (*os.File, error) {
	fd, err := ignoringEINTR(func() (int, error) {
		return syscall.Openat(int(at.Fd()), name, flags|syscall.O_DIRECTORY|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0)
	})
	if err != nil {
		return nil, ofName(name, err)
	}
	return os.NewFile(uintptr(fd), "/proc/self/fd/"+strconv.Itoa(fd)), nil
}

// ofName is err without the path under which walk knows a file. The file's name may have been made to fool a terminal.
func ofName(name string, err error) error {
	if of := (*fs.PathError)(nil); errors.As(err, &of) {
		err = of.Err
	}
	return fmt.Errorf("%q: %w", name, err)
}

func ignoringEINTR(open func() (int, error)) (int, error) {
	for {
		fd, err := open()
		if !errors.Is(err, syscall.EINTR) {
			return fd, err
		}
	}
}
