package nodeapp

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
)

// locked is what a lockfile says, as far as gitd decides by it.
type locked struct {
	hosts   []LockHost
	local   string // a package that is a folder of the repository; "": none
	scripts string // a package whose install script would run here; "": none that is known
	silent  bool   // the lockfile does not say which packages have install scripts
	fits    string // versions of the tool that read this lockfile as it is; "": any
}

// LockHost is a host that a lockfile wants a package from.
type LockHost struct {
	URL     string // scheme and host, e.g. "https://npm.example.org"
	Package string // one of the packages
}

// publicRegistry are the names of npm's own registry. The server's registry stands for all of them: a firewall may let
// nothing else through, and the packages are the same, which the lockfile's hashes prove.
var publicRegistry = []string{"registry.npmjs.org", "registry.yarnpkg.com"}

// addHost notes where a package comes from. What is no URL comes from the registry.
func (l *locked) addHost(name, from string) {
	u, err := url.Parse(strings.TrimPrefix(from, "git+"))
	if err != nil || u.Hostname() == "" || slices.Contains(publicRegistry, u.Hostname()) {
		return
	}
	at := "https://" + u.Host
	switch u.Scheme {
	case "http":
		at = "http://" + u.Host
	case "ssh", "git":
		at = "https://" + u.Hostname() // the sandbox leads to web servers only, and the known git hosts are that too
	}
	known := slices.ContainsFunc(l.hosts, func(h LockHost) bool { return h.URL == at })
	if !known && len(l.hosts) < maxLockHosts {
		l.hosts = append(l.hosts, LockHost{at, shorten(name)})
	}
}

// maxLockHosts bounds how many hosts of a hostile lockfile are asked for.
const maxLockHosts = 8

// rcRegistry is a line of .npmrc that names a registry, for all packages or for a scope.
var rcRegistry = regexp.MustCompile(`(?m)^\s*(@[^:\s=]+:)?registry\s*=\s*["']?([^\s"'#;]+)`)

// addRegistries notes the registries of the repository's own npm settings: a lockfile may leave them out. One of a
// scope counts if the lockfile names a package of that scope.
func (l *locked) addRegistries(npmrc, lock []byte) {
	for _, m := range rcRegistry.FindAllStringSubmatch(string(npmrc), -1) {
		if scope := strings.TrimSuffix(m[1], ":"); scope != "" && !bytes.Contains(lock, []byte(scope+"/")) {
			continue
		}
		l.addHost(cmp.Or(strings.TrimSuffix(m[1], ":"), "registry in .npmrc"), m[2])
	}
}

// readLock reads the lockfile that p says, for tool. dev: devDependencies are installed too.
func (p *Plan) readLock(dev bool) (l locked, err error) {
	switch p.Manager.Tool {
	case Yarn1:
		l = readYarn1(p.Lock)
	case Berry:
		l, err = readBerry(p.Lock)
	case PNPM:
		l, err = readPNPM(p.Lock)
	default:
		l, err = readNPM(p.Lock, dev)
	}
	if err != nil {
		return locked{}, err
	}
	l.addRegistries(p.Inputs[NPMRCFile], p.Lock)
	return l, nil
}

// relock is the line that makes a lockfile of a tool anew.
func relock(tool Tool) string {
	line := map[Tool]string{
		NPM: "npm install --package-lock-only", Yarn1: "yarn install", Berry: "yarn install --mode=update-lockfile",
		PNPM: "pnpm install --lockfile-only",
	}[tool]
	return "`" + line + "`"
}

// noLock refuses dependencies without a lockfile where gitd cannot make one: with the line that does, in this
// repository. It returns nil where gitd can.
func (p *Plan) noLock(repo fs.FS, pin pinned) error {
	commit := "; commit it, and push again"
	if name := p.hiddenLock(repo); name != "" {
		return core.Reject(fmt.Sprintf("there are dependencies, but no lockfile, and .gitignore hides %s", name),
			fmt.Sprintf("take the line out of .gitignore, then `git add -f %s`%s", name, commit))
	}
	tool := p.Manager.Tool
	if only := p.foreignSpec(); only != "" && tool == NPM {
		return core.Reject(fmt.Sprintf("there are dependencies, but no lockfile, and npm does not know %q", shorten(only)),
			"pnpm and yarn do: "+relock(PNPM)+" or "+relock(Yarn1)+" writes a lockfile"+commit)
	}
	if tool != NPM {
		return core.Reject(fmt.Sprintf("%s says %s, but there is no lockfile of it", pin.from, pin.tool),
			relock(tool)+" writes one"+commit)
	}
	return nil
}

// hiddenLock is a lockfile that the root's .gitignore names; "": none.
func (p *Plan) hiddenLock(repo fs.FS) string {
	b, err := readOptional(repo, ".gitignore", packageLimit)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "/")
		if toolOf(line) != "" && toolOf(line) != "bun" {
			return line
		}
	}
	return ""
}

// foreignSpec is a dependency in a form that npm does not read.
func (p *Plan) foreignSpec() string {
	for _, kind := range []string{"dependencies", "devDependencies", "optionalDependencies"} {
		for name, spec := range p.Package.all.texts(kind) {
			for _, scheme := range []string{"workspace:", "catalog:", "link:", "portal:", "patch:"} {
				if strings.HasPrefix(spec, scheme) {
					return name + ": " + spec
				}
			}
		}
	}
	return ""
}

// broken is the refusal of a lockfile that cannot be read.
func broken(p *Plan, err error) error {
	if r, ok := errors.AsType[*core.Rejection](err); ok {
		return r
	}
	return core.Reject(p.LockName+" is broken: "+err.Error(),
		"make it again: remove it, then "+relock(p.Manager.Tool)+"; commit it, and push again")
}
