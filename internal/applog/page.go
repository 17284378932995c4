package applog

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/nodeos-dev/gitd/internal/core"
)

// maxPage bounds the bytes of a page's texts. One line more may be in it.
const maxPage = 512 << 10

// Read returns lines of app from a position on, at most n of them and maxPage bytes. So whoever reads by and by keeps
// what it has not read in the files, where it takes no memory. If the file of the position was removed, because the app
// has said too much since, the page begins with the oldest line that there is, and says how many were lost.
func (s *Store) Read(app string, from core.LogPosition, n int) (core.LogPage, error) {
	st, err := s.stream(app)
	if err != nil {
		return core.LogPage{}, err
	}
	parts, total, err := st.counted()
	if err != nil {
		return core.LogPage{}, err
	}
	defer closeParts(parts)
	page, err := read(parts, total, from, n)
	if err != nil {
		return page, fmt.Errorf("logs: %w", err)
	}
	return page, nil
}

// End is the position after the last line of app.
func (s *Store) End(app string) (core.LogPosition, error) {
	st, err := s.stream(app)
	if err != nil {
		return core.LogPosition{}, err
	}
	parts, total, err := st.counted()
	if err != nil || len(parts) == 0 {
		return core.LogPosition{}, err
	}
	defer closeParts(parts)
	id, err := parts[0].id()
	if err != nil || id == "" {
		return core.LogPosition{}, err
	}
	return core.LogPosition{File: id, Offset: parts[0].size, Line: total + 1}, nil
}

// counted opens the files, the newest first, and says how many lines were written to them since somebody asked for the
// first time, those included that were there then.
func (s *stream) counted() (parts []part, total int64, err error) {
	s.disk.Lock()
	defer s.disk.Unlock()
	if parts, err = openParts(s.path); err == nil && !s.counts {
		s.total, err = countAfter(parts, len(parts)-1, 0)
		s.counts = err == nil
	}
	if err != nil {
		closeParts(parts)
		return nil, 0, fmt.Errorf("logs: %w", err)
	}
	return parts, s.total, nil
}

// count is told of what was written; the caller holds disk.
func (s *stream) count(written []byte) {
	if s.counts {
		s.total += int64(bytes.Count(written, newline))
	}
}

var newline = []byte{'\n'}

// read is the page of these parts. total is how many lines were written.
func read(parts []part, total int64, from core.LogPosition, n int) (core.LogPage, error) {
	page := core.LogPage{Next: from}
	if len(parts) == 0 {
		return page, nil
	}
	i, err := find(parts, from.File)
	if err != nil {
		return page, err
	}
	if i < 0 {
		i, page.Next = len(parts)-1, core.LogPosition{}
	}
	if i >= 0 && (page.Next.File == "" || from.Line == 0) {
		left, err := countAfter(parts, i, page.Next.Offset)
		if err != nil {
			return page, err
		}
		page.Next.Line = total - left + 1
		switch {
		case from.Line > 0:
			page.Lost = max(0, page.Next.Line-from.Line)
		case page.Next.File != from.File:
			page.Lost = core.LostSome
		}
	}
	size := 0
	for ; i >= 0 && len(page.Lines) < n && size < maxPage; i-- {
		if size, err = parts[i].fill(&page, i == 0, n, size); err != nil {
			return page, err
		}
	}
	if i < 0 && len(page.Lines) < n && size < maxPage { // what a failing disk did to the count is over
		page.Next.Line = total + 1
	}
	page.Behind = max(0, total-page.Next.Line+1)
	return page, nil
}

// find is the index of the part with this id; -1: there is none.
func find(parts []part, id string) (int, error) {
	if id == "" {
		return -1, nil
	}
	for i, p := range parts {
		if have, err := p.id(); err != nil || have == id {
			return i, err
		}
	}
	return -1, nil
}

// idSize is how much of a file's beginning makes its id, in bytes: the time of its first line, and more.
const idSize = 256

// id is by what a part is known again, also after it was rotated, its app renamed, or the folder restored from a
// backup: a hash of its first line. Its inode is none of that, and comes again with another file. A part without a
// whole line has none.
func (p part) id() (string, error) {
	buf := make([]byte, min(p.size, idSize))
	if _, err := p.ReadAt(buf, 0); err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if i := bytes.IndexByte(buf, '\n'); i >= 0 {
		buf = buf[:i+1]
	} else if len(buf) < idSize {
		return "", nil
	}
	sum := sha256.Sum256(buf)
	return hex.EncodeToString(sum[:8]), nil
}

// fill adds lines of a part to a page, from page.Next on if that is in p, and otherwise from its beginning. What is no
// line of ours is passed over, and so is the end of a line that has none yet, unless newer parts follow. size is how
// many bytes are in the page.
func (p part) fill(page *core.LogPage, newest bool, n, size int) (int, error) {
	id, err := p.id()
	if err != nil || id == "" {
		return size, err
	}
	at := &page.Next
	if at.File != id {
		at.File, at.Offset = id, 0
	}
	in := bufio.NewReaderSize(io.NewSectionReader(p, at.Offset, p.size-at.Offset), longest)
	for len(page.Lines) < n && size < maxPage {
		raw, err := in.ReadSlice('\n')
		whole := err == nil
		if errors.Is(err, io.EOF) && (newest || len(raw) == 0) {
			return size, nil
		}
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
			return size, err
		}
		at.Offset += int64(len(raw))
		if whole {
			at.Line++
			if l, ok := decode(string(bytes.TrimSuffix(raw, newline))); ok {
				page.Lines = append(page.Lines, l)
				size += len(l.Text)
			}
		}
	}
	return size, nil
}

// countAfter counts the lines from an offset of the part with this index on, in it and in the newer ones.
func countAfter(parts []part, i int, offset int64) (n int64, err error) {
	buf := make([]byte, writeSize)
	for ; i >= 0; i-- {
		r := io.NewSectionReader(parts[i], offset, parts[i].size-offset)
		for {
			got, err := r.Read(buf)
			n += int64(bytes.Count(buf[:got], newline))
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return 0, err
			}
		}
		offset = 0
	}
	return n, nil
}
