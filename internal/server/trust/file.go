package trust

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"
)

// maxFile bounds a file, in bytes: a million serial numbers have a tenth of it.
const maxFile = 64 << 20

// racy is how long after a change a file is read again although it looks the same: two changes within one tick of the
// kernel's clock have one time.
const racy = 2 * time.Second

// file is a file of the operator's, and what it said when it was read last. Without a path it says nothing.
type file[T any] struct {
	path  string
	parse func([]byte) (T, error)

	mu    sync.Mutex
	seen  stamp
	fresh bool              // it had changed just before it was read
	text  [sha256.Size]byte // of what was read; zero: nothing, or nothing that can be understood
	told  [sha256.Size]byte // of what changed has told last
	value T
	err   error
}

// stamp is by what a file that has changed is known.
type stamp struct {
	inode, device, size uint64
	modified, changed   syscall.Timespec
}

// read returns what the file says now, or why that is not known.
func (f *file[T]) read() (T, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.look()
	return f.value, f.err
}

// changed reports whether the file says something else than when changed was called last, or can no longer be read.
func (f *file[T]) changed() (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.look()
	is := f.text != f.told
	f.told = f.text
	return is, f.err
}

// look reads the file if it may be another one than before.
func (f *file[T]) look() {
	if f.path == "" {
		return
	}
	if is, err := stampOf(f.path); err != nil || is != f.seen || f.fresh {
		f.load(is)
	}
}

// load reads the file. What it said before is forgotten if it cannot be read: it may say something else by now.
func (f *file[T]) load(is stamp) {
	f.seen = is
	f.fresh = time.Since(time.Unix(is.changed.Unix())) < racy
	text, err := readFile(f.path)
	sum := sha256.Sum256(text)
	if err == nil && f.err == nil && sum == f.text {
		return
	}
	var value T
	if err == nil {
		if value, err = f.parse(text); err != nil {
			err = fmt.Errorf("%s: %w", f.path, err)
		}
	}
	f.value, f.text, f.err = value, sum, nil
	if err != nil {
		var none T
		f.value, f.text, f.err = none, [sha256.Size]byte{}, &UnreadableError{err}
	}
}

func stampOf(path string) (stamp, error) {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}, err
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return stamp{}, fmt.Errorf("%s: no inode is known", path)
	}
	return stamp{s.Ino, s.Dev, uint64(s.Size), s.Mtim, s.Ctim}, nil
}

func readFile(path string) ([]byte, error) {
	r, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s has more than %d MiB", path, maxFile>>20)
	}
	return text, err
}
