package image

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// settleModes gives files 0644 or 0755 and folders 0755: what a umask, npm or a build script left would otherwise be
// part of the digest. It also keeps setuid bits out. It refuses devices, sockets and pipes.
func settleModes(ctx context.Context, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("store layer: %w", err)
	}
	defer root.Close()
	return settleFolder(ctx, root, ".")
}

// settleFolder settles name and what is below it. fs.WalkDir would read a folder before its mode is repaired, and
// refuses names that are not UTF-8.
func settleFolder(ctx context.Context, root *os.Root, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := root.Chmod(name, 0o755); err != nil {
		return fmt.Errorf("store layer: %w", err)
	}
	entries, err := disk.ReadDir(root, name)
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

func settle(ctx context.Context, root *os.Root, name string, e fs.DirEntry) error {
	if len(e.Name()) > MaxName {
		return core.Reject(fmt.Sprintf("the file name %q is longer than %d bytes", progress.Shorten(name), MaxName), "shorten it")
	}
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
