package builder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/nodeos-dev/gitd/internal/builder/system"
	"github.com/nodeos-dev/gitd/internal/builder/tools"
	"github.com/nodeos-dev/gitd/internal/bundle"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/nodeapp"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/units"
)

// job is one build.
type job struct {
	b      *Builder
	r      *progress.Report
	src    image.Source
	plan   nodeapp.Plan
	tools  tools.Toolchain
	shop   *workshop
	store  store
	base   string
	beside *system.System
	alone  bool // the app needs no node_modules: what was built carries all of them that it uses
}

// Build makes or finds the layers of src. What the repository's author can
// repair is a *core.Rejection. Build leaves nothing behind but layers and caches. The same commit with the same Node
// gives the same layers, if its build script does the same each time.
func (b *Builder) Build(ctx context.Context, src image.Source, r *progress.Report) (core.Manifest, error) {
	if err := core.CheckName(src.App); err != nil {
		return core.Manifest{}, err
	}
	if err := core.CheckObjectName(src.Commit); err != nil {
		return core.Manifest{}, err
	}
	c, err := openCommit(src)
	if err != nil {
		return core.Manifest{}, err
	}
	defer c.close() //nolint:errcheck // it was only read
	src.Fresh = src.Fresh || src.Again != nil
	j := &job{b: b, r: r, src: src}
	if err := j.prepare(ctx, c); err != nil {
		return core.Manifest{}, err
	}
	if j.shop, err = b.newWorkshop(j.tools); err != nil {
		return core.Manifest{}, fmt.Errorf("make the build's folder: %w", err)
	}
	defer func() {
		if err := j.shop.remove(); err != nil {
			b.cfg.Log.Error().Err(err).Str("app", src.App).Msg("a build's folder is left behind")
		}
	}()
	if src.Again != nil {
		if j.store, err = j.shop.store(); err != nil {
			return core.Manifest{}, err
		}
	}
	return j.build(ctx, c)
}

// prepare plans the build and gets the tools for it.
func (j *job) prepare(ctx context.Context, c *commit) (err error) {
	if j.plan, err = nodeapp.MakePlan(repoFS{c}, j.src.Dir); err != nil {
		return forApp(err, j.src.App)
	}
	if f := j.plan.Folder; f.Lone {
		if c.tree, err = c.tree.Tree(f.Dir); err != nil {
			return fmt.Errorf("read %s: %w", f.Dir, err)
		}
	}
	j.r.At(core.AtPlan)
	j.r.Step("Node.js app detected")
	if j.src.Planned != nil {
		if err := j.src.Planned(planned(j.plan)); err != nil {
			return err
		}
	}
	j.asBefore()
	if j.tools, err = j.b.tools.Ensure(ctx, j.plan.Node, j.plan.Manager, j.r); err != nil {
		return err
	}
	j.tools.Used()
	if err := j.checkRoom(c); err != nil {
		return err
	}
	j.r.Detail("node %s (%s), %s%s", j.tools.Node, j.tools.Why, j.tools.Manager, tools.From(j.plan.Manager))
	later := []string{"node", "start", "process", "cron"} // the first is above, the others follow the build
	for _, f := range j.plan.Facts() {
		if f.Rule != "" && !slices.Contains(later, f.Name) {
			j.r.Detail("%s: %s (%s)", f.Name, f.Value, f.Rule)
		}
	}
	for _, w := range slices.Concat(j.plan.Warnings, j.tools.Warnings) {
		j.r.Warn("%s", w)
	}
	j.r.Lap("plan")
	if err := j.holdBase(ctx); err != nil {
		return err
	}
	j.r.Lap("base")
	j.src.Hold.Take(image.AppCache(j.src.App), npmCacheOf(j.src.App))
	if j.src.Again == nil {
		j.store, err = j.b.openStore(j.src.App)
	}
	return err
}

// planned is what is known of an image from its plan: its processes, without their commands, and what they want.
func planned(p nodeapp.Plan) core.Manifest {
	m := core.Manifest{Resources: p.Package.Settings.Resources, Guess: p.Package.Guess, Expose: p.Package.Settings.Expose}
	if !p.Start.None {
		m.Start = []string{core.Web}
	}
	for _, t := range p.Processes {
		m.Types = append(m.Types, core.ProcessType{Name: t.Name})
	}
	return m
}

// forApp writes the app's name where a hint of the plan leaves room for it.
func forApp(err error, app string) error {
	if r, ok := errors.AsType[*core.Rejection](err); ok {
		return &core.Rejection{Reason: r.Reason, Hint: strings.Replace(r.Hint, " "+nodeapp.AnyApp+" ", " "+app+" ", 1), Err: r.Err}
	}
	return err
}

// holdBase makes or finds the base, and keeps collections from removing it. A base that a collection removed between
// the two is made again; by then it is held.
func (j *job) holdBase(ctx context.Context) error {
	if m := j.src.Again; m != nil {
		if ok, err := j.b.cfg.Bases.Has(m.Base); ok || err != nil {
			j.base = m.Base
			return err
		}
	}
	for {
		id, err := j.b.cfg.Bases.Ensure(ctx, j.tools.Base(), j.r)
		if err != nil {
			return err
		}
		j.src.Hold.Take(id)
		if ok, err := j.b.cfg.Bases.Has(id); ok || err != nil {
			j.base = id
			return err
		}
	}
}

func (j *job) build(ctx context.Context, c *commit) (core.Manifest, error) {
	if err := j.export(ctx, c); err != nil {
		return core.Manifest{}, err
	}
	j.r.Lap("export")
	j.beside = &system.System{
		State: j.b.cfg.State, Base: j.base, Asked: j.plan.Package.Settings.Packages, Commit: j.src.Commit,
		Fresh: j.src.Fresh, Limit: j.b.cfg.BuildTimeout,
		Layers: j.b.layers, Hold: j.src.Hold, Report: j.r, Box: j.b.box,
		Kept: filepath.Join(j.store.dir, "packages"), Scratch: j.shop.dir, Own: j.b.own,
	}
	if err := j.beside.Add(ctx); err != nil {
		return core.Manifest{}, err
	}
	made, err := installer{j}.dependencies(ctx)
	if err != nil {
		return core.Manifest{}, err
	}
	if err := removeBelow(j.shop.path("app"), nodeapp.LeftOut(j.plan)); err != nil {
		return core.Manifest{}, err
	}
	m, err := j.commands(made.programs)
	if err != nil {
		return core.Manifest{}, err
	}
	if err := j.useBundle(m, made.bundle); err != nil {
		return core.Manifest{}, err
	}
	config, err := j.configPrint()
	if err != nil {
		return core.Manifest{}, err
	}
	if err := j.beside.Check(ctx, made.wants, j.shop.path("app")); err != nil {
		return core.Manifest{}, err
	}
	j.r.At(core.AtPack)
	j.r.Step("Packing")
	app, err := j.pack(ctx, j.shop.path("app"), "the app")
	if err != nil {
		return core.Manifest{}, err
	}
	j.r.Detail("%s, app %s", made.summary(), units.Bytes(app.Size))
	j.r.Lap("pack")
	m.Base, m.Node, m.Deps, m.App, m.Dir = j.base, j.tools.Node, made.layer, app, j.src.Dir
	m.Env = map[string]string{"NODE_ENV": "production"}
	s := j.plan.Package.Settings
	m.Health, m.Resources, m.Port, m.Expose, m.Guess = s.Health, s.Resources, s.Port, s.Expose, j.plan.Package.Guess
	m.Made = core.Made{Tool: j.tools.Manager.String(), Config: config}
	j.beside.Put(&m)
	return m, nil
}

func (j *job) export(ctx context.Context, c *commit) error {
	uid, gid := j.b.owner()
	x, err := c.export(ctx, j.shop.path("app"), uid, gid)
	if err != nil {
		return err
	}
	return refusePointers(x.lfs)
}

// refusePointers refuses files whose contents are elsewhere: with them, the push would succeed, and the app would serve
// three lines of text in the place of a picture.
func refusePointers(files []string) error {
	if len(files) == 0 {
		return nil
	}
	var names []string
	for _, f := range files[:min(3, len(files))] {
		names = append(names, strconv.Quote(progress.Shorten(f)))
	}
	what := "is only a pointer"
	if len(files) > 1 {
		what = fmt.Sprintf("are only pointers (%d in all)", len(files))
	}
	return core.Reject(strings.Join(names, ", ")+" "+what+" to Git LFS",
		"`git lfs migrate export --everything --include='*'` puts the files themselves into the commits; then push again")
}

// commands makes the commands of the app into those that machines can run, and shows them.
func (j *job) commands(installed nodeapp.Programs) (m core.Manifest, err error) {
	root, err := os.OpenRoot(j.shop.path("app"))
	if err != nil {
		return m, err
	}
	defer root.Close()
	if m.Run, err = j.plan.Commands(root.FS(), installed); err != nil {
		return m, err
	}
	if m.Types, err = j.plan.Processes.Types(root.FS(), installed); err != nil {
		return m, err
	}
	if m.Cron, err = j.plan.Jobs.Steps(root.FS(), installed); err != nil {
		return m, err
	}
	j.show("start", m.Run, j.plan.Start.From)
	for i, t := range m.Types {
		j.show(t.Name, t.Run, j.plan.Processes[i].From)
	}
	for i, c := range m.Cron {
		j.show(fmt.Sprintf("cron.%d", i+1), c.Run, c.Schedule)
	}
	return m, nil
}

// useBundle has what starts load the bundle of packages first.
func (j *job) useBundle(m core.Manifest, made string) error {
	if !j.plan.Package.Settings.Bundle {
		return nil
	}
	if made == "" {
		j.r.Warn("nothing is bundled: %s", bundle.Nothing)
		return nil
	}
	led, not, err := bundle.Lead(j.shop.path("app"), m)
	for _, name := range led {
		j.r.Detail("bundled: %s, for %s", progress.Printable(made), progress.Shorten(name))
	}
	for _, why := range not {
		j.r.Warn("%s", why)
	}
	return err
}

func (j *job) show(what string, steps []core.StartStep, from string) {
	for i, s := range steps {
		which := what
		if len(steps) > 1 {
			which = fmt.Sprintf("%s, %d of %d", what, i+1, len(steps))
		}
		j.r.Detail("%s: %s (%s)", which, progress.Shorten(s.String()), from)
	}
}

func (j *job) pack(ctx context.Context, dir, what string) (core.Layer, error) {
	if err := checkPackable(dir, what); err != nil {
		return core.Layer{}, err
	}
	return j.b.layers.Store(ctx, dir, j.src.Hold)
}
