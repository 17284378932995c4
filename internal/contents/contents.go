// Package contents says what is in the image of a release: its files, its packages, and how two images differ.
//
// It owns the reading of layers and bases as they are stored. It does not own how they are made (packages builder and
// base), nor which release has which image (package ledger). What is read was made from other people's files: sizes are
// bounded, and names are printed by whoever prints them.
package contents

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"

	"github.com/nodeos-dev/gitd/internal/contents/erofs"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/image"
)

// The layers of an image.
const (
	Base   = "base"   // Node, its libraries, and init; the kernel is beside it
	Debian = "debian" // packages that the app asks for, below the same root
	Deps   = "deps"   // node_modules
	App    = "app"    // source and build output
)

// Names are the layers, in the order in which they are listed.
func Names() []string { return []string{Base, Debian, Deps, App} }

// BaseInfo is what is known of a base beside its files.
type BaseInfo struct {
	Kernel string // which one, for people
	Images map[string]core.Layer
	Files  []BaseFile
}

// BaseFile is one file of a base's root.
type BaseFile struct {
	Path    string // absolute, in a machine
	Origin  string // where it comes from, for people
	Package string // Debian's name of the package; "": it comes from elsewhere, or that is not known
	Version string // Debian's, of that package
	SHA256  string // empty for folders
}

// Reader reads the images in a state folder. Its methods are safe for concurrent use.
type Reader struct {
	State core.StateDir
	Bases func(id string) (BaseInfo, error)

	places chan struct{}
}

// New is a Reader of the images in state. bases says what is known of a base.
func New(state core.StateDir, bases func(id string) (BaseInfo, error)) Reader {
	return Reader{State: state, Bases: bases, places: make(chan struct{}, atOnce)}
}

// File is one file, folder or symlink of an image.
type File struct {
	Layer  string
	Path   string // absolute, in a machine; a kernel and its initrd have none, so they stand in brackets
	Mode   fs.FileMode
	Size   int64  // bytes; 0 for folders and symlinks
	Link   string // where a symlink leads
	SHA256 string // if digests were asked for; empty for all but files

	content func() (io.Reader, error)
}

// part is one layer of an image as a file of the host.
type part struct {
	name, path, below string // below: the folder in a machine at which it is mounted
}

// parts are those of m, or the one called only.
func (r Reader) parts(m core.Manifest, only string) (list []part) {
	all := []part{
		{Base, r.State.Root(m.Base), "/"},
		{Debian, r.layer(m.Debian), "/"}, {Deps, r.layer(m.Deps), appDir}, {App, r.layer(m.App), appDir},
	}
	for _, p := range all {
		if p.path != "" && (only == "" || p.name == only) {
			list = append(list, p)
		}
	}
	return list
}

// layer is the file of l; "" if the image has none.
func (r Reader) layer(l core.Layer) string {
	if l.Digest == "" {
		return ""
	}
	return r.State.Layer(l.Digest)
}

// Files are those of the layer called only, or of all. An error is the last.
func (r Reader) Files(ctx context.Context, m core.Manifest, only string, digests bool) iter.Seq2[File, error] {
	return func(yield func(File, error) bool) {
		if only == "" || only == Base {
			for _, f := range r.kernel(m.Base, digests) {
				if !yield(f, nil) {
					return
				}
			}
		}
		for _, p := range r.parts(m, only) {
			for f, err := range p.files(ctx) {
				if err == nil && digests && f.Mode.IsRegular() {
					f.SHA256, err = f.digest(ctx)
				}
				if !yield(f, err) || err != nil {
					return
				}
			}
		}
	}
}

// kernel is what stands beside the root of a base.
func (r Reader) kernel(base string, digests bool) (list []File) {
	info, err := r.Bases(base)
	if err != nil {
		return nil // its root will say so
	}
	for _, name := range []string{"kernel", "initrd"} {
		if l, ok := info.Images[name]; ok {
			f := File{Layer: Base, Path: "[" + name + "]", Mode: 0o644, Size: l.Size}
			if digests {
				f.SHA256 = l.Digest
			}
			list = append(list, f)
		}
	}
	return list
}

// files are those of one layer.
func (p part) files(ctx context.Context) iter.Seq2[File, error] {
	return func(yield func(File, error) bool) {
		f, err := os.Open(p.path)
		if errors.Is(err, fs.ErrNotExist) {
			err = &core.Rejection{Reason: "the layer " + p.name + " of this image is no longer kept", Err: err}
		}
		if err != nil {
			yield(File{}, err)
			return
		}
		defer f.Close()
		for e, err := range entries(f) {
			if err == nil {
				err = ctx.Err()
			}
			file := File{}
			if err == nil {
				file, err = p.file(e)
			}
			if err != nil {
				yield(File{}, fmt.Errorf("read the layer %s: %w", p.name, err))
				return
			}
			if !yield(file, nil) {
				return
			}
		}
	}
}

func (p part) file(e erofs.Entry) (f File, err error) {
	f = File{Layer: p.name, Path: join(p.below, e.Path), Mode: e.Mode, content: e.Reader}
	switch e.Mode.Type() {
	case 0:
		f.Size = e.Size
	case fs.ModeSymlink:
		f.Link, err = e.Link()
	}
	return f, err
}

func join(dir, name string) string {
	if dir == "/" {
		return dir + name
	}
	return dir + "/" + name
}

func entries(f *os.File) iter.Seq2[erofs.Entry, error] {
	info, err := f.Stat()
	if err == nil {
		var packed *erofs.FS
		if packed, err = erofs.Open(f, info.Size()); err == nil {
			return packed.All()
		}
	}
	return func(yield func(erofs.Entry, error) bool) { yield(erofs.Entry{}, err) }
}

// digest reads the file.
func (f File) digest(ctx context.Context) (string, error) {
	r, err := f.content()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	n, err := io.Copy(h, endable{ctx, r})
	if err == nil && n != f.Size {
		err = fmt.Errorf("%q: %d bytes instead of %d", f.Path, n, f.Size)
	}
	return hex.EncodeToString(h.Sum(nil)), err
}

// endable ends a read of a large file with its context.
type endable struct {
	ctx context.Context // of one read
	r   io.Reader
}

func (e endable) Read(b []byte) (int, error) {
	if err := e.ctx.Err(); err != nil {
		return 0, err
	}
	return e.r.Read(b)
}

// head reads at most n bytes of the file.
func (f File) head(n int64) ([]byte, error) {
	r, err := f.content()
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(r, n))
}

// Kept returns a *core.Rejection that says what to type if the image of r is gone.
func (r Reader) Kept(release core.Release) error {
	if image.Bootable(r.State, release) {
		return nil
	}
	if release.Manifest.Empty() {
		return core.Reject(fmt.Sprintf("v%d has no image: it was not built to its end", release.Version), "")
	}
	return core.Reject(fmt.Sprintf("the image of v%d is no longer kept", release.Version), image.BuildAgain(release))
}

// atOnce is how many readings run at once: each takes a core, and the memory for what it gathers.
const atOnce = 2

// Enter waits for one of the places for readings. leave gives it back.
func (r Reader) Enter(ctx context.Context) (leave func(), err error) {
	select {
	case r.places <- struct{}{}:
		return func() { <-r.places }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
