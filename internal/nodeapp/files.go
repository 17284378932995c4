package nodeapp

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/units"
)

// The names of files and folders, at the root of a repository, that mean something here.
const (
	PackageFile = "package.json"
	NPMRCFile   = ".npmrc"
	NodeModules = "node_modules"
	LockFile    = "package-lock.json"

	lockFile    = LockFile
	shrinkwrap  = "npm-shrinkwrap.json"
	pnpmLock    = "pnpm-lock.yaml"
	yarnLock    = "yarn.lock"
	procfile    = "Procfile"
	appJSONFile = "app.json"

	yarn1RC       = ".yarnrc"
	yarnRC        = ".yarnrc.yml"
	pnpmWorkspace = "pnpm-workspace.yaml"
	pnpmFile      = ".pnpmfile.cjs"
)

// The most that is read of each, in bytes.
const (
	packageLimit  = 1 << 20
	lockLimit     = 64 << 20
	procfileLimit = 64 << 10
	appJSONLimit  = 1 << 20

	versionFileLimit = 4 << 10
)

// readFile returns a file of the repository's root, up to limit bytes. A file that is not there, or that is none,
// gives fs.ErrNotExist; a symlink and one that is larger are a *core.Rejection.
func readFile(repo fs.FS, name string, limit int64) ([]byte, error) {
	info, err := fs.Lstat(repo, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fs.ErrNotExist
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", name, err)
	case info.Mode().Type() == fs.ModeSymlink:
		return nil, core.Reject(name+" is a symlink", "replace it by the file itself")
	case !info.Mode().IsRegular():
		return nil, fs.ErrNotExist
	case info.Size() > limit:
		return nil, core.Reject(fmt.Sprintf("%s is larger than %s", name, units.Bytes(limit)), "")
	}
	f, err := repo.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return b, nil
}

// readOptional is readFile, and nil without an error for a file that is not there.
func readOptional(repo fs.FS, name string, limit int64) ([]byte, error) {
	b, err := readFile(repo, name, limit)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// exists reports whether the repository has a file, folder or link of this name.
func exists(repo fs.FS, name string) bool {
	_, err := fs.Lstat(repo, name)
	return err == nil && name != "."
}

// shorten keeps a hostile name from filling a reject line.
func shorten(s string) string { return progress.Shorten(s) }
