package system

import (
	"context"
	"errors"
	"os"
	"path"
	"strings"

	"github.com/nodeos-dev/gitd/internal/base"
	"github.com/nodeos-dev/gitd/internal/builder/debian"
	"github.com/nodeos-dev/gitd/internal/core"
)

// glibcParts are the libraries of glibc that the base leaves out, because few name them. They are taken from the host,
// as the base's are: another version of them would not fit to its libc.so.6.
type glibcParts struct {
	of    core.Package
	paths []string // on the host, and in the machine
}

func partNames() []string {
	return []string{"libanl.so.1", "libmvec.so.1", "libnsl.so.1", "libresolv.so.2"}
}

func (s *System) glibcParts(ctx context.Context) (glibcParts, error) {
	c, err := base.Read(s.State, s.Base)
	if err != nil {
		return glibcParts{}, err
	}
	version, err := debian.Installed(ctx, "libc6")
	if err != nil {
		return glibcParts{}, err
	}
	all := glibcParts{of: core.Package{Name: "libc6", Version: version}}
	dir := path.Dir(c.Libraries()["libc.so.6"])
	for _, name := range partNames() {
		if p := path.Join(dir, name); isFile(p) {
			all.paths = append(all.paths, p)
		}
	}
	return all, nil
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

func (g glibcParts) copyTo(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, p := range g.paths {
		content, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		in := strings.TrimPrefix(p, "/")
		if err := errors.Join(root.MkdirAll(path.Dir(in), 0o755), root.WriteFile(in, content, 0o644)); err != nil {
			return err
		}
	}
	return nil
}
