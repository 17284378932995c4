// Package foreign knows the commands of Dokku and Heroku, and words of a shell, that people type here by habit.
//
// It owns which of them mean a command of ours, and the hint for those that do not. It does not own our commands.
package foreign

import (
	"iter"
	"slices"
	"strings"
)

// Rewrite puts our words in the place of a foreign command that means the same with other words: `releases:output shop`
// is `logs --build shop`. Other command lines stay as they are.
func Rewrite(args []string) []string {
	if len(args) == 0 {
		return args
	}
	first, rest := args[0], args[1:]
	if family, ok := strings.CutSuffix(first, ":help"); ok {
		return []string{"help", family}
	}
	if first == "help" && len(rest) > 0 {
		if about := Rewrite(rest[:1]); about[0] != "help" {
			return append([]string{"help", about[0]}, rest[1:]...)
		} else if len(about) > 1 {
			return about
		}
	}
	if words := rewrites[first]; words != nil {
		return slices.Concat(words, rest)
	}
	return args
}

// Aliases are the foreign names of a command of ours.
func Aliases(command string) []string { return strings.Fields(aliases[command]) }

// Hint says what to do instead of a foreign command that has no counterpart here, or why there is nothing to do.
// Commands of ours stand in backquotes. Empty: the command is not known.
func Hint(command string) string {
	if hint := exact[command]; hint != "" {
		return hint
	}
	for family := command; family != ""; {
		if hint := families[family]; hint != "" {
			return hint
		}
		cut := strings.LastIndexByte(family, ':')
		family = family[:max(cut, 0)]
	}
	return ""
}

// Hints are all hints.
func Hints() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, h := range slices.Concat(hints, flags) {
			if !yield(h.text) {
				return
			}
		}
	}
}

// exact and families are hints by their commands.
var exact, families = index()

func index() (exact, families map[string]string) {
	exact, families = map[string]string{}, map[string]string{}
	for _, h := range hints {
		for name := range strings.FieldsSeq(h.names) {
			if family, ok := strings.CutSuffix(name, ":"); ok {
				families[family] = h.text
			} else {
				exact[name] = h.text
			}
		}
	}
	return exact, families
}
