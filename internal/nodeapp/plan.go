package nodeapp

import (
	"fmt"
	"io/fs"
	"slices"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/nodeapp/command"
	"github.com/nodeos-dev/gitd/internal/nodeapp/framework"
	"github.com/nodeos-dev/gitd/internal/nodeapp/lockfile"
)

// Plan is what a build of one commit has to do, decided before anything runs.
type Plan struct {
	Folder    Folder      // where the app is in its repository
	Package   PackageJSON // the app's
	Root      PackageJSON // of the folder in which packages are installed: the app's own, or the root of its monorepo
	Start     StartCommand
	Processes Processes           // of the Procfile, other than web; by name
	Jobs      Jobs                // on a schedule
	Framework framework.Framework // zero: none is known
	Warnings  []string            // for the pusher, one line each

	Dir     string // the app's folder below what is built; "": that itself, as for a lone folder
	Need    Need   // of a workspace; zero: all of the repository
	BuiltBy string // by which rule a workspace is built; "": it is no workspace, or needs no build

	Node     NodeWish
	Manager  Manager
	LockName string // the lockfile's name; "": there is none
	Lock     []byte
	Hosts    []lockfile.Host   // hosts, other than npm's own registry, that packages come from
	Inputs   map[string][]byte // the repository's own settings of its package manager, by file name

	Install bool   // dependencies are installed
	DevDeps bool   // devDependencies too, for scripts that use them
	Prune   bool   // there are such, and they are removed after
	Build   bool   // something runs at build time: the script Scripts.Build, or Steps
	Fresh   string // why installed dependencies cannot be kept between builds; "": they can
	Silent  bool   // the lockfile does not say which packages have install scripts: look at them
	Scripts BuildScripts
	// Steps run after Scripts.Build: what a start command has that only builds, each a text for the build's shell.
	Steps []string

	pin           pinned
	own           []string // the root package's scripts that an installation runs
	memberScripts bool     // a workspace has such too
}

// MakePlan reads a repository and decides. dir is the app's folder if somebody has chosen one on the server; "": what
// the repository says. What the author can repair is a *core.Rejection.
func MakePlan(repo fs.FS, dir string) (p Plan, err error) {
	if repo, err = readPackages(&p, repo, dir); err != nil {
		return Plan{}, err
	}
	if err := readNode(&p, repo); err != nil {
		return Plan{}, err
	}
	if err := p.readAppJSON(appFolder(repo, p.Dir)); err != nil {
		return Plan{}, err
	}
	if err := p.findLock(repo); err != nil {
		return Plan{}, err
	}
	if err := p.planStart(repo); err != nil {
		return Plan{}, err
	}
	if err := p.planInstall(repo); err != nil {
		return Plan{}, err
	}
	p.Warnings = append(p.Warnings, warnOfBrowser(p.Package, repo)...)
	p.Warnings = append(p.Package.warnings, p.Warnings...)
	return p, nil
}

// appFolder is the app's folder dir.
func appFolder(repo fs.FS, dir string) fs.FS {
	if dir == "" {
		return repo
	}
	sub, err := fs.Sub(repo, dir)
	if err != nil {
		return repo // not possible: dir is a valid path
	}
	return sub
}

func warn(p *Plan, format string, args ...any) {
	p.Warnings = append(p.Warnings, fmt.Sprintf(format, args...))
}

// readAppJSON takes the health check of app.json, unless package.json has one of its own.
func (p *Plan) readAppJSON(repo fs.FS) error {
	b, err := readOptional(repo, appJSONFile, appJSONLimit)
	if err != nil || b == nil {
		return err
	}
	if err := p.Package.Settings.readAppCron(b, &p.Package.warnings); err != nil || p.Package.Settings.ownHealth {
		return err
	}
	h, ok, err := appHealth(b, &p.Package.warnings)
	if ok {
		p.Package.Settings.Health = h
	}
	return err
}

// planStart finds the start command, and what of it runs at build time. It comes before planInstall, because what runs
// at build time needs the devDependencies.
func (p *Plan) planStart(repo fs.FS) (err error) {
	if p.Dir == "" {
		p.Scripts = p.Package.buildScripts()
	}
	if p.Start, err = p.findStart(repo); err != nil {
		return err
	}
	if l := p.Framework.Lacks; p.Start.Built && l.What != "" {
		return core.Reject(fmt.Sprintf("this %s app %s", p.Framework.Name, l.What), l.Advice+"; commit, and push again")
	}
	var moved []string
	for _, step := range slices.Concat(p.Start.Builds, p.Processes.builds(), p.Jobs.builds()) {
		if !slices.Contains(moved, step) {
			moved = append(moved, step)
		}
	}
	p.Steps = append(p.Steps, moved...)
	if f := p.Framework; f.Build != "" && (p.Start.Built || p.Start.Runs(f.Program())) {
		p.Steps = append(p.Steps, command.In(p.Dir, f.Build))
	}
	p.Build = p.Scripts.Build != "" || len(p.Steps) > 0
	p.Warnings = append(p.Warnings, slices.Concat(p.Start.Warnings, p.Processes.warnings(), p.Jobs.warnings())...)
	for _, step := range moved {
		p.Warnings = append(p.Warnings, fmt.Sprintf("`%s` of the start command runs at build time", shorten(step)))
	}
	if exists(repo, NodeModules) {
		p.Warnings = append(p.Warnings,
			"node_modules is in the repository; it is ignored, and installed from the lockfile")
	}
	return nil
}
