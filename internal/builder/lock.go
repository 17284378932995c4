package builder

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/nodeos-dev/gitd/internal/builder/locks"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/nodeapp"
)

// madeLockLimit bounds a lockfile that npm has made, in bytes.
const madeLockLimit = 64 << 20

// locker makes the lockfile that a repository has not.
type locker struct{ installer }

// ensure gives a repository without a lockfile one that npm makes. It is kept with the app: what was pushed is
// built again from the same versions, however much time is between. It is in the image too, as the app's
// package-lock.json.
func (j locker) ensure(ctx context.Context) error {
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
	made, err := j.b.storeOf(j.src.App).lock(key) // also of a build that changes nothing there
	if errors.Is(err, fs.ErrNotExist) {
		if made, err = j.makeLock(ctx); err == nil {
			err = j.store.keepLock(key, made)
		}
	} else if err == nil {
		err = j.as(ctx, made)
	}
	if err != nil {
		return err
	}
	j.r.Warn("no lockfile: versions are those that npm chose when these dependencies were first pushed; " +
		"`npm install --package-lock-only` writes package-lock.json, to commit")
	if made.LoosePeers {
		j.r.Warn("the packages' wishes for one another conflict, and npm leaves them aside: `npm ls` shows which; " +
			"the line above ends with ERESOLVE without --legacy-peer-deps")
	}
	if err := j.writeApp(nodeapp.LockFile, made.Text); err != nil {
		return err
	}
	return j.plan.UseLock(made.Text)
}

// madeLock is a lockfile that npm has made for gitd.
type madeLock struct {
	NPM        string `json:"npm,omitempty"` // versions of npm that read it; "": the one that belongs to the Node
	LoosePeers bool   `json:"loose_peers,omitempty"`
	Text       []byte `json:"text"`
}

// as makes the build go on as the lockfile was made.
func (j locker) as(ctx context.Context, made madeLock) error {
	j.plan.Manager.LoosePeers = made.LoosePeers
	if made.NPM == "" || j.plan.Manager.Range == made.NPM {
		return nil
	}
	return j.useNPM(ctx, made.NPM)
}

// lockKey names what a lockfile is made of: what package.json says of dependencies, or, with workspaces, which have a
// package.json each, the commit.
func (j locker) lockKey() (string, error) {
	pkg, err := j.plan.Root.InstallInput()
	if err != nil {
		return "", err
	}
	commit := ""
	if j.plan.Root.Workspaces() || j.plan.Root.Local() {
		commit = j.src.Commit
	}
	h := sha256.New()
	for _, part := range [][]byte{pkg, j.plan.Inputs[nodeapp.NPMRCFile], []byte(commit)} {
		fmt.Fprintf(h, "%d ", len(part))
		h.Write(part)
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}

// makeLock lets npm choose versions. Where the npm that belongs to the app's Node cannot, a newer one is tried (npm 10
// ends with "Cannot read properties of null" at some conflicts), and then one that leaves peer dependencies aside, as
// npm did before version 7.
func (j locker) makeLock(ctx context.Context) (made madeLock, err error) {
	ways := []madeLock{{}, {LoosePeers: true}}
	if j.tools.Manager.Major() < newerNPM && j.plan.Manager.Range == "" {
		ways = []madeLock{{}, {NPM: newestLine}, {NPM: newestLine, LoosePeers: true}}
	}
	for _, way := range ways {
		if err = j.as(ctx, way); err != nil {
			return made, err
		}
		made = way
		made.Text, err = j.lockBy(ctx)
		made.Text = locks.WithoutAbsent(made.Text)
		if r, ok := errors.AsType[*core.Rejection](err); !ok || ctx.Err() != nil || r.Err == nil || !worthAnother(r.Err.Error()) {
			break
		}
	}
	if r, ok := errors.AsType[*core.Rejection](err); ok && ctx.Err() == nil {
		r.Hint = "there is no lockfile, and npm cannot make one: its output above says why. Make one at your side, by " +
			"`npm install --package-lock-only`, commit it, and push again"
	}
	return made, err
}

// worthAnother reports whether another npm may get further.
func worthAnother(said string) bool {
	return strings.Contains(said, "ERESOLVE") || strings.Contains(said, "Cannot read properties of")
}

// settled lets npm make a lockfile from its own until it says the same again. Its first may lack packages that others
// only wish for as peers, and `npm ci` refuses such a one.
func settled(lock func() ([]byte, error)) (text []byte, err error) {
	const most = 3
	for try, before := 0, []byte(nil); try < most && (try == 0 || !bytes.Equal(text, before)); try++ {
		before = text
		if text, err = lock(); err != nil {
			return nil, err
		}
	}
	return text, nil
}

func (j locker) lockBy(ctx context.Context) ([]byte, error) {
	args := []string{"npm", "install", "--package-lock-only", "--ignore-scripts", "--loglevel=error"}
	j.r.Detail("%s", shown(args))
	return settled(func() ([]byte, error) { return j.lockOnce(ctx, args) })
}

func (j locker) lockOnce(ctx context.Context, args []string) ([]byte, error) {
	err := j.run(ctx, step{
		name: "npm install --package-lock-only", app: j.shop.path("app"), args: args, env: j.commands().Env, quiet: true,
	})
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
func (s store) lock(key string) (made madeLock, err error) {
	b, err := os.ReadFile(s.lockPath(key))
	if err != nil {
		return made, err
	}
	return made, json.Unmarshal(b, &made)
}

// keepLock keeps a lockfile for later builds.
func (s store) keepLock(key string, made madeLock) error {
	b, err := json.Marshal(made)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(s.lockPath(key)), 0o700); err != nil {
		return err
	}
	return renameio.WriteFile(s.lockPath(key), b, 0o600)
}
