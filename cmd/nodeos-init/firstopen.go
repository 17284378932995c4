package main

import (
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// firstOpen notes when a file directly in a folder is opened for the first time. Node looks there for the app's
// package.json after it has started itself.
type firstOpen struct {
	inotify *os.File      // nil: this kernel has no inotify
	at      atomic.Int64  // time since the kernel's start, ns; 0: not yet
	over    chan struct{} // closed when nothing more will be seen
}

// watchFirstOpen begins to watch dir.
func watchFirstOpen(dir string) *firstOpen {
	f := &firstOpen{over: make(chan struct{})}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return f
	}
	f.inotify = os.NewFile(uintptr(fd), "inotify")
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_OPEN|unix.IN_ONLYDIR); err != nil {
		f.close()
		return f
	}
	go func() {
		defer close(f.over)
		var event [unix.SizeofInotifyEvent + unix.NAME_MAX + 1]byte
		if _, err := f.inotify.Read(event[:]); err == nil {
			f.at.Store(int64(sinceBoot()))
		}
		f.close()
	}()
	return f
}

// close ends the watch. What was seen stays known.
func (f *firstOpen) close() {
	if f.inotify != nil {
		f.inotify.Close()
	}
}
