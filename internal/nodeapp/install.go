package nodeapp

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/nodeapp/lockfile"
)

// BuildScripts are the names of the scripts of package.json that a build runs, beside those that an installation runs
// by itself. They are Heroku's, and mean what they mean there. "": there is none.
type BuildScripts struct {
	Before  string // before the installation
	Build   string // after it, with the devDependencies
	Cleanup string // at the end, without them
}

func (m PackageJSON) buildScripts() (s BuildScripts) {
	for _, name := range []string{"heroku-postbuild", "build"} {
		if m.Scripts[name] != "" {
			s.Build = name
			break
		}
	}
	if m.Scripts["heroku-prebuild"] != "" {
		s.Before = "heroku-prebuild"
	}
	if m.Scripts["heroku-cleanup"] != "" {
		s.Cleanup = "heroku-cleanup"
	}
	return s
}

// findLock finds the lockfile, which says by what dependencies are installed.
func (p *Plan) findLock(repo fs.FS) (err error) {
	if p.pin, err = p.Root.pinned(); err != nil {
		return err
	}
	if p.Dir != "" && p.pin.tool == "" && lockIn(repo) == "" && exists(repo, pnpmWorkspace) {
		p.pin = pinned{tool: string(PNPM), from: pnpmWorkspace}
	}
	var why string
	if p.LockName, why = chooseLock(repo, p.pin); p.LockName == "" {
		return nil
	}
	if why != "" {
		p.Warnings = append(p.Warnings, why)
	}
	p.Lock, err = readFile(repo, p.LockName, lockLimit)
	return err
}

// planInstall decides whether dependencies are installed, by what, and whether the result may be kept for the next
// build.
func (p *Plan) planInstall(repo fs.FS) error {
	m, locked := p.Root, p.LockName != ""
	own, err := ownScripts(repo, m, p.LockName)
	if err != nil {
		return err
	}
	p.own = own
	p.DevDeps = p.Build || len(own) > 0 || p.memberScripts
	workspace := m.Workspaces() || exists(repo, pnpmWorkspace)
	p.Prune = p.DevDeps && (m.DevDeps > 0 || workspace)
	p.Install = m.Deps > 0 || (p.DevDeps && m.DevDeps > 0) || (workspace && locked) || m.Workspaces() || p.Dir != "" || (locked && len(own) > 0)
	p.Manager = Manager{Tool: NPM}
	if !p.Install {
		return nil
	}
	if err := p.chooseManager(p.pin); err != nil {
		return err
	}
	if !locked {
		if err := p.noLock(repo, p.pin); err != nil {
			return err
		}
	}
	return p.planFresh(repo)
}

var ignoresScripts = regexp.MustCompile(`(?m)^\s*ignore-scripts\s*=\s*(\S*)\s*$`)

// ownScripts are the root package's own scripts that an installation runs: none, if .npmrc says that none may.
func ownScripts(repo fs.FS, m PackageJSON, lock string) ([]string, error) {
	own := m.installScripts()
	if len(own) == 0 || toolOf(lock) != string(NPM) {
		return own, nil
	}
	rc, err := readOptional(repo, NPMRCFile, packageLimit)
	if err != nil {
		return nil, err
	}
	lines := ignoresScripts.FindAllSubmatch(rc, -1) // the last one counts
	if n := len(lines); n > 0 && string(lines[n-1][1]) == "true" {
		return nil, nil
	}
	return own, nil
}

// planFresh reads the lockfile and the tool's settings, and decides whether what is installed may be kept.
func (p *Plan) planFresh(repo fs.FS) error {
	if err := p.readInputs(repo); err != nil {
		return err
	}
	if p.Manager.Tool == Berry {
		// Yarn checks the lockfile only where it installs everything.
		p.DevDeps, p.Prune = true, p.Root.DevDeps > 0 || p.Root.Workspaces()
	}
	var l lockfile.Locked
	var err error
	if p.Lock != nil {
		if l, err = p.readLock(p.DevDeps); err != nil {
			return broken(p, err)
		}
	}
	p.Manager.Fits, p.Hosts, p.Silent = l.Fits, l.Hosts, l.Silent
	settings, err := p.planSettings(repo)
	if err != nil {
		return err
	}
	p.Fresh = p.fresh(settings, l)
	return nil
}

// fresh is why what is installed cannot be kept: it may depend on more than the lockfile and the tool's settings.
func (p *Plan) fresh(settings string, l lockfile.Locked) string {
	switch {
	case p.Scripts.Before != "":
		return "scripts." + p.Scripts.Before + " may change any file"
	case p.Scripts.Cleanup != "":
		return "scripts." + p.Scripts.Cleanup + " may change any file"
	case len(p.own) > 0:
		return "scripts." + p.own[0] + " may read any file"
	case p.Root.Workspaces():
		return "there are workspaces"
	case settings != "":
		return settings
	case l.Local != "":
		return fmt.Sprintf("%q is a package of this repository", shorten(l.Local))
	case p.Manager.Tool == Berry && p.Build:
		return "Yarn's scripts want what it writes beside node_modules"
	case l.Scripts != "":
		return fmt.Sprintf("the install script of %q may read any file", shorten(l.Scripts))
	}
	return ""
}

// UseLock makes a plan without a lockfile one with package-lock.json, which gitd has made.
func (p *Plan) UseLock(lock []byte) error {
	p.LockName, p.Lock = LockFile, lock
	l, err := p.readLock(p.DevDeps)
	if err != nil {
		return broken(p, err)
	}
	p.Hosts, p.Silent = l.Hosts, l.Silent
	if p.Fresh == "" {
		p.Fresh = p.fresh("", l)
	}
	return nil
}

// Packages is about how many packages the lockfile names, at most.
func (p *Plan) Packages() int {
	return bytes.Count(p.Lock, []byte(`"resolved"`)) + bytes.Count(p.Lock, []byte("\n  resolved ")) +
		bytes.Count(p.Lock, []byte("\n  resolution: ")) + bytes.Count(p.Lock, []byte("\n    resolution: "))
}

// chooseManager decides which tool installs, by the lockfile, and which versions of it may.
func (p *Plan) chooseManager(pin pinned) error {
	tool := cmp.Or(toolOf(p.LockName), pin.tool, string(NPM))
	switch tool {
	case "bun":
		line := "`npm install --package-lock-only` writes package-lock.json"
		if p.foreignSpec() != "" {
			line = relock(PNPM) + " writes pnpm-lock.yaml" // npm does not read these package.json files
		}
		return core.Reject(cmp.Or(p.LockName, pin.from)+" is of bun, which gitd does not run",
			line+" beside it; commit it, and push again")
	case "yarn":
		p.Manager.Tool = Yarn1
		if lockfile.IsBerry(p.Lock) || (p.Lock == nil && pin.tool == tool && !strings.HasPrefix(pin.version, "1.")) {
			p.Manager.Tool = Berry
		}
	case "pnpm":
		p.Manager.Tool = PNPM
	}
	if pin.tool == tool {
		p.Manager.Range, p.Manager.Hash, p.Manager.From = pin.version, pin.hash, pin.from
	} else {
		p.Manager.Range, p.Manager.From = p.Root.versionOf(tool)
	}
	if tool == "yarn" && pin.tool == tool && pin.from == "packageManager" {
		return p.checkYarn(pin)
	}
	return nil
}

// checkYarn refuses a yarn.lock of the other kind of Yarn than packageManager says.
func (p *Plan) checkYarn(pin pinned) error {
	if one := strings.HasPrefix(pin.version, "1."); p.Lock == nil || one == (p.Manager.Tool == Yarn1) {
		return nil
	}
	return core.Reject(fmt.Sprintf("yarn.lock is not of yarn %s, which packageManager says", shorten(pin.version)),
		"`yarn install` with that yarn writes it anew; commit it, and push again")
}

// readInputs reads the settings of the tool, which decide with the lockfile what is installed.
func (p *Plan) readInputs(repo fs.FS) error {
	p.Inputs = map[string][]byte{}
	names := map[Tool][]string{
		NPM: {NPMRCFile}, Yarn1: {NPMRCFile, yarn1RC}, Berry: {yarnRC}, PNPM: {NPMRCFile, pnpmWorkspace},
	}[p.Manager.Tool]
	for _, name := range names {
		b, err := readOptional(repo, name, packageLimit)
		if err != nil {
			return err
		}
		if b != nil {
			p.Inputs[name] = b
		}
	}
	return nil
}

// planSettings reads what the tool's own settings say of the installation. fresh is why its result cannot be kept.
func (p *Plan) planSettings(repo fs.FS) (fresh string, err error) {
	switch p.Manager.Tool {
	case Berry:
		return p.planBerry(repo)
	case PNPM:
		return p.planPNPM(repo)
	}
	return "", nil
}

var yarnRelease = regexp.MustCompile(`yarn-(\d+\.\d+\.\d+)\.c?js$`)

func (p *Plan) planBerry(repo fs.FS) (fresh string, err error) {
	rc, err := p.yaml(yarnRC)
	if err != nil {
		return "", err
	}
	if path, _ := rc["yarnPath"].(string); p.Manager.Range == "" {
		if m := yarnRelease.FindStringSubmatch(path); m != nil {
			p.Manager.Range, p.Manager.From = m[1], "yarnPath in "+yarnRC
		}
	}
	linker, _ := rc["nodeLinker"].(string)
	if p.Manager.PnP = linker == "" || linker == "pnp"; p.Manager.PnP {
		p.Warnings = append(p.Warnings, "Yarn's Plug'n'Play becomes node_modules here, which Node reads without Yarn; "+
			"`yarn config set nodeLinker node-modules` does the same at your side")
	}
	p.Manager.Offline = exists(repo, ".yarn/cache")
	p.Manager.Focus = exists(repo, ".yarn/plugins/@yarnpkg/plugin-workspace-tools.cjs")
	switch {
	case rc["plugins"] != nil:
		fresh = "Yarn has plugins"
	case p.Manager.Offline:
		fresh = ".yarn/cache is in the repository"
	}
	return fresh, nil
}

func (p *Plan) planPNPM(repo fs.FS) (fresh string, err error) {
	settings, err := p.yaml(pnpmWorkspace)
	if err != nil {
		return "", err
	}
	if settings["allowBuilds"] != nil && p.Manager.Fits == lockfile.PNPM9 {
		p.Manager.Fits = ">=11" // a setting that pnpm 10 does not have
	}
	switch {
	case exists(repo, pnpmFile), exists(repo, ".pnpmfile.mjs"):
		fresh = "there is a .pnpmfile"
	case settings["packages"] != nil:
		fresh = "there are workspaces"
	case settings["patchedDependencies"] != nil:
		fresh = "there are patches"
	}
	return fresh, nil
}

// yaml reads a file of settings that people write.
func (p *Plan) yaml(name string) (map[string]any, error) {
	var doc map[string]any
	if err := yaml.Unmarshal(p.Inputs[name], &doc); err != nil {
		return nil, core.Reject(fmt.Sprintf("%s is broken: %s", name, shorten(err.Error())), "repair it, commit, and push again")
	}
	return doc, nil
}
