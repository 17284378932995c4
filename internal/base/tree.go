package base

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cavaliergopher/cpio"
)

// entry is one file, folder or symlink of an image.
type entry struct {
	path   string      // in the image, without the leading slash
	mode   fs.FileMode // permissions, and ModeDir or ModeSymlink
	host   string      // the file's content is this file of the host …
	data   string      // … or these bytes; of a symlink: its target
	origin string      // for people: where it comes from
}

// tree is an image as data: everything belongs to root, nothing else is in
// it. Folders are implied by what they hold; only those with another mode, or
// without content, are entries.
type tree []entry

func (t *tree) file(name string, mode fs.FileMode, host, origin string) {
	t.add(name, entry{mode: mode, host: host, origin: origin})
}

func (t *tree) text(name, data string) {
	t.add(name, entry{mode: 0o644, data: data, origin: "gitd"})
}

func (t *tree) link(name, target string) {
	t.add(name, entry{mode: fs.ModeSymlink | 0o777, data: target, origin: "gitd"})
}

func (t *tree) folder(name string, mode fs.FileMode) {
	t.add(name, entry{mode: fs.ModeDir | mode, origin: "gitd"})
}

func (t *tree) add(name string, e entry) {
	e.path = strings.TrimPrefix(name, "/")
	*t = append(*t, e)
}

// complete returns t with its implied folders, sorted so that a folder comes
// before its content.
func (t tree) complete() (tree, error) {
	all := map[string]entry{}
	for _, e := range t {
		if _, ok := all[e.path]; ok || !fs.ValidPath(e.path) || e.path == "." {
			return nil, fmt.Errorf("image: bad or double path %q", e.path)
		}
		all[e.path] = e
	}
	for _, e := range t {
		for dir := path.Dir(e.path); dir != "."; dir = path.Dir(dir) {
			if parent, ok := all[dir]; !ok {
				all[dir] = entry{path: dir, mode: fs.ModeDir | 0o755, origin: "gitd"}
			} else if !parent.mode.IsDir() {
				return nil, fmt.Errorf("image: %q is below %q, which is no folder", e.path, dir)
			}
		}
	}
	sorted := make(tree, 0, len(all))
	for _, e := range all {
		sorted = append(sorted, e)
	}
	slices.SortFunc(sorted, func(a, b entry) int { return cmp.Compare(a.path, b.path) })
	return sorted, nil
}

// open returns the content of a file and its size in bytes.
func (e entry) open() (io.ReadCloser, int64, error) {
	if e.host == "" {
		return io.NopCloser(strings.NewReader(e.data)), int64(len(e.data)), nil
	}
	f, err := os.Open(e.host)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a file", e.host)
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

// writeTo puts t into the empty folder dir, for mkfs.erofs to read.
func (t tree) writeTo(dir string) error {
	all, err := t.complete()
	if err != nil {
		return err
	}
	for _, e := range all {
		if err := e.writeTo(filepath.Join(dir, e.path)); err != nil {
			return fmt.Errorf("image: %s: %w", e.path, err)
		}
	}
	return nil
}

func (e entry) writeTo(name string) error {
	switch e.mode.Type() {
	case fs.ModeSymlink:
		return os.Symlink(e.data, name)
	case fs.ModeDir:
		if err := os.Mkdir(name, 0o700); err != nil {
			return err
		}
	default:
		if err := e.copyTo(name); err != nil {
			return err
		}
	}
	return os.Chmod(name, e.mode) // whatever the umask is
}

func (e entry) copyTo(name string) error {
	src, _, err := e.open()
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return errors.Join(err, dst.Close())
}

// writeCPIO writes t as an initramfs in the kernel's newc form.
func (t tree) writeCPIO(w io.Writer) error {
	all, err := t.complete()
	if err != nil {
		return err
	}
	c := cpio.NewWriter(w)
	for _, e := range all {
		if err := e.writeCPIO(c); err != nil {
			return fmt.Errorf("initramfs: %s: %w", e.path, err)
		}
	}
	return c.Close()
}

func (e entry) writeCPIO(c *cpio.Writer) error {
	h := &cpio.Header{Name: e.path, Mode: cpio.FileMode(e.mode.Perm()), Links: 1, ModTime: time.Unix(0, 0)}
	switch e.mode.Type() {
	case fs.ModeDir:
		h.Mode |= cpio.TypeDir
		return c.WriteHeader(h)
	case fs.ModeSymlink:
		h.Mode |= cpio.TypeSymlink // its body is the target
	default:
		h.Mode |= cpio.TypeReg
	}
	src, size, err := e.open()
	if err != nil {
		return err
	}
	defer src.Close()
	h.Size = size
	if err := c.WriteHeader(h); err != nil {
		return err
	}
	_, err = io.Copy(c, src)
	return err
}
