package builder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/nodeos-dev/gitd/internal/builder/fingerprint"
	"github.com/nodeos-dev/gitd/internal/builder/native"
	"github.com/nodeos-dev/gitd/internal/bundle"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/nodeapp"
	"github.com/nodeos-dev/gitd/internal/units"
)

// installer is what a build does about dependencies.
type installer struct{ *job }

// dependencies is node_modules as the app will find it.
type dependencies struct {
	layer    core.Layer // zero: there are none
	programs nodeapp.Programs
	wants    []native.Want // of the compiled files in it
	bundle   string        // what is in the bundle of its files; "": there is none
	cached   bool
}

func (d dependencies) summary() string {
	switch {
	case d.layer.Digest == "":
		return "no deps"
	case d.cached:
		return fmt.Sprintf("deps %s (cached)", units.Bytes(d.layer.Size))
	}
	return "deps " + units.Bytes(d.layer.Size)
}

// dependencies installs what the lockfile names, runs the build scripts, and leaves the app's folder without
// node_modules.
func (j installer) dependencies(ctx context.Context) (dependencies, error) {
	if !j.plan.Install {
		return j.buildAndPack(ctx)
	}
	j.r.At(core.AtInstall)
	j.r.Step("Installing dependencies")
	if err := (locker{j}).ensure(ctx); err != nil {
		return dependencies{}, err
	}
	if j.plan.Fresh != "" {
		return j.installFresh(ctx, j.plan.Fresh)
	}
	i, err := j.kept(ctx)
	switch {
	case err != nil:
		return dependencies{}, err
	case i.Scripts != "":
		return j.installFresh(ctx, scriptsOf(i.Scripts))
	case j.plan.Build:
		return j.installAndBuild(ctx, i)
	}
	return j.installOnly(ctx, i)
}

func scriptsOf(pkg string) string {
	return fmt.Sprintf("the install script of %q may read any file", pkg)
}

// installFresh installs in the app's folder, with everything that a clone has, and keeps nothing but the download
// cache.
func (j installer) installFresh(ctx context.Context, why string) (dependencies, error) {
	j.r.Detail("installed dependencies are not kept, because %s", why)
	if err := j.install(ctx); err != nil {
		return dependencies{}, err
	}
	j.r.Lap("deps")
	return j.buildAndPack(ctx)
}

// installOnly is for apps without a build script. If their dependencies were packed for an earlier commit, nothing has
// to run.
func (j installer) installOnly(ctx context.Context, i install) (dependencies, error) {
	defer j.r.Lap("deps")
	// Nothing runs, so what starts is there already; it may be a site, which needs no dependencies.
	if err := j.findOutcome(ctx); err != nil {
		return dependencies{}, err
	}
	if j.alone {
		return j.dropModules(ctx)
	}
	if i.Layer.Digest != "" {
		j.r.Detail("using cached dependencies")
		return i.cached(), nil
	}
	if err := j.install(ctx); err != nil {
		return dependencies{}, err
	}
	if err := j.findScripts(&i); err != nil {
		return dependencies{}, err
	}
	made, err := j.pruneAndPack(ctx)
	if err != nil {
		return dependencies{}, err
	}
	if i.Scripts == "" {
		i.take(made)
	}
	return made, j.remember(i)
}

// installAndBuild is for apps with a build script. node_modules was made once for all commits with this lockfile; each
// build gets a copy, because build scripts write to it (node_modules/.cache, generated clients) and the next build must
// not see that. Rejected: a read-only bind (such builds fail), hard links (writes go through to the original when gitd
// is no root), an overlay (not in bubblewrap 0.8). The copy shares its blocks where the file system can.
func (j installer) installAndBuild(ctx context.Context, i install) (dependencies, error) {
	if err := j.keptModules(ctx, &i); err != nil {
		return dependencies{}, err
	}
	if i.Scripts != "" {
		return j.buildAndPack(ctx)
	}
	modules := filepath.Join(j.shop.path("app"), nodeapp.NodeModules)
	err := j.run(ctx, step{
		name: "the copy of node_modules", app: j.shop.path("app"), kept: i.dir,
		args: []string{"cp", "-a", "--reflink=auto", insideKept + "/" + nodeapp.NodeModules, nodeapp.NodeModules},
	})
	if err != nil {
		return dependencies{}, err
	}
	before, err := fingerprint.Of(modules)
	if err != nil {
		return dependencies{}, err
	}
	j.r.Lap("deps")
	if err := j.buildScript(ctx); err != nil {
		return dependencies{}, err
	}
	if j.alone {
		return j.dropModules(ctx)
	}
	// It could be read before the build: if it cannot now, the build has changed it.
	after, err := fingerprint.Of(modules)
	untouched := err == nil && after == before && j.plan.Scripts.Cleanup == ""
	if untouched && i.Layer.Digest != "" {
		aside := filepath.Join(j.shop.path("layer"), nodeapp.NodeModules)
		return i.cached(), os.Rename(modules, aside)
	}
	made, err := j.pruneAndPack(ctx)
	if err != nil || !untouched {
		return made, err
	}
	i.take(made)
	return made, j.remember(i)
}

// keptModules makes or finds node_modules with the devDependencies. If a package turns out to have an install script,
// they are in the app's folder, and not kept.
func (j installer) keptModules(ctx context.Context, i *install) error {
	if !j.src.Fresh && isDir(i.modules()) {
		j.r.Detail("using cached dependencies")
		return nil
	}
	if err := j.install(ctx); err != nil {
		return err
	}
	if err := j.findScripts(i); err != nil {
		return err
	}
	if i.Scripts != "" {
		return j.remember(*i)
	}
	if err := disk.RemoveAll(i.dir); err != nil {
		return err
	}
	if err := os.Mkdir(i.dir, 0o700); err != nil {
		return err
	}
	made := filepath.Join(j.shop.path("app"), nodeapp.NodeModules)
	var err error
	if !isDir(made) {
		err = os.Mkdir(made, 0o700)
	}
	err = errors.Join(err, j.b.own(made), os.Rename(made, i.modules()), j.b.own(i.dir))
	if err != nil {
		return err
	}
	return j.remember(*i)
}

// findScripts looks for install scripts in what was installed, if the lockfile does not tell.
func (j installer) findScripts(i *install) error {
	if !j.plan.Silent {
		return nil
	}
	found, err := inspect(filepath.Join(j.shop.path("app"), nodeapp.NodeModules))
	if err != nil {
		return fmt.Errorf("look for install scripts: %w", err)
	}
	if i.Scripts = found.scripts; i.Scripts != "" {
		j.r.Detail("installed dependencies are not kept, because %s", scriptsOf(i.Scripts))
	}
	return nil
}

// kept is what is known of the dependencies that this plan installs.
func (j installer) kept(ctx context.Context) (i install, err error) {
	for range 2 {
		key, err := j.installKey()
		if err != nil {
			return install{}, err
		}
		i = j.store.install(key)
		if j.src.Fresh || !i.load(j.b.cfg.State, j.src.Hold) || i.NPM == "" {
			break
		}
		if err := j.useNPM(ctx, i.NPM); err != nil {
			return install{}, err
		}
	}
	return i, nil
}

// installKey names the result of this build's installation.
func (j *job) installKey() (string, error) {
	key, err := installKey(j.plan, j.tools)
	if err != nil {
		return "", err
	}
	return j.store.keyWith(key, j.src.Vars)
}

func (j installer) remember(i install) error {
	if err := i.save(); err != nil {
		return fmt.Errorf("remember the installed dependencies: %w", err)
	}
	return j.store.trim()
}

// buildAndPack runs the build script and packs what node_modules is after it.
func (j installer) buildAndPack(ctx context.Context) (dependencies, error) {
	if err := j.buildScript(ctx); err != nil {
		return dependencies{}, err
	}
	return j.pruneAndPack(ctx)
}

// pruneAndPack packs what the app needs of node_modules.
func (j installer) pruneAndPack(ctx context.Context) (dependencies, error) {
	defer j.r.Lap("deps")
	if j.alone {
		return j.dropModules(ctx)
	}
	if err := j.prune(ctx); err != nil {
		return dependencies{}, err
	}
	if err := j.cleanup(ctx); err != nil {
		return dependencies{}, err
	}
	return j.packModules(ctx)
}

// packModules moves node_modules out of the app's folder and packs it. What the package manager wrote there for itself
// is left out: it has dates and paths in it, and nothing reads it in a machine.
func (j installer) packModules(ctx context.Context) (dependencies, error) {
	app, layer := j.shop.path("app"), j.shop.path("layer")
	c := j.commands()
	if err := removeBelow(app, c.Beside); err != nil {
		return dependencies{}, err
	}
	var made dependencies
	var err error
	if made.programs, err = j.programs(); err != nil || !isDir(filepath.Join(app, nodeapp.NodeModules)) {
		return made, err
	}
	if made.bundle, err = j.bundle(ctx); err != nil {
		return made, err
	}
	to := filepath.Join(layer, nodeapp.NodeModules)
	if err := os.Rename(filepath.Join(app, nodeapp.NodeModules), to); err != nil {
		return dependencies{}, err
	}
	if err := removeBelow(to, append(c.State, ".cache")); err != nil {
		return dependencies{}, err
	}
	if made.wants, err = native.Scan(layer); err != nil {
		return dependencies{}, fmt.Errorf("read the compiled files of %s: %w", nodeapp.NodeModules, err)
	}
	made.layer, err = j.pack(ctx, layer, nodeapp.NodeModules)
	return made, err
}

// programs are those that the app finds in node_modules, of its folder or of one above it.
func (j installer) programs() (nodeapp.Programs, error) {
	root, err := os.OpenRoot(j.shop.path("app"))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return nodeapp.FindPrograms(root.FS(), j.plan.Dir)
}

// bundle puts the files of packages together, if the app asks for it.
func (j installer) bundle(ctx context.Context) (summary string, err error) {
	if !j.plan.Package.Settings.Bundle {
		return "", nil
	}
	app := j.shop.path("app")
	return bundle.Make(app, j.plan.Dir, func(args []string) error {
		return j.run(ctx, step{name: "the bundle of packages", app: app, args: args, env: []string{"NODE_ENV=production"}})
	})
}

// isDir reports whether path is a folder and not a link to one.
func isDir(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.IsDir()
}
