package builder

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"time"

	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// repoFS is a read-only view of a commit's files. Package nodeapp reads it to plan a build, before any file is written
// down. It follows no symlinks: export refuses those that lead out of the repository, and comes later.
type repoFS struct{ c *commit }

// Open implements fs.FS.
func (r repoFS) Open(name string) (fs.File, error) {
	e, err := r.entry("open", name)
	if err != nil {
		return nil, err
	}
	info, err := r.info(name, e)
	if err != nil {
		return nil, err
	}
	switch {
	case info.IsDir():
		entries, err := r.ReadDir(name)
		return &repoFolder{info: info, entries: entries}, err
	case !info.Mode().IsRegular():
		return nil, &fs.PathError{Op: "open", Path: name, Err: fmt.Errorf("it is no file: %w", fs.ErrInvalid)}
	}
	blob, err := object.GetBlob(r.c.store, e.Hash)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	content, err := blob.Reader()
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return &repoFile{ReadCloser: content, info: info}, nil
}

// Lstat implements fs.ReadLinkFS.
func (r repoFS) Lstat(name string) (fs.FileInfo, error) {
	e, err := r.entry("lstat", name)
	if err != nil {
		return nil, err
	}
	return r.info(name, e)
}

// ReadLink implements fs.ReadLinkFS.
func (r repoFS) ReadLink(name string) (string, error) {
	e, err := r.entry("readlink", name)
	if err != nil {
		return "", err
	}
	if e.Mode != filemode.Symlink {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	blob, err := object.GetBlob(r.c.store, e.Hash)
	if err != nil {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: err}
	}
	return linkTarget(blob)
}

// ReadDir implements fs.ReadDirFS.
func (r repoFS) ReadDir(name string) ([]fs.DirEntry, error) {
	e, err := r.entry("readdir", name)
	if err != nil {
		return nil, err
	}
	tree, err := object.GetTree(r.c.store, e.Hash)
	if err != nil {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: err}
	}
	list := make([]fs.DirEntry, 0, len(tree.Entries))
	for _, e := range tree.Entries {
		list = append(list, repoEntry{r, e})
	}
	// Git sorts a folder as if its name ended with a slash.
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	return list, nil
}

func (r repoFS) entry(op, name string) (object.TreeEntry, error) {
	if !fs.ValidPath(name) {
		return object.TreeEntry{}, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	if name == "." {
		return object.TreeEntry{Name: ".", Mode: filemode.Dir, Hash: r.c.tree.Hash}, nil
	}
	e, err := r.c.tree.FindEntry(name)
	if errors.Is(err, object.ErrEntryNotFound) || errors.Is(err, object.ErrDirectoryNotFound) {
		err = fs.ErrNotExist
	}
	if err != nil {
		return object.TreeEntry{}, &fs.PathError{Op: op, Path: name, Err: err}
	}
	return *e, nil
}

func (r repoFS) info(name string, e object.TreeEntry) (repoInfo, error) {
	info := repoInfo{name: path.Base(name), mode: modeOf(e)}
	if !info.mode.IsRegular() && info.mode.Type() != fs.ModeSymlink {
		return info, nil
	}
	var err error
	if info.size, err = r.c.sizeOf(e.Hash); err != nil {
		return info, &fs.PathError{Op: "lstat", Path: name, Err: err}
	}
	return info, nil
}

func modeOf(e object.TreeEntry) fs.FileMode {
	switch e.Mode {
	case filemode.Dir:
		return fs.ModeDir | 0o755
	case filemode.Regular, filemode.Deprecated:
		return 0o644
	case filemode.Executable:
		return 0o755
	case filemode.Symlink:
		return fs.ModeSymlink | 0o777
	default: // a submodule, or nothing that git makes
		return fs.ModeIrregular
	}
}

// repoEntry is an entry of a folder. Its size is looked up when it is asked for.
type repoEntry struct {
	r repoFS
	e object.TreeEntry
}

func (e repoEntry) Name() string               { return e.e.Name }
func (e repoEntry) IsDir() bool                { return e.e.Mode == filemode.Dir }
func (e repoEntry) Type() fs.FileMode          { return modeOf(e.e).Type() }
func (e repoEntry) Info() (fs.FileInfo, error) { return e.r.info(e.e.Name, e.e) }

// repoInfo is a file's fs.FileInfo. Git keeps no times of files.
type repoInfo struct {
	name string
	size int64 // bytes
	mode fs.FileMode
}

func (i repoInfo) Name() string       { return i.name }
func (i repoInfo) Size() int64        { return i.size }
func (i repoInfo) Mode() fs.FileMode  { return i.mode }
func (i repoInfo) ModTime() time.Time { return time.Time{} }
func (i repoInfo) IsDir() bool        { return i.mode.IsDir() }
func (i repoInfo) Sys() any           { return nil }

type repoFile struct {
	io.ReadCloser
	info repoInfo
}

func (f *repoFile) Stat() (fs.FileInfo, error) { return f.info, nil }

type repoFolder struct {
	info    repoInfo
	entries []fs.DirEntry // those that were not read yet
}

func (f *repoFolder) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *repoFolder) Close() error               { return nil }

func (f *repoFolder) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: f.info.name, Err: errors.New("it is a folder")}
}

// ReadDir implements fs.ReadDirFile.
func (f *repoFolder) ReadDir(n int) ([]fs.DirEntry, error) {
	if n > 0 && len(f.entries) == 0 {
		return nil, io.EOF
	}
	if n <= 0 || n > len(f.entries) {
		n = len(f.entries)
	}
	list := f.entries[:n]
	f.entries = f.entries[n:]
	return list, nil
}
