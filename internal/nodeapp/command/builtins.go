package command

import (
	"path"
	"slices"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/nodeapp/shell"
)

// follower follows a command of which it knows the first word.
type follower func(w *walker, sc *scope, c *shell.Call) (*tree, error)

// builtins are the words that a shell itself knows, and shells themselves. rewriters are programs that a machine does
// without.
var builtins, rewriters map[string]follower

func init() { // the tables name functions that use the tables
	builtins = map[string]follower{
		"cd": followCd, "export": followExport, "exec": followExec, "exit": followExit,
		"true": constant(succeeds), ":": constant(succeeds), "false": constant(fails),
		"sh": followShell, "bash": followShell, "/bin/sh": followShell, "/bin/bash": followShell,
	}
	for _, name := range []string{"set", "unset", "source", ".", "eval", "trap", "wait", "ulimit", "umask", "read", "alias"} {
		builtins[name] = needsShell
	}
	rewriters = map[string]follower{
		"env": followEnv, "cross-env": followEnv, "cross-env-shell": followEnvShell,
		"dumb-init": followWrapper, "tini": followWrapper,
		"node": followNode, "nodejs": followNode, "nodemon": followNodemon,
		"ts-node-dev": followTsNodeDev, "tsnd": followTsNodeDev,
		"run-s": followRunSequence, "npm-run-all": followRunSequence,
	}
}

func constant(o outcome) follower {
	return func(*walker, *scope, *shell.Call) (*tree, error) { return known(o), nil }
}

func needsShell(_ *walker, _ *scope, c *shell.Call) (*tree, error) {
	return nil, refused(c.Text, "needs a shell", prepare)
}

func followCd(w *walker, sc *scope, c *shell.Call) (*tree, error) {
	words, ok := literals(c, 1)
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	if !ok || len(words) != 1 || words[0] == "-" {
		return nil, refused(c.Text, "needs a shell", prepare)
	}
	dir, err := w.enter(sc, c, words[0])
	sc.dir = dir
	return known(succeeds), err
}

func followExport(w *walker, sc *scope, c *shell.Call) (*tree, error) {
	inner := shell.Call{}
	for i, word := range c.Words[1:] {
		if a, ok := assignment(word); ok {
			inner.Set = append(inner.Set, a)
		} else if name, ok := word.Literal(); !ok || !core.IsVarName(name) {
			return nil, refused(c.Text, "needs a shell for "+shorten(c.Sources[i+1]), prepare)
		}
		w.drop(c.Sources[i+1]) // it is in the commands that follow, and has no effect where there are none
	}
	outer := sc.within(withoutPort(w, &inner))
	sc.set, sc.exports = outer.set, outer.exports
	return known(succeeds), nil
}

// assignment reads a word such as NAME=value, which is one only because of the command before it.
func assignment(word core.Word) (a core.Assignment, ok bool) {
	if len(word) == 0 || word[0].Var != "" {
		return a, false
	}
	name, value, ok := strings.Cut(word[0].Text, "=")
	a.Name = name
	if value != "" || word[0].Quoted {
		a.Value = core.Word{{Text: value, Quoted: true}}
	}
	a.Value = append(a.Value, word[1:]...)
	return a, ok && core.IsVarName(name)
}

func followExec(w *walker, sc *scope, c *shell.Call) (*tree, error) {
	if len(c.Words) == 1 {
		return nil, refused(c.Text, "starts nothing", prepare)
	}
	inner := rest(c, 1)
	inner.Text = strings.TrimSpace(strings.TrimPrefix(inner.Text, "exec "))
	t, err := w.call(sc, inner)
	if err != nil {
		return nil, err
	}
	n := *t
	n.last = true
	return &n, nil
}

// followExit: exit is known to end a start. Its code is that of the command before it, so another one is refused.
func followExit(_ *walker, _ *scope, c *shell.Call) (*tree, error) {
	words, ok := literals(c, 1)
	if !ok || len(words) > 1 || (len(words) == 1 && words[0] != "1") {
		return nil, refused(c.Text, "needs a shell for its exit code", prepare)
	}
	return known(exits), nil
}

// followShell follows the text that is handed to a shell.
func followShell(w *walker, sc *scope, c *shell.Call) (*tree, error) {
	words, ok := literals(c, 1)
	if !ok || len(words) != 2 || !slices.Contains([]string{"-c", "-lc", "-ec"}, words[0]) {
		return nil, refused(c.Text, "needs a shell", prepare)
	}
	inner := sc.within(c)
	return w.text(inner, words[1])
}

// within is the scope of what a command starts with its own variables set.
func (sc *scope) within(c *shell.Call) *scope {
	inner := sc.copy()
	inner.set = append(inner.set, c.Set...)
	for _, a := range c.Set {
		inner.exports = append(inner.exports, "export "+a.Name+"="+source(a.Value))
	}
	return inner
}

// source is a word as a shell would read it.
func source(w core.Word) string {
	var b strings.Builder
	for _, p := range w {
		switch {
		case p.Var == "":
			b.WriteString(quote(p.Text))
		case p.Op == "":
			b.WriteString(`"${` + p.Var + `}"`)
		default:
			b.WriteString("${" + p.Var + p.Op + source(p.Else) + "}")
		}
	}
	return b.String()
}

// followEnv reads the variables that env and cross-env set for a command.
func followEnv(w *walker, sc *scope, c *shell.Call) (*tree, error) {
	inner := *c
	n := 1
	for ; n < len(c.Words); n++ {
		a, ok := assignment(c.Words[n])
		if !ok {
			break
		}
		inner.Set = append(slices.Clone(inner.Set), a)
	}
	if n == len(c.Words) {
		return nil, refused(c.Text, "starts nothing", prepare)
	}
	if strings.HasPrefix(c.Sources[n], "-") {
		return nil, refused(c.Text, "uses "+shorten(c.Sources[n])+" of "+c.Sources[0]+", which NodeOS has not", "leave it out")
	}
	return w.call(sc, rest(&inner, n))
}

// followEnvShell is cross-env for a command line.
func followEnvShell(w *walker, sc *scope, c *shell.Call) (*tree, error) {
	inner := shell.Call{Set: c.Set}
	n := 1
	for ; n < len(c.Words); n++ {
		a, ok := assignment(c.Words[n])
		if !ok {
			break
		}
		inner.Set = append(slices.Clone(inner.Set), a)
	}
	words, ok := literals(c, n)
	if !ok || len(words) == 0 {
		return nil, refused(c.Text, "needs a shell for its words", prepare)
	}
	return w.text(sc.within(withoutPort(w, &inner)), strings.Join(words, " "))
}

// followWrapper leaves out a program that would be process 1.
func followWrapper(w *walker, sc *scope, c *shell.Call) (*tree, error) {
	n := 1
	if n < len(c.Sources) && c.Sources[n] == "--" {
		n++
	}
	if n == len(c.Words) || strings.HasPrefix(c.Sources[n], "-") {
		return nil, refused(c.Text, "starts nothing that is known here", prepare)
	}
	w.warn("%s in the start command is left out: nodeos-init does its work", path.Base(c.Sources[0]))
	return w.call(sc, rest(c, n))
}
