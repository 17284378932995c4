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

	"github.com/google/renameio/v2"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/nodeapp"
)

// madeLockLimit bounds a lockfile that npm has made, in bytes.
const madeLockLimit = 64 << 20

// ensureLock gives a repository without a lockfile one that npm makes. It is kept with the app: what was pushed is
// built again from the same versions, however much time is between. It is in the image too, as the app's
// package-lock.json.
func (j installer) ensureLock(ctx context.Context) error {
	if j.plan.LockName != "" {
		return nil
	}
	const way = "`npm install --package-lock-only` writes package-lock.json; commit it, and push again"
	if j.b.cfg.RequireLockfile {
		return core.Reject("there are dependencies, but no lockfile, and this server wants one", way)
	}
	key, err := j.lockKey()
	if err != nil {
		return err
	}
	lock, err := j.store.lock(key)
	if errors.Is(err, fs.ErrNotExist) {
		if lock, err = j.makeLock(ctx); err == nil {
			err = j.store.keepLock(key, lock)
		}
	}
	if err != nil {
		return err
	}
	j.r.Warn("no lockfile: versions are those that npm chose when these dependencies were first pushed; " +
		"`npm install --package-lock-only` writes package-lock.json, to commit")
	if err := j.writeApp(nodeapp.LockFile, lock); err != nil {
		return err
	}
	return j.plan.UseLock(lock)
}

// lockKey names what a lockfile is made of: what package.json says of dependencies, or, with workspaces, which have a
// package.json each, the commit.
func (j installer) lockKey() (string, error) {
	pkg, err := j.plan.Package.InstallInput()
	if err != nil {
		return "", err
	}
	commit := ""
	if j.plan.Package.Workspaces() || j.plan.Package.Local() {
		commit = j.src.Commit
	}
	h := sha256.New()
	for _, part := range [][]byte{pkg, j.plan.Inputs[nodeapp.NPMRCFile], []byte(commit)} {
		fmt.Fprintf(h, "%d ", len(part))
		h.Write(part)
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}

func (j installer) makeLock(ctx context.Context) ([]byte, error) {
	args := []string{"npm", "install", "--package-lock-only", "--ignore-scripts", "--loglevel=error"}
	j.r.Detail("%s", shown(args))
	err := j.run(ctx, step{
		name: "npm install --package-lock-only", app: j.shop.path("app"), args: args, env: j.commands().Env, quiet: true,
	})
	if r, ok := errors.AsType[*core.Rejection](err); ok && ctx.Err() == nil {
		r.Hint = "there is no lockfile, and npm cannot make one: its output above says why. Make one at your side, by " +
			"`npm install --package-lock-only` (with --legacy-peer-deps if it says ERESOLVE), commit it, and push again"
		return nil, r
	}
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(j.shop.path("app"))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := root.Open(nodeapp.LockFile)
	if err != nil {
		return nil, fmt.Errorf("read the lockfile that npm made: %w", err)
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, madeLockLimit))
}

func (s store) lockPath(key string) string { return filepath.Join(s.dir, "locks", key+".json") }

// lock is a lockfile that was made for an earlier build.
func (s store) lock(key string) ([]byte, error) { return os.ReadFile(s.lockPath(key)) }

// keepLock keeps a lockfile for later builds.
func (s store) keepLock(key string, lock []byte) error {
	if err := os.MkdirAll(filepath.Dir(s.lockPath(key)), 0o700); err != nil {
		return err
	}
	return renameio.WriteFile(s.lockPath(key), lock, 0o600)
}
