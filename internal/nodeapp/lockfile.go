package nodeapp

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/nodeapp/lockfile"
)

// readLock reads the lockfile that p says, for tool. dev: devDependencies are installed too.
func (p *Plan) readLock(dev bool) (l lockfile.Locked, err error) {
	switch p.Manager.Tool {
	case Yarn1:
		l = lockfile.ReadYarn1(p.Lock)
	case Berry:
		l, err = lockfile.ReadBerry(p.Lock)
	case PNPM:
		l, err = lockfile.ReadPNPM(p.Lock)
	default:
		if l, err = lockfile.ReadNPM(p.Lock, dev); err != nil {
			err = inText(bytes.TrimPrefix(p.Lock, []byte(byteOrderMark)), err)
		}
	}
	if err != nil {
		return lockfile.Locked{}, err
	}
	l.AddRegistries(p.Inputs[NPMRCFile], p.Lock)
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
		for name, spec := range p.Root.all.texts(kind) {
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
