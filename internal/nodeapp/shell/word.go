package shell

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/nodeos-dev/gitd/internal/core"
)

// operators are those of POSIX that need no shell.
var operators = map[syntax.ParExpOperator]string{
	syntax.DefaultUnset: "-", syntax.DefaultUnsetOrNull: ":-",
	syntax.AlternateUnset: "+", syntax.AlternateUnsetOrNull: ":+",
	syntax.AssignUnset: "=", syntax.AssignUnsetOrNull: ":=",
	syntax.ErrorUnset: "?", syntax.ErrorUnsetOrNull: ":?",
}

// word reads the parts of a word; quoted says that they are between double quotes.
func word(parts []syntax.WordPart, quoted bool) (core.Word, error) {
	var w core.Word
	for i, p := range parts {
		more, err := part(p, quoted, i == 0)
		if err != nil {
			return nil, err
		}
		w = append(w, more...)
	}
	return joined(w), nil
}

func part(p syntax.WordPart, quoted, first bool) (core.Word, error) {
	switch p := p.(type) {
	case *syntax.Lit:
		return literal(p.Value, quoted, first)
	case *syntax.SglQuoted:
		if p.Dollar {
			return nil, refuse("needs a shell for its $'…'")
		}
		return core.Plain(p.Value), nil
	case *syntax.DblQuoted:
		if p.Dollar {
			return nil, refuse(`needs a shell for its $"…"`)
		}
		w, err := word(p.Parts, true)
		if len(w) == 0 {
			w = core.Plain("")
		}
		return w, err
	case *syntax.ParamExp:
		return variable(p, quoted)
	}
	return nil, refuse("needs a shell for its substitutions")
}

func variable(p *syntax.ParamExp, quoted bool) (core.Word, error) {
	const why = "needs a shell for its variables"
	if p.Param == nil || !core.IsVarName(p.Param.Value) || p.Length || p.Excl || p.Width || p.IsSet || p.Flags != nil ||
		p.NestedParam != nil || p.Index != nil || p.Slice != nil || p.Repl != nil || p.Names != 0 || len(p.Modifiers) > 0 {
		return nil, refuse(why)
	}
	piece := core.Piece{Var: p.Param.Value, Quoted: quoted}
	if p.Exp == nil {
		return core.Word{piece}, nil
	}
	op, ok := operators[p.Exp.Op]
	if !ok {
		return nil, refuse(why)
	}
	piece.Op = op
	if p.Exp.Word == nil {
		return core.Word{piece}, nil
	}
	var err error
	piece.Else, err = word(p.Exp.Word.Parts, quoted)
	return core.Word{piece}, err
}

// literal reads text with its backslashes. first says that it begins a word.
func literal(s string, quoted, first bool) (core.Word, error) {
	var w core.Word
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\' && i+1 < len(s) && (!quoted || strings.IndexByte("$`\"\\\n", s[i+1]) >= 0):
			i++
			if s[i] != '\n' {
				w = append(w, core.Piece{Text: s[i : i+1], Quoted: true})
			}
		case !quoted && (strings.IndexByte("*?[", c) >= 0 || (c == '~' && i == 0 && first)):
			return nil, refuse("needs a shell for its pattern")
		default:
			w = append(w, core.Piece{Text: s[i : i+1], Quoted: quoted})
		}
	}
	return joined(w), nil
}

// joined is w with as few pieces as possible.
func joined(w core.Word) core.Word {
	var all core.Word
	for _, p := range w {
		last := len(all) - 1
		if last >= 0 && p.Var == "" && all[last].Var == "" && p.Quoted == all[last].Quoted {
			all[last].Text += p.Text
			continue
		}
		all = append(all, p)
	}
	return all
}
