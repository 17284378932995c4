package command

import (
	"slices"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/nodeapp/shell"
)

// tree is a start command whose scripts and tools are followed: a leaf, a pair, or an outcome that is known.
type tree struct {
	leaf   *leaf
	op     shell.Op
	x, y   *tree   // both or none
	known  outcome // if it is neither
	last   bool    // nothing runs after it, as after exec
	ignore bool    // its failure changes nothing (only of what is moved to the build)
}

// outcome is how something ends that is no program.
type outcome int

const (
	succeeds outcome = iota // true
	fails                   // false
	exits                   // exit
)

// leaf is one program with its words.
type leaf struct {
	text  string // as it was written
	set   []core.Assignment
	own   []core.Assignment
	words []core.Word
	dir   string

	exports []string // set, as a shell would be told
	build   bool     // it only prepares, and runs at build time
	either  bool     // it can run then too
}

func (t *tree) constant() bool { return t.leaf == nil && t.x == nil }

func known(o outcome) *tree { return &tree{known: o} }

// pair joins two trees, and leaves out what has no effect.
func pair(op shell.Op, x, y *tree) *tree {
	if x.constant() {
		switch {
		case x.known == exits, op == shell.Or && x.known == succeeds, op == shell.And && x.known == fails:
			return x
		}
		return y
	}
	if op == shell.And && y.constant() && y.known == succeeds {
		return x
	}
	return &tree{op: op, x: x, y: y}
}

// leaves are the programs of a tree, in order.
func (t *tree) leaves() []*leaf {
	switch {
	case t.leaf != nil:
		return []*leaf{t.leaf}
	case t.x != nil:
		return append(t.x.leaves(), t.y.leaves()...)
	}
	return nil
}

// next says for each leaf, in the order of leaves, which leaf follows it.
func (t *tree) next() []core.Next {
	n := len(t.leaves())
	return t.chain(0, core.Next{OK: n, Fail: n}, n)
}

// chain is next for a part of a tree: its first leaf has the index at, and what comes after it is after.
func (t *tree) chain(at int, after core.Next, end int) []core.Next {
	if t.last {
		after = core.Next{OK: end, Fail: end}
	}
	if t.leaf != nil {
		return []core.Next{after}
	}
	if t.x == nil {
		return nil
	}
	y := at + len(t.x.leaves())
	to := core.Next{OK: t.y.entry(y, after, end), Fail: t.y.entry(y, after, end)}
	switch t.op {
	case shell.And:
		to.Fail = after.Fail
	case shell.Or:
		to.OK = after.OK
	}
	return append(t.x.chain(at, to, end), t.y.chain(y, after, end)...)
}

// entry is where a tree begins whose first leaf has the index at.
func (t *tree) entry(at int, after core.Next, end int) int {
	switch {
	case !t.constant():
		return at
	case t.known == succeeds:
		return after.OK
	case t.known == fails:
		return after.Fail
	}
	return end
}

// script is a tree as text for the shell of a build.
func (t *tree) script() string {
	s := t.inner()
	if t.ignore {
		s += " || true"
	}
	return s
}

func (t *tree) inner() string {
	switch {
	case t.leaf != nil:
		return t.leaf.script()
	case t.x != nil:
		return t.x.grouped() + [...]string{"; ", " && ", " || "}[t.op] + t.y.grouped()
	}
	return [...]string{"true", "false", "false"}[t.known]
}

func (t *tree) grouped() string {
	if t.x == nil && !t.ignore {
		return t.inner()
	}
	return "(" + t.script() + ")"
}

func (l *leaf) script() string {
	return In(l.dir, append(slices.Clone(l.exports), l.text)...)
}

// In is a text for a shell in the root that runs commands in a folder, as npm would in its package.
func In(dir string, commands ...string) string {
	if dir != "" {
		commands = append([]string{"cd " + quote(dir), `PATH="$PWD/node_modules/.bin:$PATH"`}, commands...)
	}
	if len(commands) == 1 {
		return commands[0]
	}
	return "(" + strings.Join(commands, " && ") + ")"
}

// quote makes one word of a shell from a text.
func quote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
