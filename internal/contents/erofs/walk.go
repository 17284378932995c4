package erofs

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"iter"
)

// Limits of what is walked through. A layer that gitd makes has less of each.
const (
	maxEntries = 2_000_000
	maxPath    = 8192 // bytes
	maxPaths   = 4 << 30
	maxLink    = 4096
)

// Entry is one file, folder or symlink.
type Entry struct {
	Path string // without a leading slash; not always UTF-8
	Mode fs.FileMode
	Size int64 // bytes; 0 for folders

	fs *FS
	in inode
}

// All is everything below the root folder: a folder before what is in it, and what is in it by its names, as mkfs.erofs
// has sorted them (Compare is that order). An error is the last.
func (f *FS) All() iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		w := &walk{fs: f, visit: func(e Entry) error {
			if !yield(e, nil) {
				return errEnough
			}
			return nil
		}}
		if err := w.folder("", f.root); err != nil && !errors.Is(err, errEnough) {
			yield(Entry{}, err)
		}
	}
}

var errEnough = errors.New("no more is wanted")

// Compare orders paths as All does: part by part.
func Compare(a, b string) int {
	for i := range min(len(a), len(b)) {
		switch {
		case a[i] == b[i]:
		case a[i] == '/':
			return -1
		case b[i] == '/':
			return 1
		default:
			return cmp.Compare(a[i], b[i])
		}
	}
	return cmp.Compare(len(a), len(b))
}

type walk struct {
	fs    *FS
	visit func(Entry) error
	seen  int
	bytes int // of all paths
}

func (w *walk) folder(path string, nid uint64) error {
	in, err := w.fs.inode(nid)
	if err != nil {
		return err
	}
	if !fileMode(in.mode).IsDir() {
		return damaged("%q is no folder", path)
	}
	r, err := w.fs.data(in)
	if err != nil {
		return err
	}
	block := make([]byte, blockSize)
	for {
		n, err := io.ReadFull(r, block)
		if err := w.block(path, block[:n]); err != nil {
			return err
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// block goes through the names in one block of a folder: entries of 12 bytes each, then the names. Each entry says
// where its name begins, so the first one says how many there are.
func (w *walk) block(path string, b []byte) error {
	const size = 12
	le := binary.LittleEndian
	if len(b) < size {
		if len(b) > 0 {
			return damaged("the folder %q ends within an entry", path)
		}
		return nil
	}
	first := int(le.Uint16(b[8:]))
	if first < size || first%size != 0 || first > len(b) {
		return damaged("the folder %q begins its names at %d", path, first)
	}
	for at := 0; at < first; at += size {
		from, to := int(le.Uint16(b[at+8:])), len(b)
		if at+size < first {
			to = int(le.Uint16(b[at+size+8:]))
		}
		if from < first || from > to || to > len(b) {
			return damaged("the folder %q has a name from %d to %d", path, from, to)
		}
		name, _, _ := bytes.Cut(b[from:to], []byte{0})
		if err := w.entry(path, string(name), le.Uint64(b[at:])); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) entry(dir, name string, nid uint64) error {
	w.seen, w.bytes = w.seen+1, w.bytes+len(dir)+len(name)
	if name == "." || name == ".." {
		return nil
	}
	path := name
	if dir != "" {
		path = dir + "/" + name
	}
	switch {
	case name == "" || bytes.IndexByte([]byte(name), '/') >= 0:
		return damaged("the name %q in %q", name, dir)
	case len(path) > maxPath:
		return damaged("a path of %d bytes", len(path)) // a folder within itself has no end
	case w.seen > maxEntries || w.bytes > maxPaths:
		return damaged("more than %d files, or %d bytes of paths", maxEntries, maxPaths)
	}
	in, err := w.fs.inode(nid)
	if err != nil {
		return err
	}
	e := Entry{Path: path, Mode: fileMode(in.mode), Size: in.size, fs: w.fs, in: in}
	if !e.Mode.IsDir() {
		return w.visit(e)
	}
	e.Size = 0
	if err := w.visit(e); err != nil {
		return err
	}
	return w.folder(path, nid)
}

// Reader reads a file from its beginning to its end.
func (e Entry) Reader() (io.Reader, error) {
	if !e.Mode.IsRegular() {
		return nil, damaged("%q is no file", e.Path)
	}
	return e.fs.data(e.in)
}

// Link is where a symlink leads.
func (e Entry) Link() (string, error) {
	if e.Mode.Type() != fs.ModeSymlink || e.Size > maxLink {
		return "", damaged("%q is no symlink, or one of %d bytes", e.Path, e.Size)
	}
	r, err := e.fs.data(e.in)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(r)
	return string(b), err
}
