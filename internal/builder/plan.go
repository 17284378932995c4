package builder

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"gitd/internal/core"
)

// plan is what a build of one commit has to do, decided before anything runs.
type plan struct {
	pkg      manifest
	start    startCommand
	lockName string // the lockfile's name; "": there is none
	lock     []byte
	npmrc    []byte // the repository's own npm settings; nil: none
	raw      []byte // package.json itself

	install bool   // npm ci is needed
	build   bool   // npm run build is needed
	fresh   string // why installed dependencies cannot be kept between builds; "": they can
}

// makePlan reads a commit and decides. What the author can repair is a
// *core.Rejection.
func makePlan(c *commit) (plan, error) {
	pkg, err := readPackage(c)
	if err != nil {
		return plan{}, err
	}
	p := plan{pkg: pkg, build: pkg.scripts["build"] != ""}
	if p.raw, err = c.file(packageJSON, packageLimit); err != nil {
		return plan{}, err
	}
	if p.npmrc, err = optional(c, npmrc, packageLimit); err != nil {
		return plan{}, err
	}
	if err := p.readAppJSON(c); err != nil {
		return plan{}, err
	}
	if err := p.readLock(c); err != nil {
		return plan{}, err
	}
	if err := p.planInstall(c); err != nil {
		return plan{}, err
	}
	proc, err := optional(c, procfile, procfileLimit)
	if err != nil {
		return plan{}, err
	}
	if p.start, err = findStart(pkg, string(proc), c.has); err != nil {
		return plan{}, err
	}
	return p, nil
}

func optional(c *commit, name string, limit int64) ([]byte, error) {
	b, err := c.file(name, limit)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// readAppJSON takes the health check of app.json, unless package.json has one
// of its own.
func (p *plan) readAppJSON(c *commit) error {
	b, err := optional(c, appJSON, appJSONLimit)
	if err != nil || b == nil || p.pkg.settings.ownHealth {
		return err
	}
	h, ok, err := appHealth(b, &p.pkg.warnings)
	if ok {
		p.pkg.settings.health = h
	}
	return err
}

func (p *plan) readLock(c *commit) error {
	// npm prefers the shrinkwrap file where both are.
	for _, name := range []string{"npm-shrinkwrap.json", packageLock} {
		b, err := c.file(name, lockLimit)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		p.lockName, p.lock = name, b
		return err
	}
	return nil
}

// planInstall decides whether npm ci runs, and whether its result may be kept
// for the next build.
func (p *plan) planInstall(c *commit) error {
	m := p.pkg
	own := m.installScripts()
	p.install = m.deps > 0 || (p.build && m.devDeps > 0) || m.workspaces() || (p.lock != nil && len(own) > 0)
	if !p.install {
		return nil
	}
	if p.lock == nil {
		return noLock(c)
	}
	local, err := localPackages(p.lock)
	if err != nil {
		return core.Reject(p.lockName+" is broken: "+err.Error(),
			"`npm install --package-lock-only` writes it again; commit it, and push again")
	}
	switch {
	case len(own) > 0:
		p.fresh = "scripts." + own[0] + " may read any file"
	case m.workspaces():
		p.fresh = "there are workspaces"
	case local != "":
		p.fresh = fmt.Sprintf("%q is a package of this repository", shorten(local))
	}
	return nil
}

func noLock(c *commit) error {
	const make = "`npm install --package-lock-only` writes package-lock.json; commit it, and push again"
	for _, other := range []string{"yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb"} {
		if c.has(other) {
			return core.Reject(other+" is not supported yet, only npm's package-lock.json", make)
		}
	}
	return core.Reject("there are dependencies, but no package-lock.json", make)
}

// localPackages finds a package in a lockfile that is a folder of the
// repository itself, and not something from a registry.
func localPackages(lock []byte) (name string, err error) {
	var doc struct {
		Packages map[string]struct {
			Link     bool   `json:"link"`
			Resolved string `json:"resolved"`
		} `json:"packages"`
		Dependencies map[string]struct {
			Version string `json:"version"`
		} `json:"dependencies"` // the form of npm 6
	}
	lock = bytes.TrimPrefix(lock, []byte(byteOrderMark))
	if err := json.Unmarshal(lock, &doc); err != nil {
		return "", inText(lock, err)
	}
	for path, p := range doc.Packages {
		if p.Link || strings.HasPrefix(p.Resolved, "file:") || (path != "" && !strings.HasPrefix(path, nodeModules+"/")) {
			return path, nil
		}
	}
	for name, d := range doc.Dependencies {
		if strings.HasPrefix(d.Version, "file:") {
			return name, nil
		}
	}
	return "", nil
}
