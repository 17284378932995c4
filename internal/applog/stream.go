package applog

import (
	"fmt"
	"sync"

	"gopkg.in/natefinch/lumberjack.v2"

	"github.com/nodeos-dev/gitd/internal/core"
)

const (
	fileSize  = 10       // MiB of one file
	oldFiles  = 2        // old files that are kept beside the current one
	maxQueue  = 4096     // lines that may wait for the disk
	writeSize = 64 << 10 // bytes that are collected for one write
	keptSize  = 16 << 10 // bytes of a buffer that is kept for the next lines: each app has one
)

// stream is the output of one app: a queue, a file and the followers.
//
// The file is written by a goroutine that lives while the queue is not empty.
// Writing in Append was rejected: a disk that hangs would stop the reading of
// the machine's channel, health events included.
type stream struct {
	path    string
	written func() // is called after lines were written

	// disk is held while the file is written, rotated or opened for reading.
	// It is taken before mu.
	disk   sync.Mutex
	file   *lumberjack.Logger
	buf    []byte // for what is written, while disk is held
	torn   bool   // the file ends in the middle of a line
	failed int    // lines that could not be written
	why    error
	counts bool  // somebody has asked how many lines there are
	total  int64 // lines, those included that were there when somebody asked for the first time

	mu        sync.Mutex
	queue     []core.Line
	overflow  int // lines that came while the queue was full, and are lost
	writing   bool
	followers map[*follower]struct{}
}

func newStream(path string, written func()) *stream {
	return &stream{
		path: path, written: written,
		// lumberjack makes a new file with mode 0600.
		file:      &lumberjack.Logger{Filename: path, MaxSize: fileSize, MaxBackups: oldFiles},
		torn:      endsTorn(path),
		followers: map[*follower]struct{}{},
	}
}

// enqueue takes a line and reports whether the caller must start writeQueue.
func (s *stream) enqueue(l core.Line) (start bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for f := range s.followers {
		f.offer(l)
	}
	if len(s.queue) < maxQueue {
		s.queue = append(s.queue, l)
	} else {
		s.overflow++
	}
	start = !s.writing
	s.writing = true
	return start
}

// writeQueue writes until the queue is empty.
func (s *stream) writeQueue() {
	for s.more() {
		s.disk.Lock()
		s.flush(nil)
		s.disk.Unlock()
	}
}

func (s *stream) more() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writing = len(s.queue) > 0
	return s.writing
}

// flush writes what is queued; the caller holds disk. If join is not nil, it gets every later line: exactly those that
// are not in the file when flush returns.
func (s *stream) flush(join *follower) {
	s.mu.Lock()
	batch, lost := s.queue, s.overflow
	s.queue, s.overflow = nil, 0
	if join != nil {
		s.followers[join] = struct{}{}
	}
	s.mu.Unlock()
	if len(batch) == 0 {
		return
	}
	if s.failed > 0 {
		text := fmt.Sprintf("%d lines could not be stored: %v", s.failed, s.why)
		s.failed, s.why = 0, nil
		batch = append([]core.Line{note(batch[0].Release, text)}, batch...)
	}
	if lost > 0 {
		text := fmt.Sprintf("%d lines were not stored: they came faster than the disk", lost)
		batch = append(batch, note(batch[len(batch)-1].Release, text))
	}
	s.write(batch)
}

// write puts lines into the file, many of them with one call.
func (s *stream) write(lines []core.Line) {
	buf := s.buf[:0]
	n := 0
	for i, l := range lines {
		if s.torn {
			buf = append(buf, '\n')
			s.torn = false
		}
		buf = encode(buf, l)
		n++
		if len(buf) < writeSize && i < len(lines)-1 {
			continue
		}
		written, err := s.file.Write(buf)
		s.count(buf[:written])
		if err != nil {
			s.torn = true
			s.failed += n
			s.why = err
		}
		buf, n = buf[:0], 0
	}
	if cap(buf) <= keptSize {
		s.buf = buf
	}
	s.written()
}

// open opens the files for reading, with the lines of the queue. If join is not nil, it follows from right after them.
func (s *stream) open(join *follower) ([]part, error) {
	s.disk.Lock()
	defer s.disk.Unlock()
	s.flush(join)
	parts, err := openParts(s.path)
	if err != nil {
		closeParts(parts)
		return nil, fmt.Errorf("logs: %w", err)
	}
	return parts, nil
}

// leave removes a follower.
func (s *stream) leave(f *follower) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.followers, f)
}
