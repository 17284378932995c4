package command

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
	"github.com/nodeos-dev/gitd/internal/nodeapp/shell"
)

const (
	maxScripts = 8  // that start one another
	maxSteps   = 32 // commands of a start
)

// prepare is what to do about a start command that needs a shell.
const prepare = "NodeOS has no shell: do preparations in scripts.build, " +
	"and start with plain commands such as `node server.js`"

// walker follows a start command through scripts and tools to the programs that it runs.
type walker struct {
	packages *packages
	supply   Supply
	mayMake  bool // a build may make folders and files
	berry    bool // yarn is yarn 2 or later, which runs no pre- and post-scripts
	whole    bool // nothing runs at build time
	shell    bool // the machine has a shell
	bash     bool // it has bash too

	steps    int
	warnings []string
	dropped  []string // words that are known to have no effect in a machine
}

// scope is what a shell knows when it comes to a command.
type scope struct {
	dir     string
	set     []core.Assignment
	exports []string // set, as text, but for what npm sets
	stack   []string // the scripts that are being followed
}

func (sc *scope) copy() *scope {
	c := *sc
	c.set, c.exports, c.stack = slices.Clone(sc.set), slices.Clone(sc.exports), slices.Clone(sc.stack)
	return &c
}

func (w *walker) warn(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(w.warnings, text) {
		w.warnings = append(w.warnings, text)
	}
}

// refused is a rejection of a command. why goes after its text.
func refused(text, why, hint string) error {
	if hint == prepare && why != "starts nothing" {
		return forShell(text, why, hint)
	}
	return core.Reject(fmt.Sprintf("the start command %q %s", shorten(text), why), hint)
}

// text follows a command line. What of it only a shell can run is run by one as it was written, if there will be one.
func (w *walker) text(sc *scope, text string) (*tree, error) {
	before, steps, said := sc.copy(), w.steps, len(w.warnings)
	t, err := w.line(sc, text)
	if !w.shell || !errors.Is(err, errShell) {
		return t, err
	}
	w.steps, w.warnings = steps, w.warnings[:said]
	return w.byShell(before, text)
}

// line follows a command line as far as no shell is needed.
func (w *walker) line(sc *scope, text string) (*tree, error) {
	n, notes, err := shell.Parse(text)
	if r, ok := errors.AsType[*shell.Refusal](err); ok {
		switch {
		case r.Unreadable:
			return nil, core.Reject(fmt.Sprintf("the start command %q %s", shorten(text), r.Why), prepare)
		case r.Hint != "":
			return nil, forShell(text, r.Why, r.Hint)
		}
		return nil, refused(text, r.Why, prepare)
	}
	for _, note := range notes {
		w.warn("%s", note)
	}
	return w.node(sc, n)
}

func (w *walker) node(sc *scope, n shell.Node) (*tree, error) {
	switch n := n.(type) {
	case *shell.Group:
		return w.node(sc.copy(), n.X)
	case *shell.Call:
		return w.call(sc, n)
	case *shell.Pair:
		if err := checkChanges(n); err != nil {
			return nil, err
		}
		x, err := w.node(sc, n.X)
		if err != nil {
			return nil, err
		}
		y, err := w.node(sc, n.Y)
		if err != nil {
			return nil, err
		}
		return pair(n.Op, x, y), nil
	}
	return nil, refused("", "starts nothing", prepare)
}

// checkChanges refuses a command line where it depends on an exit code whether a cd or export takes place for what
// comes later.
func checkChanges(n *shell.Pair) error {
	const why = "changes its folder or variables on a condition"
	if n.Op == shell.Or && (changes(n.X) || changes(n.Y)) {
		return refused(shell.String(n), why, prepare)
	}
	for x, ok := n.X.(*shell.Pair); ok && n.Op == shell.Then && x.Op == shell.And; x, ok = x.X.(*shell.Pair) {
		if changes(x.Y) && !onlyChanges(x.X) {
			return refused(shell.String(n), why, prepare)
		}
	}
	return nil
}

func isChange(c *shell.Call) bool {
	return len(c.Sources) > 0 && slices.Contains([]string{"cd", "export"}, c.Sources[0])
}

// changes reports whether n has a cd or export that is seen outside of n.
func changes(n shell.Node) bool {
	switch n := n.(type) {
	case *shell.Call:
		return isChange(n)
	case *shell.Pair:
		return changes(n.X) || changes(n.Y)
	}
	return false
}

func onlyChanges(n shell.Node) bool {
	switch n := n.(type) {
	case *shell.Call:
		return isChange(n)
	case *shell.Pair:
		return onlyChanges(n.X) && onlyChanges(n.Y)
	}
	return false
}

// call follows one simple command.
func (w *walker) call(sc *scope, c *shell.Call) (*tree, error) {
	c = withoutPort(w, c)
	if len(c.Words) == 0 {
		if len(c.Set) == 0 {
			return known(succeeds), nil // PORT alone
		}
		return nil, refused(c.Text, "sets a variable for no command", "write it before a command, or export it")
	}
	name, ok := c.Words[0].Literal()
	switch {
	case !ok:
		return nil, refused(c.Text, "has the name of its program in a variable", prepare)
	case name == "":
		return nil, refused(c.Text, "starts nothing", prepare)
	}
	if follow := builtins[name]; follow != nil {
		return follow(w, sc, c)
	}
	if tool, ok := managers[name]; ok {
		return w.manager(sc, c, tool)
	}
	if follow := rewriters[name]; follow != nil {
		return follow(w, sc, c)
	}
	return w.program(sc, c)
}

// withoutPort takes PORT=… away, and says so.
func withoutPort(w *walker, c *shell.Call) *shell.Call {
	n := *c
	n.Set = nil
	for _, a := range c.Set {
		if a.Name == "PORT" {
			value, _ := a.Value.Literal()
			w.warn("PORT=%s in the start command is ignored: the app must listen on $PORT", shorten(value))
			continue
		}
		n.Set = append(n.Set, a)
	}
	return &n
}

// rest is a command without its first n words, which only prepared it.
func rest(c *shell.Call, n int) *shell.Call {
	return &shell.Call{Text: c.Text, Set: c.Set, Words: c.Words[n:], Sources: c.Sources[n:]}
}

// words are those of c from the index from on, as text: nil if one has variables.
func literals(c *shell.Call, from int) ([]string, bool) {
	var all []string
	for _, w := range c.Words[min(from, len(c.Words)):] {
		s, ok := w.Literal()
		if !ok {
			return nil, false
		}
		all = append(all, s)
	}
	return all, true
}

// program is the end of the way: a program and its words.
func (w *walker) program(sc *scope, c *shell.Call) (*tree, error) {
	if w.steps++; w.steps > maxSteps {
		return nil, refused(c.Text, fmt.Sprintf("is one of more than %d", maxSteps), prepare)
	}
	l := &leaf{text: c.Text, set: slices.Clone(sc.set), own: c.Set, words: c.Words, dir: sc.dir, exports: sc.exports}
	name, _ := c.Words[0].Literal()
	words, plain := literals(c, 1)
	l.build = plain && onlyBuilds(name, words) && !w.whole
	l.either = name == "echo"
	if sc.dir != "" && !l.build {
		l.set = append(l.set, core.Assignment{Name: "PATH", Value: core.Plain(strings.Join([]string{
			path.Dir(guest.Node), path.Join(guest.AppDir, sc.dir, nodeModules, ".bin"), path.Join(guest.AppDir, nodeModules, ".bin"),
		}, ":"))})
	}
	return &tree{leaf: l}, nil
}

// enter changes the folder of a scope.
func (w *walker) enter(sc *scope, c *shell.Call, to string) (dir string, err error) {
	if path.IsAbs(to) {
		var ok bool
		if to, ok = strings.CutPrefix(path.Clean(to)+"/", guest.AppDir+"/"); !ok {
			return "", refused(c.Text, "leaves the folder of the app", "name a folder of the repository")
		}
		dir = path.Clean(to)
	} else {
		dir = path.Join(sc.dir, to)
	}
	if dir == "." || dir == "" {
		return "", nil
	}
	if !fs.ValidPath(dir) {
		return "", refused(c.Text, "leaves the folder of the app", "name a folder of the repository")
	}
	if info, err := fs.Stat(w.packages.repo, dir); (err != nil || !info.IsDir()) && !w.mayMake {
		return "", refused(c.Text, fmt.Sprintf("uses the folder %q, which is not in the repository", shorten(dir)),
			"correct it, commit, and push again")
	}
	return dir, nil
}
