package access

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"gopkg.in/natefinch/lumberjack.v2"

	"github.com/nodeos-dev/gitd/internal/proxy"
)

const (
	fileSize = 100  // MiB of one file
	oldFiles = 4    // that are kept beside the current one
	maxQueue = 8192 // lines that may wait for the disk
)

// File has the lines of all apps, and of hosts at which there is none. It is rotated when it is large.
type File struct {
	query bool
	out   io.WriteCloser
	told  func(error)
	ended chan struct{}

	mu     sync.Mutex
	queue  [][]byte
	lost   int // lines that found no room in the queue, or could not be written
	closed bool
	wake   *sync.Cond
}

// OpenFile writes to the file at path, which it makes readable for gitd's user alone. told is called when lines cannot
// be written.
func OpenFile(path string, query bool, told func(error)) (*File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	return newFile(&lumberjack.Logger{Filename: path, MaxSize: fileSize, MaxBackups: oldFiles}, query, told), nil
}

func newFile(out io.WriteCloser, query bool, told func(error)) *File {
	f := &File{query: query, out: out, told: told, ended: make(chan struct{})}
	f.wake = sync.NewCond(&f.mu)
	go f.write()
	return f
}

// Note adds the line of r. It never waits for the disk: what comes faster than that is counted, and a line says so.
func (f *File) Note(r proxy.Request) {
	line := append(Line(r, f.query), '\n')
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || len(f.queue) >= maxQueue {
		f.lost++
		return
	}
	f.queue = append(f.queue, line)
	f.wake.Signal()
}

// write writes until the file is closed and nothing waits.
func (f *File) write() {
	defer close(f.ended)
	for {
		lines, lost, ok := f.next()
		if !ok {
			return
		}
		if lost > 0 {
			lines = append(lines, fmt.Appendf(nil, `{"time":"%s","lost":%d}`+"\n", time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), lost))
		}
		for i, line := range lines {
			if _, err := f.out.Write(line); err != nil {
				f.told(err)
				f.missed(lost + len(lines) - i)
				break
			}
		}
	}
}

func (f *File) next() (lines [][]byte, lost int, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.queue) == 0 && !f.closed {
		f.wake.Wait()
	}
	lines, lost = f.queue, f.lost
	f.queue, f.lost = nil, 0
	return lines, lost, len(lines) > 0
}

func (f *File) missed(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lost += n
}

// Close writes what waits, and closes the file.
func (f *File) Close() error {
	f.mu.Lock()
	f.closed = true
	f.wake.Signal()
	f.mu.Unlock()
	<-f.ended
	return f.out.Close()
}
