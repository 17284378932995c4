// Package console is the log of a machine's serial port: its end, for people, and its bound.
//
// It owns how the file is read and kept small. It does not own who writes it (QEMU), nor what an end means.
package console

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/rs/zerolog"
)

// The end of a log that is shown to people.
const (
	tailBytes = 16 << 10
	tailLines = 20
)

const (
	// Limit is how large a log may become, in bytes. A boot says some 100 bytes and a panic a few thousand, but whoever
	// is root in a machine may write there without end.
	Limit = 4 << 20
	// every is the time between two looks.
	every = 10 * time.Second
)

// Log is the log of one machine.
type Log struct {
	Path string
	Far  Far // nil: QEMU runs on this host, and writes to Path
}

// Far is the log of a machine on another host.
type Far interface {
	// Fetch writes the last bytes of the log to a file on this host.
	Fetch(path string, most int64) error
	// Trim empties the log if it has more bytes than limit.
	Trim(limit int64) (emptied bool, err error)
}

// Bound empties the log whenever it is too large, until one of over is closed.
func (l Log) Bound(log zerolog.Logger, over [3]<-chan struct{}) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			if emptied, err := l.trim(Limit); emptied || err != nil {
				log.Warn().Err(err).Int("bytes", Limit).Msg("a machine writes to its console without end; its log is emptied")
			}
		case <-over[0]:
			return
		case <-over[1]:
			return
		case <-over[2]:
			return
		}
	}
}

func (l Log) trim(limit int64) (emptied bool, err error) {
	if l.Far != nil {
		return l.Far.Trim(limit)
	}
	return trim(l.Path, limit)
}

// trim empties a file with more than limit bytes. QEMU appends, and so goes on at its beginning.
func trim(path string, limit int64) (emptied bool, err error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil || info.Size() <= limit:
		return false, err
	}
	return true, os.Truncate(path, 0)
}

const panicWords = "Kernel panic - not syncing: "

// PanicLine returns the reason of a kernel panic on the console, or an empty text.
func PanicLine(console []string) string {
	for _, l := range console {
		if _, why, ok := strings.Cut(l, panicWords); ok {
			return OneLine(why)
		}
	}
	return ""
}

// OneLine is the first line of s.
func OneLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	return strings.TrimSpace(s)
}

// Tail returns the last lines of a console's log that matter to people, or none.
func (l Log) Tail() []string {
	if l.Far != nil && l.Far.Fetch(l.Path, tailBytes) != nil {
		return nil // that host is away, too
	}
	f, err := os.Open(l.Path)
	if err != nil {
		return nil
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil
	}
	tail, err := io.ReadAll(io.NewSectionReader(f, max(0, size-tailBytes), tailBytes))
	if err != nil {
		return nil
	}
	return lastLines(string(tail))
}

func lastLines(text string) []string {
	var lines []string
	for l := range strings.Lines(text) {
		if l = strings.TrimRight(l, "\r\n"); strings.TrimSpace(l) != "" {
			lines = append(lines, l)
		}
	}
	from := max(0, len(lines)-tailLines)
	// The first line of a panic says more than the last lines of its call trace.
	for i, l := range lines[:from] {
		if strings.Contains(l, panicWords) {
			return lines[i : i+tailLines]
		}
	}
	return lines[from:]
}
