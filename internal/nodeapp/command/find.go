package command

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/nodeapp/shell"
)

// Finder follows the start commands of a repository.
type Finder struct {
	Repo    fs.FS
	Dir     string                            // the app's folder; "" is the root
	Read    func(dir string) (Package, error) // the package of a folder, "" for the root; fs.ErrNotExist: there is none
	Supply  Supply
	MayMake bool // a build may make folders
	Berry   bool // yarn is yarn 2 or later
	Shell   bool // the machine has a shell
	Bash    bool // it has bash too
	// Built is the framework whose build is served in the place of its development server; "": none is known.
	Built string
	// Whole commands are no start of a server: nothing of them runs at build time.
	Whole bool
	// Only says that no other command takes the place of one that is for development.
	Only bool
}

// Found is what a start command runs.
type Found struct {
	From     string   // where it was found, for people
	Builds   []string // what of it runs at build time: texts for a shell in the app's folder
	Warnings []string // for people, one line each

	Built bool // what a framework has built is served; there is no command
	Shell bool // the machine has a shell, and what that runs

	tree    *tree
	dropped []string // words without an effect in a machine
}

// Leaf is one program of a start command.
type Leaf struct {
	Text  string // as it was written
	Set   []core.Assignment
	Own   []core.Assignment
	Words []core.Word // the first is a literal
	Dir   string      // below the app's folder; "": that folder
	Next  core.Next
}

// Leaves are the programs, in order.
func (s Found) Leaves() []Leaf {
	var all []Leaf
	next := s.tree.next()
	for i, l := range s.tree.leaves() {
		all = append(all, Leaf{Text: l.text, Set: l.set, Own: l.own, Words: l.words, Dir: l.dir, Next: next[i]})
	}
	return all
}

// Runs reports whether one of the programs is this one.
func (s Found) Runs(program string) bool {
	return s.tree != nil && slices.ContainsFunc(s.tree.leaves(), func(l *leaf) bool {
		name, _ := l.words[0].Literal()
		return name == program
	})
}

// Text follows a command line; from says where it stands.
func (f Finder) Text(from, text string) (Found, error) {
	return f.follow(from, func(w *walker) (*tree, error) { return w.text(&scope{dir: f.Dir}, text) })
}

// Script follows a script of the app's package.
func (f Finder) Script(name string) (Found, error) { return f.script(label(name, f.Dir), f.Dir, name) }

// label says where a script stands, for people.
func label(name, dir string) string {
	if dir == "" {
		return "scripts." + name
	}
	return "scripts." + name + " of " + dir
}

func (f Finder) script(from, dir, name string) (Found, error) {
	return f.follow(from, func(w *walker) (*tree, error) {
		a := ask{tool: "npm", name: name}
		if f.Berry {
			a.tool = "yarn"
		}
		return w.script(&scope{dir: dir}, a)
	})
}

func (f Finder) walker() *walker {
	all := &packages{repo: f.Repo, read: f.Read, seen: map[string]Package{}}
	return &walker{
		packages: all, supply: f.Supply, mayMake: f.MayMake, berry: f.Berry, whole: f.Whole, shell: f.Shell, bash: f.Bash,
	}
}

func (f Finder) follow(from string, read func(w *walker) (*tree, error)) (Found, error) {
	w := f.walker()
	t, err := read(w)
	if err != nil {
		return Found{}, err
	}
	builds, start, err := split(t)
	if err != nil {
		return Found{}, err
	}
	app, err := w.packages.at(f.Dir)
	if err != nil {
		return Found{}, err
	}
	s := Found{
		From: from, tree: start, Shell: f.Shell, Warnings: w.warnings, dropped: w.dropped, Builds: buildSteps(builds, f.Dir, app.Scripts["build"]),
	}
	if first(start, false) == nil {
		return s, core.Reject(fmt.Sprintf("the start command (%s) starts nothing: it only prepares", from),
			`add what serves at its end, such as "node server.js"`)
	}
	return f.withPrograms(s, w)
}

// withPrograms refuses a start with a program that the app will not have, or takes the author's own command for
// production in its place.
func (f Finder) withPrograms(s Found, w *walker) (Found, error) {
	for _, l := range s.tree.leaves() {
		dir := w.packages.nearest(l.dir)
		own, err := w.packages.at(dir)
		if err != nil {
			return s, err
		}
		if dir != "" && len(own.Deps) > 0 && !f.MayMake && len(s.Builds) == 0 && !f.workspaces() {
			w.warn("the dependencies of %s/package.json are not installed: add `npm ci --prefix %s` to scripts.build, "+
				"or make it a workspace", shorten(dir), shorten(dir))
		}
		has, dev, pkg := f.judge(l, own, dir == "")
		if has != devOnly && has != missing && !dev {
			continue
		}
		if (dev || has == devOnly) && !f.Only {
			if other, ok, err := f.production(l, own, s.From); ok {
				return instead(s, other, l, w), err
			}
		}
		if dev && f.Built != "" && !ofNoFramework[l.program()] {
			w.warn("`%s` is for development: what %s builds is served instead", shorten(l.text), f.Built)
			return Found{From: f.Built, Built: true, Warnings: w.warnings}, nil
		}
		if name := l.program(); has == devOnly || has == missing || name == "nest" {
			return s, lacks(l, name, pkg, has)
		}
		w.warn("`%s` is for development: a script start:prod with the command for production would run instead", shorten(l.text))
	}
	s.Warnings = w.warnings
	return s, nil
}

// program is the name of a leaf's program.
func (l *leaf) program() string {
	name, _ := l.words[0].Literal()
	return name
}

// judge says whether an app will have the program of l, whether it is one for development, and which package brings it.
func (f Finder) judge(l *leaf, own Package, root bool) (has having, dev bool, pkg string) {
	name := l.program()
	if f.Shell && shell.Has(name) {
		return present, false, ""
	}
	if name == "echo" || name == "node" || name == "nodejs" || strings.Contains(name, "/") {
		return present, false, ""
	}
	words, _ := literals(&shell.Call{Words: l.words}, 1)
	has, pkg = f.Supply.find(name, own, root)
	return has, isDevServer(name, words), pkg
}

// instead is other, the author's command for production, in the place of s, whose program l is not for it. What s has
// at build time stays; what it runs beside l does not, since the author's command for production does without it.
func instead(s, other Found, l *leaf, w *walker) Found {
	of := ""
	if len(s.tree.leaves()) > 1 {
		of = " of all of " + s.From
	}
	w.warn("`%s` is for development: %s runs instead%s", shorten(l.text), other.From, of)
	other.Warnings = append(w.warnings, other.Warnings...)
	for _, b := range slices.Backward(s.Builds) {
		if !slices.Contains(other.Builds, b) {
			other.Builds = slices.Insert(other.Builds, 0, b)
		}
	}
	return other
}

// workspaces reports whether what is installed at the root is for the other packages too.
func (f Finder) workspaces() bool {
	return f.Supply.root.Workspaces || exists(f.Repo, "pnpm-workspace.yaml")
}

// production follows the author's own command for production, if there is one that is not what was followed already.
func (f Finder) production(l *leaf, own Package, from string) (s Found, ok bool, err error) {
	for _, name := range []string{"start:prod", "start:production", "serve:prod"} {
		where := label(name, l.dir)
		if own.Scripts[name] == "" || from == where {
			continue
		}
		s, err = f.script(where, l.dir, name)
		return s, true, err
	}
	return Found{}, false, nil
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
