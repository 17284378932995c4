package builder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/nodeapp"
	"github.com/nodeos-dev/gitd/internal/units"
)

// dependencies is node_modules as the app will find it.
type dependencies struct {
	layer    core.Layer // zero: there are none
	programs nodeapp.Programs
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

// dependencies installs what the lockfile names, runs the build script, and
// leaves the app's folder without node_modules.
func (j *job) dependencies(ctx context.Context) (dependencies, error) {
	if j.plan.Install {
		j.r.At(core.AtInstall)
		j.r.Step("Installing dependencies")
	}
	switch {
	case j.plan.Install && j.plan.Fresh == "" && j.plan.Build:
		return j.installAndBuild(ctx)
	case j.plan.Install && j.plan.Fresh == "":
		return j.installOnly(ctx)
	case j.plan.Install:
		j.r.Detail("installed dependencies are not kept, because %s", j.plan.Fresh)
		if err := j.npmCI(ctx, j.shop.path("app")); err != nil {
			return dependencies{}, err
		}
		j.r.Lap("deps")
	}
	if err := j.buildScript(ctx); err != nil {
		return dependencies{}, err
	}
	return j.packModules(ctx, j.plan.Install && j.plan.Build)
}

// installOnly is for apps without a build script. If their dependencies were packed for an earlier commit, nothing has
// to run.
func (j *job) installOnly(ctx context.Context) (dependencies, error) {
	defer j.r.Lap("deps")
	i, known, err := j.kept()
	if err != nil {
		return dependencies{}, err
	}
	if known && i.Layer.Digest != "" {
		j.r.Detail("using cached dependencies")
		return dependencies{i.Layer, i.Programs, true}, nil
	}
	if err := j.installAlone(ctx); err != nil {
		return dependencies{}, err
	}
	made, err := j.packFrom(ctx, j.shop.path("deps"))
	if err != nil {
		return dependencies{}, err
	}
	i.Layer, i.Programs = made.layer, made.programs
	return made, j.remember(i)
}

// installAndBuild is for apps with a build script. npm ci made node_modules once
// for all commits with this lockfile; each build gets a copy, because build
// scripts write to it (node_modules/.cache, generated clients) and the next
// build must not see that. Rejected: a read-only bind (such builds fail),
// hard links (writes go through to the original when gitd is no root), an
// overlay (not in bubblewrap 0.8). The copy shares its blocks where the file
// system can.
func (j *job) installAndBuild(ctx context.Context) (dependencies, error) {
	i, err := j.keptModules(ctx)
	if err != nil {
		return dependencies{}, err
	}
	modules := filepath.Join(j.shop.path("app"), nodeapp.NodeModules)
	err = j.run(ctx, step{
		name: "the copy of node_modules", app: j.shop.path("app"), kept: i.dir,
		args: []string{"cp", "-a", "--reflink=auto", insideKept + "/" + nodeapp.NodeModules, nodeapp.NodeModules},
	})
	if err != nil {
		return dependencies{}, err
	}
	before, err := fingerprint(modules)
	if err != nil {
		return dependencies{}, err
	}
	j.r.Lap("deps")
	if err := j.buildScript(ctx); err != nil {
		return dependencies{}, err
	}
	// It could be read before the build: if it cannot now, the build has changed it.
	after, err := fingerprint(modules)
	untouched := err == nil && after == before
	if untouched && i.Layer.Digest != "" {
		aside := filepath.Join(j.shop.path("layer"), nodeapp.NodeModules)
		return dependencies{i.Layer, i.Programs, true}, os.Rename(modules, aside)
	}
	made, err := j.packModules(ctx, true)
	if err != nil || !untouched {
		return made, err
	}
	i.Layer, i.Programs = made.layer, made.programs
	return made, j.remember(i)
}

// keptModules makes or finds node_modules with the devDependencies.
func (j *job) keptModules(ctx context.Context) (install, error) {
	i, known, err := j.kept()
	if err != nil {
		return install{}, err
	}
	if known && isDir(i.modules()) {
		j.r.Detail("using cached dependencies")
		return i, nil
	}
	if err := j.installAlone(ctx); err != nil {
		return install{}, err
	}
	if err := disk.RemoveAll(i.dir); err != nil {
		return install{}, err
	}
	if err := os.Mkdir(i.dir, 0o700); err != nil {
		return install{}, err
	}
	made := filepath.Join(j.shop.path("deps"), nodeapp.NodeModules)
	if !isDir(made) {
		err = os.Mkdir(made, 0o700)
	}
	err = errors.Join(err, j.b.own(made), os.Rename(made, i.modules()), j.b.own(i.dir))
	if err != nil {
		return install{}, err
	}
	return i, j.remember(i)
}

func (j *job) kept() (i install, known bool, err error) {
	key, err := installKey(j.plan, j.tools)
	if err != nil {
		return install{}, false, err
	}
	if key, err = j.store.keyWith(key, j.src.Vars); err != nil {
		return install{}, false, err
	}
	i = j.store.install(key)
	known = !j.src.Fresh && i.load(j.b.cfg.State, j.src.Hold)
	return i, known, nil
}

func (j *job) remember(i install) error {
	if err := i.save(); err != nil {
		return fmt.Errorf("remember the installed dependencies: %w", err)
	}
	return j.store.trim()
}

// installAlone runs npm ci with the files that its key covers and no others,
// so that what is kept for the next commit depends on nothing else.
func (j *job) installAlone(ctx context.Context) error {
	files := map[string][]byte{
		nodeapp.PackageFile: j.plan.Text, j.plan.LockName: j.plan.Lock, nodeapp.NPMRCFile: j.plan.NPMRC,
	}
	for name, content := range files {
		if content == nil {
			continue
		}
		if err := j.shop.write("deps/"+name, string(content)); err != nil {
			return err
		}
	}
	return j.npmCI(ctx, j.shop.path("deps"))
}

func (j *job) npmCI(ctx context.Context, dir string) error {
	which := "--omit=dev"
	if j.plan.Build {
		which = "--include=dev"
	}
	j.r.Detail("npm ci %s", which)
	return j.run(ctx, step{name: "npm ci", app: dir, args: []string{"npm", "ci", which, "--loglevel=error"}})
}

func (j *job) buildScript(ctx context.Context) error {
	if !j.plan.Build {
		return nil
	}
	defer j.r.Lap("build")
	j.r.At(core.AtBuild)
	j.r.Step("Building")
	j.r.Detail("npm run build")
	return j.run(ctx, step{
		name: "npm run build", app: j.shop.path("app"), args: []string{"npm", "run", "build"},
		env: []string{"NODE_ENV=production"},
	})
}

// packModules packs the node_modules of the app's folder, if there is one,
// first without the devDependencies if prune says so.
func (j *job) packModules(ctx context.Context, prune bool) (dependencies, error) {
	defer j.r.Lap("deps")
	app := j.shop.path("app")
	if prune && j.plan.Package.DevDeps > 0 {
		j.r.Detail("npm prune --omit=dev")
		err := j.run(ctx, step{
			name: "npm prune", app: app,
			args: []string{"npm", "prune", "--omit=dev", "--no-save", "--ignore-scripts", "--loglevel=error"},
		})
		if err != nil {
			return dependencies{}, err
		}
	}
	return j.packFrom(ctx, app)
}

// packFrom moves node_modules out of dir and packs it.
func (j *job) packFrom(ctx context.Context, dir string) (dependencies, error) {
	from, layer := filepath.Join(dir, nodeapp.NodeModules), j.shop.path("layer")
	if !isDir(from) {
		return dependencies{}, nil
	}
	to := filepath.Join(layer, nodeapp.NodeModules)
	if err := os.Rename(from, to); err != nil {
		return dependencies{}, err
	}
	if err := disk.RemoveAll(filepath.Join(to, ".cache")); err != nil {
		return dependencies{}, err
	}
	root, err := os.OpenRoot(layer)
	if err != nil {
		return dependencies{}, err
	}
	defer root.Close()
	made := dependencies{}
	if made.programs, err = nodeapp.FindPrograms(root.FS()); err != nil {
		return dependencies{}, err
	}
	made.layer, err = j.pack(ctx, layer, nodeapp.NodeModules)
	return made, err
}

// isDir reports whether path is a folder and not a link to one.
func isDir(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.IsDir()
}
