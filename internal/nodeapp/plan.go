package nodeapp

import (
	"io/fs"
	"slices"
)

// Plan is what a build of one commit has to do, decided before anything runs.
type Plan struct {
	Package  PackageJSON
	Start    StartCommand
	Text     []byte   // package.json itself
	Warnings []string // for the pusher, one line each

	Node     NodeWish
	Manager  Manager
	LockName string // the lockfile's name; "": there is none
	Lock     []byte
	Hosts    []LockHost        // hosts, other than npm's own registry, that packages come from
	Inputs   map[string][]byte // the repository's own settings of its package manager, by file name

	Install bool   // dependencies are installed
	DevDeps bool   // devDependencies too, for scripts that use them
	Prune   bool   // there are such, and they are removed after
	Build   bool   // the script Scripts.Build runs
	Fresh   string // why installed dependencies cannot be kept between builds; "": they can
	Silent  bool   // the lockfile does not say which packages have install scripts: look at them
	Scripts BuildScripts
}

// MakePlan reads a repository and decides. What the author can repair is a *core.Rejection.
func MakePlan(repo fs.FS) (p Plan, err error) {
	if p.Text, err = readPackage(repo); err != nil {
		return Plan{}, err
	}
	if p.Package, err = ParsePackageJSON(p.Text); err != nil {
		return Plan{}, err
	}
	if p.Node, err = readNodeWish(repo, p.Package); err != nil {
		return Plan{}, err
	}
	if err := p.readAppJSON(repo); err != nil {
		return Plan{}, err
	}
	if err := p.planInstall(repo); err != nil {
		return Plan{}, err
	}
	if err := p.planStart(repo); err != nil {
		return Plan{}, err
	}
	return p, nil
}

// readAppJSON takes the health check of app.json, unless package.json has one of its own.
func (p *Plan) readAppJSON(repo fs.FS) error {
	b, err := readOptional(repo, appJSONFile, appJSONLimit)
	if err != nil || b == nil || p.Package.Settings.ownHealth {
		return err
	}
	h, ok, err := appHealth(b, &p.Package.warnings)
	if ok {
		p.Package.Settings.Health = h
	}
	return err
}

// planStart finds the start command. It comes last, so all warnings are known then.
func (p *Plan) planStart(repo fs.FS) error {
	proc, err := readOptional(repo, procfile, procfileLimit)
	if err != nil {
		return err
	}
	p.Start, err = findStart(p.Package, string(proc), func(name string) bool { return exists(repo, name) })
	p.Warnings = slices.Concat(p.Package.warnings, p.Warnings, p.Start.warnings)
	if exists(repo, NodeModules) {
		p.Warnings = append(p.Warnings,
			"node_modules is in the repository; it is ignored, and installed from the lockfile")
	}
	return err
}
