package command

import (
	"cmp"
	"slices"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/nodeapp/shell"
)

// ask is what a command asks of a package manager.
type ask struct {
	tool string // "npm", "yarn", "pnpm" or "bun"
	text string // the whole command
	does verb
	name string      // of the script or program; of runText: the command line
	rest *shell.Call // what is passed on to it

	dir       string // --prefix and the like, below the scope's folder
	workspace string // its name
	by        string // the option that chose the workspace
	top       bool   // the root package
	bare      bool   // without pre- and post-scripts
	dropped   []string
	maybe     bool // a script that is not there is none the worse
}

func (a *ask) drop(source string) { a.dropped = append(a.dropped, source) }

type verb int

const (
	runScript verb = iota
	runProgram
	runText // a command line in which the programs of node_modules can be named
	install
	runAny // a script or, if there is none, a program
)

// managers are the programs that are read here.
var managers = map[string]string{
	"npm": "npm", "npx": "npm", "yarn": "yarn", "yarnpkg": "yarn", "pnpm": "pnpm", "pnpx": "pnpm", "bun": "bun", "bunx": "bun",
}

// harmless are options that change nothing in what is run in a machine: how much a package manager says, and how it
// would install. The value of those that end in "=" may be a word of its own.
var harmless = []string{
	"-s", "--silent", "-q", "--quiet", "-d", "-dd", "-ddd", "--verbose", "--no-audit", "--no-fund", "--no-update-notifier",
	"--no-progress", "--no-color", "--color", "--production", "--prod", "--offline", "--prefer-offline", "--no-install",
	"--no", "--foreground-scripts", "--unsafe-perm", "--no-save", "--legacy-peer-deps", "--non-interactive", "--no-bail",
	"--ignore-engines", "--frozen-lockfile", "--immutable", "--no-lockfile", "--no-optional", "-y", "--yes",
	"--stream", "--use-stderr", "--no-workspaces",
	"--loglevel=", "--omit=", "--include=", "--only=", "--reporter=", "--audit=", "--fund=", "--progress=", "--color=",
	"--production=", "--update-notifier=", "--ignore-scripts=false", "--yes=", "--offline=",
}

// valueNext are those of harmless that take the next word if they have no "=".
var valueNext = []string{"--loglevel", "--omit", "--include", "--only", "--reporter"}

// options reads c's options from the index i on. It returns where the first word is that is none.
func (a *ask) options(c *shell.Call, i int) (int, error) {
	for ; i < len(c.Words); i++ {
		word, ok := c.Words[i].Literal()
		if !ok || !strings.HasPrefix(word, "-") || word == "--" || word == "-" {
			return i, nil
		}
		n, err := a.option(c, i, word)
		if err != nil {
			return i, err
		}
		i += n
	}
	return i, nil
}

// option reads one option, and says how many words after it belong to it.
func (a *ask) option(c *shell.Call, i int, word string) (more int, err error) {
	name, value, equals := strings.Cut(word, "=")
	kind := optionKind(a.tool, name)
	takes := kind == "dir" || kind == "workspace" || slices.Contains(valueNext, name)
	if takes && !equals && i+1 < len(c.Words) {
		more = 1
		value, _ = c.Words[i+1].Literal()
	}
	switch {
	case takes && value == "":
		return 0, a.unknownOption(word)
	case kind == "dir":
		a.dir = value
	case kind == "workspace":
		a.workspace, a.by = value, strings.Replace(name, "-F", "--filter", 1)
	case kind == "top":
		a.top = true
	case word == "--if-present":
		a.maybe = true
	case word == "--ignore-scripts":
		a.bare = true
	case takes, slices.Contains(harmless, word), equals && slices.Contains(harmless, name+"="):
		a.dropped = append(a.dropped, c.Sources[i:i+1+more]...)
	default:
		return 0, a.unknownOption(word)
	}
	return more, nil
}

func (a *ask) unknownOption(word string) error {
	hint := "leave it out; what is for the app comes after the script's name and --, as in `npm start -- --flag`"
	if slices.Contains([]string{"-r", "--recursive", "-ws", "--workspaces", "--parallel"}, word) {
		hint = "an app is one program: choose one workspace, as in `npm start --workspace api`"
	}
	return refused(a.text, "uses "+shorten(word)+" of "+a.tool+", which gitd does not know or cannot follow", hint)
}

// optionKind says what an option chooses: a folder, a workspace or the root package.
func optionKind(tool, name string) string {
	switch tool + " " + name {
	case "npm --prefix", "npm -C", "pnpm --dir", "pnpm -C", "pnpm --prefix", "yarn --cwd", "bun --cwd":
		return "dir"
	case "npm -w", "npm --workspace", "pnpm --filter", "pnpm -F", "bun --filter", "bun -F":
		return "workspace"
	case "pnpm -w", "pnpm --workspace-root":
		return "top"
	}
	return ""
}

// manager follows a command of a package manager.
func (w *walker) manager(sc *scope, c *shell.Call, tool string) (*tree, error) {
	a := ask{tool: tool, text: c.Text}
	var err error
	switch program, _ := c.Words[0].Literal(); program {
	case "npm":
		err = a.readNPM(c)
	case "npx", "pnpx", "bunx":
		err = a.readExec(c, 1)
	default:
		err = a.readOther(c)
	}
	if err != nil {
		return nil, err
	}
	w.dropped = append(w.dropped, a.dropped...)
	return w.do(sc, c, a)
}

// do follows what is asked, in the package that it is asked of.
func (w *walker) do(sc *scope, c *shell.Call, a ask) (*tree, error) {
	inner := sc.within(c)
	var err error
	switch {
	case a.workspace != "":
		inner.dir, err = w.packages.workspace(a.workspace, a.by)
	case a.top:
		inner.dir = ""
	case a.dir != "":
		inner.dir, err = w.enter(sc, c, a.dir)
	}
	if err != nil {
		return nil, err
	}
	switch a.does {
	case runText:
		return w.text(inner, a.name)
	case runProgram:
		return w.run(inner, a)
	case install:
		return w.install(inner, a)
	case runAny:
		m, err := w.packages.at(w.packages.nearest(inner.dir))
		if err != nil {
			return nil, err
		}
		if _, ok := m.Scripts[a.name]; !ok && slices.Contains(noStart, a.name) {
			return nil, a.unknownVerb()
		} else if !ok {
			return w.run(inner, a)
		}
	}
	inner.dir = w.packages.nearest(inner.dir)
	return w.script(inner, a)
}

// run follows a program of node_modules/.bin. A package with a version is the one that is installed.
func (w *walker) run(sc *scope, a ask) (*tree, error) {
	name := a.name
	if at := strings.LastIndex(name, "@"); at > 0 {
		w.warn("%s in the start command: the version in the lockfile runs", shorten(name))
		name = name[:at]
	}
	if program := w.supply.programOf(name); program != name {
		w.drop(name) // the package is named, and its program runs
		name = program
	}
	c := &shell.Call{Words: append([]core.Word{core.Plain(name)}, a.rest.Words...), Sources: append([]string{name}, a.rest.Sources...)}
	c.Text = strings.Join(c.Sources, " ")
	if _, own := builtins[name]; own {
		return w.program(sc, c)
	}
	return w.call(sc, c)
}

// install is at build time already, or belongs there.
func (w *walker) install(sc *scope, a ask) (*tree, error) {
	if len(a.rest.Words) > 0 || w.whole {
		return nil, refused(a.text, "installs a package at each start", "add it to \"dependencies\" in package.json")
	}
	if sc.dir == "" {
		w.warn("%s in the start command is left out: dependencies are installed before the start", shorten(a.text))
		return known(succeeds), nil
	}
	return &tree{leaf: &leaf{text: "npm install", dir: sc.dir, build: true}}, nil
}

// readNPM reads npm's words. Its options may stand anywhere before "--".
func (a *ask) readNPM(c *shell.Call) error {
	var at []int // the words that are no options
	i := 1
	for i < len(c.Words) {
		var err error
		if i, err = a.options(c, i); err != nil || i >= len(c.Words) {
			if err != nil && execs(c, at) {
				return a.readExec(c, at[0]+1)
			}
			if err != nil {
				return err
			}
			break
		}
		if word, _ := c.Words[i].Literal(); word == "--" {
			a.drop("--")
			i++
			break
		}
		if _, ok := c.Words[i].Literal(); !ok && len(at) > 0 {
			return refused(a.text, "may give npm more options by its variables", "write `--` before what is for the app")
		}
		at = append(at, i)
		i++
		if execs(c, at) {
			return a.readExec(c, i)
		}
	}
	words := &shell.Call{}
	for _, j := range at {
		words.Words, words.Sources = append(words.Words, c.Words[j]), append(words.Sources, c.Sources[j])
	}
	n := len(at)
	if i < len(c.Words) {
		words.Words, words.Sources = append(words.Words, c.Words[i:]...), append(words.Sources, c.Sources[i:]...)
	}
	return a.readVerb(words, n)
}

// execs reports whether the first of npm's words is exec.
func execs(c *shell.Call, at []int) bool {
	return len(at) == 1 && slices.Contains([]string{"exec", "x"}, c.Sources[at[0]])
}

// readVerb reads what npm is to do. before is how many words are before "--".
func (a *ask) readVerb(c *shell.Call, before int) error {
	if before == 0 {
		return a.unknownVerb()
	}
	name, _ := c.Words[0].Literal()
	switch name {
	case "start", "test":
		a.does, a.name, a.rest = runScript, name, rest(c, 1)
		return nil
	case "run", "run-script", "rum", "urn":
		if before < 2 {
			return a.unknownVerb()
		}
		var ok bool
		if a.name, ok = c.Words[1].Literal(); !ok {
			return a.unknownVerb()
		}
		a.does, a.rest = runScript, rest(c, 2)
		return nil
	case "ci", "install", "i", "clean-install", "install-clean":
		a.does, a.rest = install, rest(c, 1)
		return nil
	}
	return a.unknownVerb()
}

func (a *ask) unknownVerb() error {
	return refused(a.text, "uses "+a.tool+" for more than to run a script or a program",
		"NodeOS has Node and no "+a.tool+": do preparations in scripts.build")
}

// readExec reads the words of npx and of exec and dlx, from the index i on: options, then a program and its words.
func (a *ask) readExec(c *shell.Call, i int) error {
	a.does = runProgram
	for {
		at, err := a.options(c, i)
		if err == nil {
			i = at
			break
		}
		if i, err = a.execOption(c, at, err); err != nil {
			return err
		}
	}
	if i < len(c.Words) && c.Sources[i] == "--" {
		a.drop("--")
		i++
	}
	if a.does == runText {
		if i < len(c.Words) {
			return a.unknownVerb()
		}
		return nil
	}
	if i >= len(c.Words) {
		return a.unknownVerb()
	}
	if a.name, _ = c.Words[i].Literal(); a.name == "" {
		return a.unknownVerb()
	}
	a.rest = rest(c, i+1)
	return nil
}

// execOption reads an option that only exec has, at the index i, and returns the index after it. unknown is the error
// if it is none of them.
func (a *ask) execOption(c *shell.Call, i int, unknown error) (int, error) {
	word, _ := c.Words[i].Literal()
	name, value, equals := strings.Cut(word, "=")
	if !slices.Contains([]string{"-p", "--package", "-c", "--call"}, name) {
		return i, unknown
	}
	a.drop(name)
	if !equals && i+1 < len(c.Words) {
		i++
		value, _ = c.Words[i].Literal()
	}
	switch {
	case value == "":
		return i, a.unknownVerb()
	case name == "-c" || name == "--call":
		a.does, a.name = runText, value
	default:
		a.drop(c.Sources[i]) // the program is named again, or is that of a package that is installed
	}
	return i + 1, nil
}

// noStart are words of yarn, pnpm and bun that are neither a script nor a program.
var noStart = []string{"add", "remove", "rm", "up", "update", "upgrade", "global", "config", "set", "cache", "link", "unlink",
	"why", "info", "list", "ls", "pack", "publish", "version", "versions", "audit", "outdated", "init", "create", "import",
	"workspaces", "plugin", "dedupe", "rebuild", "store", "deploy", "patch", "env", "login", "logout", "pm", "build", "upgrade-interactive"}

// readOther reads the words of yarn, pnpm and bun: what comes after the name of a script is for the script.
func (a *ask) readOther(c *shell.Call) error {
	i, err := a.options(c, 1)
	switch {
	case err != nil:
		return err
	case i >= len(c.Words) && a.tool == "yarn":
		a.does, a.rest = install, rest(c, i)
		return nil
	case i >= len(c.Words):
		return a.unknownVerb()
	}
	name, ok := c.Words[i].Literal()
	switch name {
	case "":
		return a.unknownVerb()
	case "run", "run-script":
		if i, err = a.options(c, i+1); err != nil || i >= len(c.Words) {
			return cmp.Or(err, a.unknownVerb())
		}
		name, ok = c.Words[i].Literal()
	case "exec", "dlx", "x":
		return a.readExec(c, i+1)
	case "node":
		a.does, a.name, a.rest = runProgram, name, rest(c, i+1)
		return nil
	case "workspace":
		return a.readWorkspace(c, i)
	case "install", "i", "ci":
		a.does = install
		i, err = a.options(c, i+1)
		a.rest = rest(c, i)
		return err
	}
	if !ok || name == "" {
		return a.unknownVerb()
	}
	a.does, a.name, a.rest = runAny, name, rest(c, i+1)
	if name == "start" || name == "test" {
		a.does = runScript
	}
	if a.tool == "yarn" && len(a.rest.Sources) > 0 && a.rest.Sources[0] == "--" {
		a.drop("--")
		a.rest = rest(a.rest, 1)
	}
	return nil
}

// readWorkspace reads "yarn workspace NAME" and what follows it, as if it stood alone.
func (a *ask) readWorkspace(c *shell.Call, i int) error {
	if a.tool != "yarn" || i+2 >= len(c.Words) {
		return a.unknownVerb()
	}
	var ok bool
	if a.workspace, ok = c.Words[i+1].Literal(); !ok || a.workspace == "" {
		return a.unknownVerb()
	}
	a.by = "yarn workspace"
	return a.readOther(rest(c, i+1))
}
