package nodeapp

import (
	"fmt"
	"io/fs"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/nodeapp/shell"
)

// StartCommand is what starts the app, before the programs in it are found.
type StartCommand struct {
	From string // where the command was found, for people

	tree     *tree
	builds   []string   // what of it runs at build time, for a shell
	main     string     // what package.json's main says, if that is what starts the app
	made     *Framework // what the framework has built is what starts; which form it has is known after the build
	warnings []string
	dropped  []string
}

// finder looks for the start command of a repository.
type finder struct {
	repo    fs.FS
	root    PackageJSON
	supply  supply
	mayMake bool // a build may make files
	berry   bool

	framework Framework
	known     bool
}

func newFinder(repo fs.FS, m PackageJSON, lock []byte) finder {
	manager := m.text("packageManager")
	framework, known := recognise(m, repo)
	return finder{
		repo: repo, root: m, supply: newSupply(m, lock), framework: framework, known: known,
		mayMake: m.Scripts["build"] != "" || framework.Build != "" || len(m.installScripts()) > 0,
		berry:   strings.HasPrefix(manager, "yarn@") && !strings.HasPrefix(manager, "yarn@1.") || exists(repo, ".yarnrc.yml"),
	}
}

// find looks in the Procfile, in scripts.start, in main, and then for the usual names.
func (f finder) find() (StartCommand, error) {
	p, err := readProcfile(f.repo)
	if err != nil {
		return StartCommand{}, err
	}
	s, err := f.choose(p.web)
	s.warnings = append(p.warnings, s.warnings...)
	if err == nil && p.web == "" && len(p.others) > 0 {
		s.warnings = append(s.warnings, fmt.Sprintf("Procfile has no web: %s runs", s.From))
	}
	return s, err
}

func (f finder) choose(web string) (StartCommand, error) {
	has := func(name string) bool { return isFile(f.repo, name) }
	switch {
	case web != "":
		return f.follow(procfile, func(w *walker) (*tree, error) { return w.text(&scope{}, web) })
	case strings.TrimSpace(f.root.Scripts["start"]) != "":
		return f.script("start")
	case f.root.Main != "" && !(f.known && !has(f.root.Main)):
		name, ok := mainFile(f.repo, f.root.Main)
		if !ok && f.mayMake {
			return StartCommand{From: f.root.Main, main: f.root.Main}, nil
		}
		return StartCommand{From: name, main: f.root.Main}, checkMain(f.root.Main, name, has)
	}
	for _, file := range usualNames {
		if has(file) {
			return StartCommand{From: file, main: file}, nil
		}
	}
	if f.known {
		return builtBy(f.framework), nil
	}
	if site, ok := aSite(f.root, f.repo); ok {
		return builtBy(site), nil
	}
	return StartCommand{}, core.Reject("no start command",
		`add "scripts": {"start": "node server.js"} to package.json, or a Procfile with a line "web: node server.js"`)
}

func (f finder) script(name string) (StartCommand, error) {
	return f.follow("scripts."+name, func(w *walker) (*tree, error) {
		return w.script(&scope{}, ask{tool: f.manager(), name: name})
	})
}

// manager is the one whose rules hold for the package's own scripts.
func (f finder) manager() string {
	if f.berry {
		return "yarn"
	}
	return "npm"
}

// follow makes a start command of what read finds.
func (f finder) follow(from string, read func(w *walker) (*tree, error)) (StartCommand, error) {
	all := &packages{repo: f.repo, read: map[string]PackageJSON{"": f.root}}
	w := &walker{packages: all, supply: f.supply, mayMake: f.mayMake, berry: f.berry}
	t, err := read(w)
	if err != nil {
		return StartCommand{}, err
	}
	builds, start, err := split(t)
	if err != nil {
		return StartCommand{}, err
	}
	s := StartCommand{
		From: from, tree: start, warnings: w.warnings, dropped: w.dropped,
		builds: buildSteps(builds, f.root.Scripts["build"]),
	}
	if first(start, false) == nil {
		return s, core.Reject(fmt.Sprintf("the start command (%s) starts nothing: it only prepares", from),
			`add what serves at its end, such as "node server.js"`)
	}
	return f.withPrograms(s, w)
}

// withPrograms refuses a start with a program that the app will not have, or takes the author's own command for
// production in its place.
func (f finder) withPrograms(s StartCommand, w *walker) (StartCommand, error) {
	for _, l := range s.tree.leaves() {
		own, err := w.packages.at(w.packages.nearest(l.dir))
		if err != nil {
			return s, err
		}
		name, _ := l.words[0].Literal()
		words, _ := literals(&shell.Call{Words: l.words}, 1)
		if name == "echo" || name == "node" || strings.Contains(name, "/") {
			continue
		}
		has, pkg := f.supply.find(name, own)
		dev := isDevServer(name, words)
		if has != devOnly && has != missing && !dev {
			continue
		}
		if other, ok, err := f.production(l, own, s.From); ok && (dev || has == devOnly) {
			other.warnings = append(append(s.warnings, fmt.Sprintf("`%s` is for development: %s runs instead", shorten(l.text), other.From)),
				other.warnings...)
			return other, err
		}
		if dev && f.known && !anyPurpose[name] {
			other := builtBy(f.framework)
			other.warnings = append(s.warnings, fmt.Sprintf("`%s` is for development: what %s builds is served instead", shorten(l.text), f.framework.Name))
			return other, nil
		}
		if has == present && name != "nest" || has == unknown && dev {
			s.warnings = append(s.warnings, fmt.Sprintf(
				"`%s` is for development: a script start:prod with the command for production would run instead", shorten(l.text)))
			continue
		}
		return s, lacks(l, name, pkg, has)
	}
	return s, nil
}

// production follows the author's own command for production, if there is one that is not what was followed already.
func (f finder) production(l *leaf, own PackageJSON, from string) (s StartCommand, ok bool, err error) {
	for _, name := range []string{"start:prod", "start:production", "serve:prod"} {
		label := "scripts." + name
		if own.Scripts[name] == "" || strings.HasSuffix(from, label) {
			continue
		}
		if l.dir != "" {
			label += " of " + l.dir
		}
		s, err = f.follow(label, func(w *walker) (*tree, error) {
			return w.script(&scope{dir: w.packages.nearest(l.dir)}, ask{tool: f.manager(), name: name})
		})
		return s, true, err
	}
	return StartCommand{}, false, nil
}

// lacks says that the app will not have a program, and what to do.
func lacks(l *leaf, name, pkg string, has having) error {
	reason := fmt.Sprintf("the start command runs %q, which is no program that NodeOS can run", shorten(name))
	hint := fmt.Sprintf("if it is a program from npm, `npm install %s` adds its package to \"dependencies\"; start with node otherwise", shorten(pkg))
	switch {
	case has == devOnly:
		reason = fmt.Sprintf("the start command runs %q, of the devDependency %s, which the app does not get", shorten(name), shorten(pkg))
		hint = productionLine(l, name) + fmt.Sprintf("; or move %s to \"dependencies\"", shorten(pkg))
	case isDevServer(name, []string{"start"}), isDevServer(name, nil):
		reason = fmt.Sprintf("the start command %q is for development", shorten(l.text))
		hint = productionLine(l, name)
	}
	return core.Reject(reason, hint)
}

// productionLine is the script that an author has to add.
func productionLine(l *leaf, name string) string {
	words, _ := literals(&shell.Call{Words: l.words}, 1)
	what := "node server.js"
	switch name {
	case "nest":
		what = "node dist/main"
	case "nx", "ng":
		what = "node dist/apps/NAME/main.js"
	case "ts-node", "tsx", "ts-node-dev", "tsnd", "nodemon", "babel-node", "vite-node":
		for _, w := range words {
			if isTypeScript(w) || strings.HasSuffix(w, ".js") {
				what = "node " + compiled(w)
			}
		}
	case "next", "nuxt", "strapi", "medusa":
		what = name + " start"
	}
	return fmt.Sprintf(`add "start:prod": %q to scripts, and compile in scripts.build if need be`, what)
}

// compiled is where a compiler usually puts a file.
func compiled(name string) string {
	name = strings.TrimPrefix(strings.TrimPrefix(name, "./"), "src/")
	if i := strings.LastIndex(name, "."); i > 0 {
		name = name[:i]
	}
	return "dist/" + name + ".js"
}
