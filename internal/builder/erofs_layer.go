package builder

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"gitd/internal/core"
	"gitd/internal/guest"
	"gitd/internal/image"
)

// storeLayer packs the folder srcDir as a content-addressed image below
// State.Layers(), and keeps collections from removing it. It changes the modes in srcDir (see settleModes), so srcDir
// must be a folder of this build alone, in which nothing runs any more. What
// cannot be in a layer is a *core.Rejection.
func (b *Builder) storeLayer(ctx context.Context, srcDir string, hold *image.Hold) (core.Layer, error) {
	if err := settleModes(ctx, srcDir); err != nil {
		return core.Layer{}, err
	}
	tmp, err := os.MkdirTemp(b.cfg.State.Builds(), "layer-")
	if err != nil {
		return core.Layer{}, fmt.Errorf("store layer: %w", err)
	}
	defer os.RemoveAll(tmp)
	image := filepath.Join(tmp, "layer.erofs")
	if err := packEROFS(ctx, srcDir, image, packOptions{Compression: quick, Owner: guest.AppUID}); err != nil {
		return core.Layer{}, err
	}
	layer, err := seal(image)
	if err != nil {
		return core.Layer{}, fmt.Errorf("store layer: %w", err)
	}
	hold.Take(layer.Digest)
	if err := keep(image, b.cfg.State.Layer(layer.Digest)); err != nil {
		return core.Layer{}, fmt.Errorf("store layer: %w", err)
	}
	return layer, nil
}

// settleModes gives files 0644 or 0755 and folders 0755: what a umask, npm or
// a build script left would otherwise be part of the digest. It is also what
// keeps setuid bits out. It refuses devices, sockets and pipes.
func settleModes(ctx context.Context, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("store layer: %w", err)
	}
	defer root.Close()
	return settleFolder(ctx, root, ".")
}

// settleFolder settles name and what is below it. fs.WalkDir would read a
// folder before its mode is repaired, and refuses names that are not UTF-8.
func settleFolder(ctx context.Context, root *os.Root, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := root.Chmod(name, 0o755); err != nil {
		return fmt.Errorf("store layer: %w", err)
	}
	entries, err := readDir(root, name)
	if err != nil {
		return fmt.Errorf("store layer: %w", err)
	}
	for _, e := range entries {
		if err := settle(ctx, root, filepath.Join(name, e.Name()), e); err != nil {
			return err
		}
	}
	return nil
}

func readDir(root *os.Root, name string) ([]fs.DirEntry, error) {
	d, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.ReadDir(-1)
}

func settle(ctx context.Context, root *os.Root, name string, e fs.DirEntry) error {
	switch e.Type() {
	case fs.ModeDir:
		return settleFolder(ctx, root, name)
	case fs.ModeSymlink:
		return nil
	case 0:
	default:
		return core.Reject(fmt.Sprintf("%q is neither file, folder nor symlink", name),
			"remove it at the end of the build: an image holds no devices, sockets or pipes")
	}
	info, err := e.Info()
	if err != nil {
		return fmt.Errorf("store layer: %w", err)
	}
	mode := fs.FileMode(0o644)
	if info.Mode()&0o100 != 0 {
		mode = 0o755
	}
	if info.Mode() == mode {
		return nil
	}
	if err := root.Chmod(name, mode); err != nil {
		return fmt.Errorf("store layer: %w", err)
	}
	return nil
}

// seal makes a finished image readable for QEMU's user, brings it to disk and
// returns its digest.
func seal(path string) (core.Layer, error) {
	f, err := os.Open(path)
	if err != nil {
		return core.Layer{}, err
	}
	defer f.Close()
	l, err := digestReader(context.Background(), f)
	if err = errors.Join(err, f.Chmod(0o644), f.Sync()); err != nil {
		return core.Layer{}, err
	}
	return l, nil
}

// digestReader reads r to its end, or to that of ctx.
func digestReader(ctx context.Context, r io.Reader) (core.Layer, error) {
	h := sha256.New()
	buf := make([]byte, 256<<10)
	for n := int64(0); ; {
		if err := ctx.Err(); err != nil {
			return core.Layer{}, err
		}
		got, err := r.Read(buf)
		h.Write(buf[:got])
		n += int64(got)
		if errors.Is(err, io.EOF) {
			return core.Layer{Digest: hex.EncodeToString(h.Sum(nil)), Size: n}, nil
		}
		if err != nil {
			return core.Layer{}, err
		}
	}
}

// keep moves the image at from to its final name. One that is there already
// is replaced: its bytes may have rotted since, and those at from were just
// read. A machine that has the old file open goes on with it.
func keep(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}

// syncDir makes renames in a folder last.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
