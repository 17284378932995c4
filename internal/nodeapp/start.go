package nodeapp

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/nodeapp/command"
	"github.com/nodeos-dev/gitd/internal/nodeapp/framework"
	"github.com/nodeos-dev/gitd/internal/nodeapp/mainfile"
)

// StartCommand is what starts the app, before the programs in it are found.
type StartCommand struct {
	command.Found

	None bool // no command serves: the app has workers only

	main string // what package.json's main says, or the usual file, if that is what starts the app
}

// findStart looks for the start command in the Procfile, in scripts.start, in main, by the usual names, and then in
// what the app's framework builds. A Procfile that has workers and no web is of an app that nobody sends requests to:
// then nothing else is looked for, as on Heroku.
func (p *Plan) findStart(repo fs.FS) (StartCommand, error) {
	proc, err := readProcfile(appFolder(repo, p.Dir))
	if err != nil {
		return StartCommand{}, err
	}
	p.recognise(appFolder(repo, p.Dir))
	if p.Processes, err = followProcesses(finderOf(repo, *p), proc); err != nil {
		return StartCommand{}, err
	}
	if p.Jobs, err = followJobs(finderOf(repo, *p), p.Package.Settings.Cron); err != nil {
		return StartCommand{}, err
	}
	web := proc.commands[core.Web]
	if web == "" && proc.workers() {
		return StartCommand{None: true, Found: command.Found{From: procfile, Warnings: append(proc.warnings,
			`Procfile has no web: only workers run, and no requests come; a line "web: npm start" would start a server`)}}, nil
	}
	s, err := p.chooseStart(repo, web)
	s.Warnings = append(proc.warnings, s.Warnings...)
	return s, err
}

func (p *Plan) chooseStart(repo fs.FS, web string) (s StartCommand, err error) {
	m, own := p.Package, appFolder(repo, p.Dir)
	has := func(name string) bool { return mainfile.IsFile(own, name) }
	finder := finderOf(repo, *p)
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
		name, ok := mainfile.Find(own, m.Main)
		if s.From = name; !ok && (finder.MayMake || mainfile.ThroughLink(own, m.Main)) {
			s.From = m.Main // it is looked for when the app's folder is as it will be packed
			return s, nil
		}
		return s, mainfile.Check(m.Main, name, has)
	}
	for _, file := range mainfile.Usual {
		if has(file) {
			s.main, s.From = file, file
			return s, nil
		}
	}
	if err := chooseWorkspace(p, repo); err != nil {
		return s, err
	}
	if p.Framework.Name == "" {
		p.Framework = framework.Site(own, builds(p))
	}
	if p.Framework.Name != "" {
		s.From, s.Built = p.Framework.Name, true
		return s, nil
	}
	return s, core.Reject("no start command",
		`add "scripts": {"start": "node server.js"} to package.json, or a Procfile with a line "web: node server.js"`)
}

// builds reports whether a script builds the app, as far as that is decided.
func builds(p *Plan) bool { return p.Scripts.Build != "" || len(p.Steps) > 0 }

// finderOf tells package command of a repository.
func finderOf(repo fs.FS, p Plan) command.Finder {
	m := p.Root
	manager := m.all.text("packageManager")
	return command.Finder{
		Repo: repo, Dir: p.Dir,
		Shell: p.Package.Settings.Shell, Bash: slices.Contains(p.Package.Settings.Packages, "bash"),
		Supply:  command.NewSupply(m.forCommands(), p.Lock),
		MayMake: builds(&p) || p.Framework.Build != "" || len(m.installScripts()) > 0 || p.memberScripts,
		Berry:   strings.HasPrefix(manager, "yarn@") && !strings.HasPrefix(manager, "yarn@1.") || exists(repo, ".yarnrc.yml"),
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
