package nodeapp

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/nodeapp/command"
	"github.com/nodeos-dev/gitd/internal/nodeapp/framework"
)

// StartCommand is what starts the app, before the programs in it are found.
type StartCommand struct {
	command.Found

	main string // what package.json's main says, or the usual file, if that is what starts the app
}

// findStart looks for the start command in the Procfile, in scripts.start, in main, by the usual names, and then in
// what the app's framework builds.
func (p *Plan) findStart(repo fs.FS) (StartCommand, error) {
	proc, err := readProcfile(repo)
	if err != nil {
		return StartCommand{}, err
	}
	p.recognise(repo)
	s, err := p.chooseStart(repo, proc.web)
	s.Warnings = append(proc.warnings, s.Warnings...)
	if err == nil && proc.web == "" && len(proc.others) > 0 {
		s.Warnings = append(s.Warnings, fmt.Sprintf("Procfile has no web: %s runs", s.From))
	}
	return s, err
}

func (p *Plan) chooseStart(repo fs.FS, web string) (s StartCommand, err error) {
	m := p.Package
	has := func(name string) bool { return isFile(repo, name) }
	mayMake := m.Scripts["build"] != "" || p.Framework.Build != "" || len(m.installScripts()) > 0
	finder := newFinder(repo, m, p.Lock, mayMake)
	finder.Built = p.Framework.Name
	switch {
	case web != "":
		s.Found, err = finder.Text(procfile, web)
		return s, err
	case strings.TrimSpace(m.Scripts["start"]) != "":
		s.Found, err = finder.Script("start")
		return s, err
	case m.Main != "" && (has(m.Main) || p.Framework.Name == ""):
		s.main = m.Main
		name, ok := mainFile(repo, m.Main)
		if s.From = name; !ok && (mayMake || throughLink(repo, m.Main)) {
			s.From = m.Main // it is looked for when the app's folder is as it will be packed
			return s, nil
		}
		return s, checkMain(m.Main, name, has)
	}
	for _, file := range usualNames {
		if has(file) {
			s.main, s.From = file, file
			return s, nil
		}
	}
	if p.Framework.Name == "" {
		p.Framework = framework.Site(repo, m.Scripts["build"] != "")
	}
	if p.Framework.Name != "" {
		s.From, s.Built = p.Framework.Name, true
		return s, nil
	}
	return s, core.Reject("no start command",
		`add "scripts": {"start": "node server.js"} to package.json, or a Procfile with a line "web: node server.js"`)
}

// newFinder tells package command of a repository.
func newFinder(repo fs.FS, m PackageJSON, lock []byte, mayMake bool) command.Finder {
	manager := m.all.text("packageManager")
	return command.Finder{
		Repo: repo, Supply: command.NewSupply(m.forCommands(), lock), MayMake: mayMake,
		Berry: strings.HasPrefix(manager, "yarn@") && !strings.HasPrefix(manager, "yarn@1.") || exists(repo, ".yarnrc.yml"),
		Read: func(dir string) (command.Package, error) {
			if dir == "" {
				return m.forCommands(), nil
			}
			return readOther(repo, path.Join(dir, PackageFile))
		},
	}
}

// readOther reads a package.json that is not at the root.
func readOther(repo fs.FS, name string) (command.Package, error) {
	b, err := readFile(repo, name, packageLimit)
	if err != nil {
		return command.Package{}, err
	}
	o, _, err := parseObject(b)
	if err != nil {
		reason := fmt.Sprintf("%s is broken: %v", shorten(name), err)
		return command.Package{}, &core.Rejection{Reason: reason, Hint: "repair it, commit, and push again", Err: err}
	}
	return PackageJSON{all: o, Scripts: o.texts("scripts")}.forCommands(), nil
}

func (m PackageJSON) forCommands() command.Package {
	deps := map[string]string{}
	for _, kind := range []string{"dependencies", "optionalDependencies", "peerDependencies"} {
		maps.Copy(deps, m.all.texts(kind))
	}
	_, nodemon := m.all["nodemonConfig"]
	return command.Package{
		Name: m.all.text("name"), Version: m.all.text("version"), Scripts: m.Scripts, Config: m.all.texts("config"),
		Deps: deps, DevDeps: m.all.texts("devDependencies"), Workspaces: m.Workspaces(), Nodemon: nodemon,
	}
}
