package builder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/nodeos-dev/gitd/internal/builder/tools"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/nodeapp"
)

// commands are what the plan's package manager is told.
func (j installer) commands() tools.Commands {
	return j.tools.Manager.Commands(j.plan, tools.Folders{Cache: insideCache, Home: insideHome})
}

// install has the package manager install in the app's folder.
func (j installer) install(ctx context.Context) error {
	if err := j.checkHosts(ctx); err != nil {
		return err
	}
	if before := j.plan.Scripts.Before; before != "" {
		if err := j.script(ctx, before, nil); err != nil {
			return err
		}
	}
	err := j.installOnce(ctx)
	if !j.wantsNewerNPM(err) {
		return err
	}
	if err := j.takeNewerNPM(ctx); err != nil {
		return err
	}
	return j.installOnce(ctx)
}

func (j installer) installOnce(ctx context.Context) error {
	c := j.commands()
	if len(c.Prune) == 0 && j.plan.Prune {
		j.r.Warn("%s cannot remove devDependencies again without its plugin: they stay in the image; "+
			"`yarn plugin import workspace-tools` adds it", j.tools.Manager)
	}
	j.r.Detail("%s", shown(c.Install))
	return j.withLock(func() error {
		return j.run(ctx, step{name: shown(c.Install[:2]), app: j.shop.path("app"), args: c.Install, env: c.Env})
	})
}

// shown is a command without the flags that only say how it prints.
func shown(args []string) string {
	var words []string
	for _, a := range args {
		switch a {
		case "--loglevel=error", "--non-interactive", "--no-progress":
		default:
			words = append(words, a)
		}
	}
	return strings.Join(words, " ")
}

// withLock runs f with a lockfile whose packages come from the server's registry, where the tool has no setting for
// that, and puts the commit's own back.
func (j installer) withLock(f func() error) error {
	switch m := j.tools.Manager; {
	case m.Tool == nodeapp.NPM && m.Major() < 7 && j.plan.Lock != nil:
		// npm 6 takes devDependencies out of the lockfile when it prunes.
		return errors.Join(f(), j.writeApp(j.plan.LockName, j.plan.Lock))
	case m.Tool != nodeapp.Yarn1:
		return f()
	}
	if err := j.writeApp(j.plan.LockName, tools.YarnLock(j.plan.Lock, j.b.registry.URL().String())); err != nil {
		return err
	}
	if err := f(); err != nil {
		return err
	}
	return j.writeApp(j.plan.LockName, j.plan.Lock)
}

// writeApp writes a file of the app's folder. Scripts may have put a link there: it is replaced, and not followed.
func (j installer) writeApp(name string, content []byte) error {
	root, err := os.OpenRoot(j.shop.path("app"))
	if err != nil {
		return err
	}
	defer root.Close()
	if err := disk.RemoveAllIn(root, name); err != nil {
		return err
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	uid, gid := j.b.owner()
	return errors.Join(err, f.Close(), root.Lchown(name, uid, gid))
}

// checkHosts names a host that packages come from and that cannot be reached, before the package manager tries for
// minutes.
func (j installer) checkHosts(ctx context.Context) error {
	for _, h := range j.plan.Hosts {
		if err := j.b.egress.Reach(ctx, h.URL); err != nil && ctx.Err() == nil {
			return &core.Rejection{
				Reason: fmt.Sprintf("%s, from which %s comes, cannot be reached by this server", h.URL, h.Package),
				Hint: "make it reachable (--registry names the server's own registry), " +
					"or write the lockfile anew with a registry that is",
				Err: err,
			}
		}
	}
	return nil
}

const newerNPM = 11

// newestLine is that line of npm, as a range.
var newestLine = fmt.Sprintf("^%d", newerNPM)

// wantsNewerNPM: npm 11 writes lockfiles in which a package for another system is not marked as one that may be left
// out. npm 10 ends there with EBADPLATFORM; npm 11 leaves it out.
func (j installer) wantsNewerNPM(err error) bool {
	r, ok := errors.AsType[*core.Rejection](err)
	m := j.tools.Manager
	return ok && r.Err != nil && strings.Contains(r.Err.Error(), "EBADPLATFORM") &&
		m.Tool == nodeapp.NPM && m.Major() < newerNPM && !j.plan.Manager.Exact()
}

// takeNewerNPM changes to npm 11, and remembers it for the next push.
func (j installer) takeNewerNPM(ctx context.Context) error {
	key, err := j.installKey()
	if err != nil {
		return err
	}
	i, wish := j.store.install(key), newestLine
	j.r.Detail("npm %s does not read this lockfile; npm %d wrote it", j.tools.NPM, newerNPM)
	if err := j.useNPM(ctx, wish); err != nil {
		return err
	}
	if i.NPM = wish; j.plan.Fresh != "" {
		return nil
	}
	return j.remember(i)
}

// useNPM changes to another npm.
func (j installer) useNPM(ctx context.Context, wish string) error {
	j.plan.Manager.Range, j.plan.Manager.From = wish, "the lockfile"
	t, err := j.b.tools.Ensure(ctx, j.plan.Node, j.plan.Manager, j.r)
	if err != nil {
		return err
	}
	j.tools = t
	j.tools.Used()
	j.r.Detail("npm %s", t.NPM)
	return j.shop.link(t, j.b.box != nil)
}

// cleanup runs Heroku's script for the end of a build.
func (j *job) cleanup(ctx context.Context) error {
	if j.plan.Scripts.Cleanup == "" {
		return nil
	}
	return j.script(ctx, j.plan.Scripts.Cleanup, []string{"NODE_ENV=production"})
}

// script runs a script of package.json.
func (j *job) script(ctx context.Context, name string, env []string) error {
	args := j.tools.Manager.RunArgs(name)
	j.r.Detail("%s", shown(args))
	return j.run(ctx, step{
		name: shown(args), app: j.shop.path("app"), args: args, env: append(installer{j}.commands().Env, env...),
	})
}

// prune removes the devDependencies, and says how many packages went. The tools' own words are left out: npm's "up to
// date" stands there also when it has removed half of them.
func (j installer) prune(ctx context.Context) error {
	c := j.commands()
	if !j.plan.Install || !j.plan.Prune || len(c.Prune) == 0 {
		return nil
	}
	modules := filepath.Join(j.shop.path("app"), nodeapp.NodeModules)
	before, err := inspect(modules)
	if err != nil {
		return err
	}
	err = j.withLock(func() error {
		return j.run(ctx, step{
			name: shown(c.Prune[:2]), app: j.shop.path("app"), args: c.Prune, quiet: true,
			// What was built stays as it is; Yarn has no flag for that.
			env: append(c.Env, "YARN_ENABLE_SCRIPTS=false"),
		})
	})
	if err != nil {
		return err
	}
	after, err := inspect(modules)
	if err == nil {
		j.r.Detail("devDependencies removed: %d of %d packages", before.packages-after.packages, before.packages)
	}
	return err
}

// removeBelow removes what has these names below dir. Scripts may have put links there: they are not followed.
func removeBelow(dir string, names []string) error {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer root.Close()
	for _, name := range names {
		parent := path.Dir(name)
		if info, err := root.Lstat(parent); err != nil || !info.IsDir() {
			continue
		}
		if err := disk.RemoveAll(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// manifestLimit bounds a package.json of a package, in bytes.
const manifestLimit = 4 << 20

// modules is what stands in a node_modules.
type modules struct {
	packages int
	scripts  string // a package with an install script; "": none has one
}

// inspect counts the packages below dir, a node_modules, and looks for install scripts. Links are not followed: pnpm's
// lead to packages in .pnpm, which are found there.
func inspect(dir string) (m modules, err error) {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return modules{}, nil
	}
	if err != nil {
		return modules{}, err
	}
	defer root.Close()
	err = fs.WalkDir(root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrPermission) {
			return fs.SkipDir
		}
		if strings.Count(name, "/") > maxLayerDepth {
			return deepFolders(nodeapp.NodeModules)
		}
		if err != nil || !e.Type().IsRegular() || path.Base(name) != nodeapp.PackageFile || !isPackage(path.Dir(name)) {
			return err
		}
		m.packages++
		if m.scripts == "" && hasScripts(root, path.Dir(name)) {
			m.scripts = path.Dir(name)
		}
		return nil
	})
	return m, err
}

// isPackage reports whether a folder below node_modules is a package's own: "ms", "@a/b", "a/node_modules/b".
func isPackage(dir string) bool {
	parent, name := path.Split(dir)
	parent = strings.TrimSuffix(parent, "/")
	if strings.HasPrefix(path.Base(parent), "@") {
		parent = path.Dir(parent)
	}
	return name != "" && !strings.HasPrefix(name, ".") && (parent == "" || parent == "." || path.Base(parent) == nodeapp.NodeModules)
}

// hasScripts reports whether a package manager runs something when it installs this package.
func hasScripts(root *os.Root, dir string) bool {
	if _, err := root.Lstat(path.Join(dir, "binding.gyp")); err == nil {
		return true
	}
	f, err := root.Open(path.Join(dir, nodeapp.PackageFile))
	if err != nil {
		return false
	}
	defer f.Close()
	var doc struct {
		Scripts struct{ Preinstall, Install, Postinstall string }
	}
	if json.NewDecoder(io.LimitReader(f, manifestLimit)).Decode(&doc) != nil {
		return false
	}
	s := doc.Scripts
	return s.Preinstall+s.Install+s.Postinstall != ""
}
