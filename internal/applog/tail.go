package applog

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
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

// lines yields the last n lines of parts (the newest part first) for which of is true, the oldest line first; of may be
// nil. It keeps no more than one of them in memory: whoever asks for many may read slowly.
func lines(parts []part, n int, of func(core.Line) bool) iter.Seq2[core.Line, error] {
	return func(yield func(core.Line, error) bool) {
		starts, skip, err := begin(parts, n, of)
		if err != nil {
			yield(core.Line{}, fmt.Errorf("logs: %w", err))
			return
		}
		for i, p := range slices.Backward(parts[:len(starts)]) {
			for l, err := range p.from(starts[i]) {
				switch {
				case err != nil:
				case of != nil && !of(l):
					continue
				case skip > 0:
					skip--
					continue
				}
				if !yield(l, err) || err != nil {
					return
				}
			}
		}
	}
}

// begin says where in each of the first parts the last n lines begin, and how many of the lines that of chooses come
// before them. Without of it reads no more of the files than those lines and one block before them, and with it all.
func begin(parts []part, n int, of func(core.Line) bool) (starts []int64, skip int, err error) {
	if n <= 0 {
		return nil, 0, nil
	}
	if of == nil {
		for _, p := range parts {
			start, lines, err := lastStart(p, p.size, n)
			if err != nil {
				return nil, 0, err
			}
			starts = append(starts, start)
			if n -= lines; n <= 0 {
				break
			}
		}
		return starts, 0, nil
	}
	chosen := 0
	for _, p := range parts {
		for l, err := range p.from(0) {
			if err != nil {
				return nil, 0, err
			}
			if of(l) {
				chosen++
			}
		}
	}
	return make([]int64, len(parts)), max(0, chosen-n), nil
}

// longest is the longest line of a file, in bytes: a text, and what stands before it.
const longest = maxText + 1<<10

// from yields the lines of a part from an offset on. It leaves out what is no line of ours.
func (p part) from(start int64) iter.Seq2[core.Line, error] {
	return func(yield func(core.Line, error) bool) {
		scan := bufio.NewScanner(io.NewSectionReader(p, start, p.size-start))
		scan.Buffer(make([]byte, 0, 4<<10), longest)
		for scan.Scan() {
			if l, ok := decode(scan.Text()); ok && !yield(l, nil) {
				return
			}
		}
		if err := scan.Err(); err != nil {
			yield(core.Line{}, err)
		}
	}
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
