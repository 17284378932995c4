package registry

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/nodeos-dev/gitd/internal/units"
)

const (
	unpackedLimit = 1 << 30 // bytes
	entryLimit    = 50_000
)

// unpack writes the files of an npm tarball below dir. The first part of each
// name ("package/") is dropped, as npm does; like npm it makes plain files
// only, so no link can lead out of dir.
func unpack(ctx context.Context, r io.Reader, dir string) error {
	z, err := gzip.NewReader(r)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	t, left := tar.NewReader(z), int64(unpackedLimit)
	for range entryLimit {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if left -= h.Size; left < 0 {
			return errors.New("it unpacks to more than " + units.Bytes(unpackedLimit))
		}
		if err := unpackFile(root, h, t); err != nil {
			return err
		}
	}
	return fmt.Errorf("it has more than %d files", entryLimit)
}

func unpackFile(root *os.Root, h *tar.Header, content io.Reader) error {
	_, name, ok := strings.Cut(h.Name, "/")
	if !ok || !filepath.IsLocal(name) {
		return fmt.Errorf("it holds a file named %q", h.Name)
	}
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	// npm marks the programs of a package when it installs it.
	mode := os.FileMode(0o644)
	if h.Mode&0o111 != 0 || strings.HasPrefix(name, "bin/") {
		mode = 0o755
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	return errors.Join(err, f.Close())
}
