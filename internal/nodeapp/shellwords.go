package nodeapp

import (
	"fmt"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/nodeos-dev/gitd/internal/core"
)

// maxCommand bounds a start command, in bytes.
const maxCommand = 8 << 10

// prepare is what to do about a start command that needs a shell.
const prepare = "NodeOS has no shell: do preparations in scripts.build, " +
	"and start with one plain command such as `node server.js`"

// words is one simple command of a shell: VAR=value before it, and its argv.
// Variables in argv are kept, as ${NAME}, for the core to fill in.
type words struct {
	env  map[string]string
	args []string
}

// splitCommand reads a command as a shell would, and refuses what only a
// shell can do.
func splitCommand(text string) (words, error) {
	refuse := func(why string) (words, error) {
		return words{}, core.Reject(fmt.Sprintf("the start command %q %s", shorten(text), why), prepare)
	}
	if len(text) > maxCommand {
		return refuse("is too long")
	}
	file, err := syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).Parse(strings.NewReader(text), "")
	if err != nil {
		return refuse("cannot be read: " + plainError(err))
	}
	if len(file.Stmts) != 1 {
		return refuse("is not one command")
	}
	s := file.Stmts[0]
	call, ok := s.Cmd.(*syntax.CallExpr)
	if !ok || len(s.Redirs) > 0 || s.Background || s.Negated || s.Coprocess {
		return refuse("needs a shell")
	}
	w := words{env: map[string]string{}}
	for _, a := range call.Assigns {
		if err := w.assign(a); err != nil {
			return refuse(err.Error())
		}
	}
	for _, word := range call.Args {
		s, err := renderWord(word)
		if err != nil {
			return refuse(err.Error())
		}
		w.args = append(w.args, s)
	}
	if len(w.args) == 0 {
		return refuse("starts nothing")
	}
	return w, nil
}

func plainError(err error) string {
	_, msg, ok := strings.Cut(err.Error(), ": ")
	if !ok {
		return err.Error()
	}
	return msg
}

func (w words) assign(a *syntax.Assign) error {
	if a.Append || a.Naked || a.Index != nil || a.Array != nil || a.Name == nil {
		return fmt.Errorf("needs a shell for its variables")
	}
	value := ""
	if a.Value != nil {
		var err error
		if value, err = renderWord(a.Value); err != nil {
			return err
		}
	}
	return w.set(a.Name.Value, value)
}

// set notes a variable that the command sets. Its value cannot depend on another variable, because only those in argv
// are filled in.
func (w words) set(name, value string) error {
	if !core.IsVarName(name) {
		return fmt.Errorf("sets %q, which is no variable's name", shorten(name))
	}
	if strings.Contains(value, "${") {
		return fmt.Errorf("sets %s from another variable", shorten(name))
	}
	w.env[name] = value
	return nil
}

func renderWord(w *syntax.Word) (string, error) {
	var b strings.Builder
	for _, part := range w.Parts {
		s, err := renderPart(part, false)
		if err != nil {
			return "", err
		}
		b.WriteString(s)
	}
	return b.String(), nil
}

func renderPart(part syntax.WordPart, quoted bool) (string, error) {
	switch p := part.(type) {
	case *syntax.Lit:
		return unescape(p.Value, quoted)
	case *syntax.SglQuoted:
		return literal(p.Value)
	case *syntax.DblQuoted:
		var b strings.Builder
		for _, inner := range p.Parts {
			s, err := renderPart(inner, true)
			if err != nil {
				return "", err
			}
			b.WriteString(s)
		}
		return b.String(), nil
	case *syntax.ParamExp:
		return variable(p)
	default:
		return "", fmt.Errorf("needs a shell for its substitutions")
	}
}

// variable accepts $NAME and ${NAME}, and refuses what computes a value.
func variable(p *syntax.ParamExp) (string, error) {
	computes := p.Excl || p.Length || p.Width || p.IsSet || p.Index != nil || p.Slice != nil ||
		p.Repl != nil || p.Exp != nil || p.Names != 0 || p.NestedParam != nil || len(p.Modifiers) > 0
	if computes || p.Param == nil || !core.IsVarName(p.Param.Value) {
		return "", fmt.Errorf("needs a shell for its variables; plain $NAME is possible")
	}
	return "${" + p.Param.Value + "}", nil
}

// literal is text that stands for itself. A dollar in it is refused: it would be taken for a variable later.
func literal(s string) (string, error) {
	if strings.ContainsAny(s, "$\x00\n\r") {
		return "", fmt.Errorf("contains a literal dollar sign or a line break")
	}
	return s, nil
}

// unescape removes the backslashes from a command's text.
func unescape(s string, quoted bool) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\' && i+1 < len(s) && (!quoted || strings.IndexByte("$`\"\\\n", s[i+1]) >= 0):
			i++
			if s[i] != '\n' {
				b.WriteByte(s[i])
			}
		case !quoted && (strings.IndexByte("*?[", c) >= 0 || (c == '~' && i == 0)):
			return "", fmt.Errorf("needs a shell for its pattern")
		default:
			b.WriteByte(c)
		}
	}
	return literal(b.String())
}
