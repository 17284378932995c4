package nodeapp

import (
	"fmt"
	"io/fs"

	"github.com/nodeos-dev/gitd/internal/core"
)

// Plan is what a build of one commit has to do, decided before anything runs.
type Plan struct {
	Package  PackageJSON
	Start    StartCommand
	LockName string // the lockfile's name; "": there is none
	Lock     []byte
	NPMRC    []byte   // the repository's own npm settings; nil: none
	Text     []byte   // package.json itself
	Warnings []string // for the pusher, one line each

	Install bool // npm ci is needed
	Build   bool // something runs at build time: scripts.build or Steps
	// Steps run after scripts.build: what a start command has that only builds, each a text for the build's shell.
	Steps []string
	Fresh string // why installed dependencies cannot be kept between builds; "": they can
}

// MakePlan reads a repository and decides. What the author can repair is a *core.Rejection.
func MakePlan(repo fs.FS) (p Plan, err error) {
	if p.Text, err = readPackage(repo); err != nil {
		return Plan{}, err
	}
	if p.Package, err = ParsePackageJSON(p.Text); err != nil {
		return Plan{}, err
	}
	if p.NPMRC, err = readOptional(repo, NPMRCFile, packageLimit); err != nil {
		return Plan{}, err
	}
	if err := p.readAppJSON(repo); err != nil {
		return Plan{}, err
	}
	if p.LockName, p.Lock, err = readLock(repo); err != nil {
		return Plan{}, err
	}
	if err := p.planStart(repo); err != nil {
		return Plan{}, err
	}
	if err := p.planInstall(repo); err != nil {
		return Plan{}, err
	}
	p.Warnings = append(p.Package.warnings, p.Warnings...)
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

// planInstall decides whether npm ci runs, and whether its result may be kept for the next build.
func (p *Plan) planInstall(repo fs.FS) error {
	m := p.Package
	own := m.installScripts()
	p.Install = m.Deps > 0 || (p.Build && m.DevDeps > 0) || m.workspaces() || (p.Lock != nil && len(own) > 0)
	if !p.Install {
		return nil
	}
	if p.Lock == nil {
		return noLock(repo)
	}
	local, err := localPackages(p.Lock)
	if err != nil {
		return core.Reject(p.LockName+" is broken: "+err.Error(),
			"`npm install --package-lock-only` writes it again; commit it, and push again")
	}
	switch {
	case len(own) > 0:
		p.Fresh = "scripts." + own[0] + " may read any file"
	case m.workspaces():
		p.Fresh = "there are workspaces"
	case local != "":
		p.Fresh = fmt.Sprintf("%q is a package of this repository", shorten(local))
	}
	return nil
}

// planStart finds the start command, and what of it runs at build time. It comes before planInstall, because what runs
// at build time needs the devDependencies.
func (p *Plan) planStart(repo fs.FS) (err error) {
	if p.Start, err = findStart(repo, p.Package, p.Lock); err != nil {
		return err
	}
	p.Steps = p.Start.Builds
	p.Build = p.Package.Scripts["build"] != "" || len(p.Steps) > 0
	p.Warnings = append(p.Warnings, p.Start.Warnings...)
	for _, step := range p.Steps {
		p.Warnings = append(p.Warnings, fmt.Sprintf("`%s` of the start command runs at build time", shorten(step)))
	}
	if exists(repo, NodeModules) {
		p.Warnings = append(p.Warnings,
			"node_modules is in the repository; it is ignored, and installed from the lockfile")
	}
	return nil
}
