package builder

import (
	"context"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/nodeapp"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/templates"
)

// buildScript runs the script that builds the app, and then what the start command has that only builds. It is all that
// a build runs between the installation and the packing.
func (j installer) buildScript(ctx context.Context) error {
	if !j.plan.Build {
		return j.findOutcome(ctx)
	}
	defer j.r.Lap("build")
	j.r.At(core.AtBuild)
	j.r.Step("Building")
	env := []string{"NODE_ENV=production"}
	for name, value := range nodeapp.BuildEnv(j.plan, insideHome) {
		env = append(env, name+"="+value)
	}
	slices.Sort(env)
	if j.plan.Scripts.Build != "" {
		if err := j.script(ctx, j.plan.Scripts.Build, env); err != nil {
			return err
		}
	}
	for _, text := range j.plan.Steps {
		j.r.Detail("%s", progress.Shorten(text))
		// npm runs scripts with sh, and finds the programs of packages in this way.
		err := j.run(ctx, step{
			name: progress.Shorten(text), app: j.shop.path("app"), env: append(j.commands().Env, env...),
			args: []string{"sh", "-c", `PATH="$PWD/node_modules/.bin:$PATH"; ` + text},
		})
		if err != nil {
			return err
		}
	}
	return j.findOutcome(ctx)
}

// findOutcome looks at what the build has made, if that decides what starts, and prepares it: Next wants folders
// copied, and a static site gets its server.
func (j *job) findOutcome(ctx context.Context) error {
	app := j.shop.path("app")
	root, err := os.OpenRoot(app)
	if err != nil {
		return err
	}
	defer root.Close()
	o, ok, err := j.plan.Outcome(root.FS())
	if err != nil || !ok {
		return err
	}
	// What was built does not carry the packages of other processes.
	j.alone = o.Alone && len(j.plan.Processes) == 0 && len(j.plan.Jobs) == 0
	for _, c := range o.Copies {
		from, to := path.Join(j.plan.Dir, c[0]), path.Join(j.plan.Dir, c[1])
		if info, err := root.Stat(from); err != nil || !info.IsDir() {
			continue
		}
		err := j.run(ctx, step{name: "the copy of " + from, app: app, args: []string{"cp", "-aT", "--", from, to}})
		if err != nil {
			return err
		}
	}
	if o.Static() {
		return j.writeStaticServer(root)
	}
	return nil
}

// writeStaticServer puts the server of static sites into the app. A build may have left anything at its place.
func (j *job) writeStaticServer(root *os.Root) error {
	program, err := templates.FS.ReadFile("static/server.mjs")
	if err != nil {
		return err
	}
	file := path.Join(j.plan.Dir, nodeapp.StaticServer)
	dir := path.Dir(file)
	if err := disk.RemoveAllIn(root, dir); err != nil {
		return err
	}
	if err := root.Mkdir(dir, 0o755); err != nil {
		return err
	}
	return root.WriteFile(file, program, 0o644)
}

// dropModules removes node_modules from the app's folder.
func (j installer) dropModules(ctx context.Context) (dependencies, error) {
	if err := j.cleanup(ctx); err != nil {
		return dependencies{}, err
	}
	var inner []string
	for _, dir := range j.plan.Need.Dirs {
		inner = append(inner, path.Join(dir, nodeapp.NodeModules))
	}
	if err := removeBelow(j.shop.path("app"), inner); err != nil {
		return dependencies{}, err
	}
	if modules := filepath.Join(j.shop.path("app"), nodeapp.NodeModules); isDir(modules) {
		j.r.Detail("node_modules is left out: what was built does not need it")
		return dependencies{}, disk.RemoveAll(modules)
	}
	return dependencies{}, nil
}
