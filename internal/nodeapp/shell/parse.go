package shell

import (
	"fmt"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/nodeos-dev/gitd/internal/core"
)

// maxText bounds a command line, in bytes.
const maxText = 8 << 10

// Op joins two commands.
type Op int

// The operators that need no shell.
const (
	Then Op = iota // ; or a new line
	And            // &&
	Or             // ||
)

// Node is a part of a command line: a *Call, *Pair or *Group.
type Node interface{ node() }

// Call is one simple command.
type Call struct {
	Text    string // as it was written
	Set     []core.Assignment
	Words   []core.Word
	Sources []string // of Words, as they were written
}

// Pair is two commands, the second of which runs after the first.
type Pair struct {
	Op   Op
	X, Y Node
}

// Group is what stands in parentheses: what it changes in the shell, nothing outside sees.
type Group struct{ X Node }

func (*Call) node()  {}
func (*Pair) node()  {}
func (*Group) node() {}

// Refusal says why a command line cannot be run without a shell.
type Refusal struct {
	Why  string // what it does, to go after its text: "needs a shell for …"
	Hint string // what to do about it; "": nothing special

	Unreadable bool // a shell could not run it either
}

func (r *Refusal) Error() string { return r.Why }

func refuse(why string) error { return &Refusal{Why: why} }

func unreadable(why string) error { return &Refusal{Why: why, Unreadable: true} }

// Parse reads a command line. notes say what of it has no effect in a machine. An error is a *Refusal.
func Parse(text string) (n Node, notes []string, err error) {
	if len(text) > maxText {
		return nil, nil, unreadable("is too long")
	}
	if strings.ContainsRune(text, 0) {
		return nil, nil, unreadable("cannot be read: it has a NUL byte")
	}
	file, err := syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).Parse(strings.NewReader(text), "")
	if err != nil {
		return nil, nil, unreadable("cannot be read: " + plainError(err))
	}
	r := reader{text: text}
	n, err = r.list(file.Stmts)
	return n, r.notes, err
}

func plainError(err error) string {
	_, msg, ok := strings.Cut(err.Error(), ": ")
	if !ok {
		return err.Error()
	}
	return msg
}

type reader struct {
	text  string
	notes []string
}

// source is what stands in the text for a node.
func (r *reader) source(n syntax.Node) string { return r.text[n.Pos().Offset():n.End().Offset()] }

func (r *reader) list(all []*syntax.Stmt) (Node, error) {
	var n Node
	for _, s := range all {
		y, err := r.stmt(s)
		switch {
		case err != nil:
			return nil, err
		case n == nil:
			n = y
		default:
			n = &Pair{Then, n, y}
		}
	}
	if n == nil {
		return nil, refuse("starts nothing")
	}
	return n, nil
}

func (r *reader) stmt(s *syntax.Stmt) (Node, error) {
	switch {
	case s.Background || s.Coprocess:
		return nil, &Refusal{Why: "needs a shell for its &", Hint: "start one program, which starts what else it needs, or make two apps"}
	case s.Negated:
		return nil, refuse("needs a shell for its !")
	}
	for _, d := range s.Redirs {
		if r.source(d) != "2>&1" {
			return nil, &Refusal{Why: "needs a shell for its redirection", Hint: "leave it out: what the app prints is in its log, `logs`"}
		}
		r.notes = append(r.notes, "2>&1 in the start command has no effect: an app's log has both of its outputs")
	}
	switch c := s.Cmd.(type) {
	case *syntax.CallExpr:
		return r.call(c)
	case *syntax.BinaryCmd:
		return r.pair(c)
	case *syntax.Subshell:
		n, err := r.list(c.Stmts)
		return &Group{n}, err
	}
	return nil, refuse("needs a shell")
}

func (r *reader) pair(c *syntax.BinaryCmd) (Node, error) {
	op := And
	switch c.Op {
	case syntax.AndStmt:
	case syntax.OrStmt:
		op = Or
	default:
		return nil, &Refusal{Why: "needs a shell for its pipe", Hint: "let the app itself print what its log is to show"}
	}
	x, err := r.stmt(c.X)
	if err != nil {
		return nil, err
	}
	y, err := r.stmt(c.Y)
	return &Pair{op, x, y}, err
}

func (r *reader) call(c *syntax.CallExpr) (Node, error) {
	n := &Call{Text: r.source(c)}
	for _, a := range c.Assigns {
		x, err := r.assign(a)
		if err != nil {
			return nil, err
		}
		n.Set = append(n.Set, x)
	}
	for _, w := range c.Args {
		x, err := word(w.Parts, false)
		if err != nil {
			return nil, err
		}
		n.Words, n.Sources = append(n.Words, x), append(n.Sources, r.source(w))
	}
	return n, nil
}

func (r *reader) assign(a *syntax.Assign) (core.Assignment, error) {
	if a.Append || a.Naked || a.Index != nil || a.Array != nil || a.Name == nil || !core.IsVarName(a.Name.Value) {
		return core.Assignment{}, refuse("needs a shell for its variables")
	}
	if a.Value == nil {
		return core.Assignment{Name: a.Name.Value}, nil
	}
	value, err := word(a.Value.Parts, false)
	return core.Assignment{Name: a.Name.Value, Value: value}, err
}

// String is a node as a shell would read it.
func String(n Node) string {
	switch n := n.(type) {
	case *Call:
		return n.Text
	case *Group:
		return "(" + String(n.X) + ")"
	case *Pair:
		return fmt.Sprintf("%s %s %s", String(n.X), [...]string{";", "&&", "||"}[n.Op], String(n.Y))
	}
	return ""
}
