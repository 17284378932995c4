package applog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// rotated is the format of the time in the name of an old file: lumberjack calls it app-TIME.log. The time has a
// capital letter and a dot, which an app's name cannot have. So the file of one app never looks like an old file of
// another.
const rotated = "2006-01-02T15-04-05.000"

// part is one file of a log, with the size that it had when it was opened. It can be read without a lock: a rotation
// renames or removes the file, but does not change these bytes.
type part struct {
	*os.File
	size int64
}

// openParts opens the files of a log, the newest first.
func openParts(path string) ([]part, error) {
	old, err := oldPaths(path)
	if err != nil {
		return nil, err
	}
	var parts []part
	for _, p := range append([]string{path}, old...) {
		f, err := os.Open(p)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it does not exist yet, or was just removed as too old
		}
		if err != nil {
			return parts, err
		}
		info, err := f.Stat()
		if err != nil {
			f.Close()
			return parts, err
		}
		parts = append(parts, part{f, info.Size()})
	}
	return parts, nil
}

func closeParts(parts []part) {
	for _, p := range parts {
		p.Close()
	}
}

// oldPaths finds the rotated files of a log, the newest first.
func oldPaths(path string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	ext := filepath.Ext(path)
	prefix := strings.TrimSuffix(filepath.Base(path), ext) + "-"
	var old []string
	for _, e := range entries {
		stamp, isOld := strings.CutPrefix(e.Name(), prefix)
		stamp, isLog := strings.CutSuffix(stamp, ext)
		if _, err := time.Parse(rotated, stamp); isOld && isLog && err == nil && e.Type().IsRegular() {
			old = append(old, filepath.Join(filepath.Dir(path), e.Name()))
		}
	}
	slices.Sort(old)
	slices.Reverse(old)
	return old, nil
}

// lastLines decodes the last n lines of parts (the newest part first), and returns the oldest line first. It reads no
// more of the files than those lines and one block before them.
func lastLines(parts []part, n int) ([]core.Line, error) {
	var texts [][]byte // the lines of each part, the newest part first
	for _, p := range parts {
		if n <= 0 {
			break
		}
		text, lines, err := lastOf(p, p.size, n)
		if err != nil {
			return nil, fmt.Errorf("logs: %w", err)
		}
		texts = append(texts, text)
		n -= lines
	}
	var all []core.Line
	for _, text := range slices.Backward(texts) {
		for line := range bytes.Lines(text) {
			if l, ok := decode(string(bytes.TrimSuffix(line, []byte("\n")))); ok {
				all = append(all, l)
			}
		}
	}
	return all, nil
}

// lastOf reads the last n lines in the first size bytes of r, or all lines if there are fewer.
func lastOf(r io.ReaderAt, size int64, n int) (text []byte, lines int, err error) {
	start, lines, err := lastStart(r, size, n)
	if err != nil {
		return nil, 0, err
	}
	text = make([]byte, size-start)
	if _, err := io.ReadFull(io.NewSectionReader(r, start, size-start), text); err != nil {
		return nil, 0, err
	}
	return text, lines, nil
}

// lastStart searches backwards, block by block, for the offset at which the last n lines begin.
func lastStart(r io.ReaderAt, size int64, n int) (start int64, lines int, err error) {
	if size == 0 {
		return 0, 0, nil
	}
	block := make([]byte, min(size, 64<<10))
	// The newline at the very end belongs to the last line.
	for end := size - 1; end > 0; {
		b := block[:min(end, int64(len(block)))]
		end -= int64(len(b))
		if _, err := io.ReadFull(io.NewSectionReader(r, end, int64(len(b))), b); err != nil {
			return 0, 0, err
		}
		for i := bytes.LastIndexByte(b, '\n'); i >= 0; i = bytes.LastIndexByte(b[:i], '\n') {
			if lines++; lines == n {
				return end + int64(i) + 1, n, nil
			}
		}
	}
	return 0, lines + 1, nil
}

// endsTorn reports whether a file ends in the middle of a line, as a crash or
// a full disk leaves it.
func endsTorn(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return false
	}
	var last [1]byte
	_, err = f.ReadAt(last[:], info.Size()-1)
	return err == nil && last[0] != '\n'
}
