package command

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/foreign"
)

// AddAliases gives the commands of root their names in Dokku and Heroku.
func AddAliases(root *cobra.Command) {
	for _, cmd := range root.Commands() {
		cmd.Aliases = foreign.Aliases(cmd.Name())
	}
}

const unknownCommand = "unknown command "

// IsUnknown recognises cobra's own error, which has no type. What was answered
// with the usage already is not answered again.
func IsUnknown(err error) bool {
	_, answered := errors.AsType[*UsageError](err)
	return !answered && strings.HasPrefix(err.Error(), unknownCommand)
}

// Unknown answers a command that does not exist below cmd: with what a user of
// Dokku or Heroku means by it, or with commands that are spelled like it.
func Unknown(cmd *cobra.Command, err error) error {
	root := cmd.Root()
	quoted, _ := strconv.QuotedPrefix(strings.TrimPrefix(err.Error(), unknownCommand))
	word, wrong := strconv.Unquote(quoted)
	switch {
	case wrong != nil: // cobra words its error in another way than it did
		return Misuse(cmd, err)
	case cmd != root: // cobra's words for an argument of a command that takes none
		return Misuse(cmd, fmt.Errorf("%s takes no argument %s", cmd.Name(), quoted))
	}
	if hint := foreign.Hint(word); hint != "" {
		return &UsageError{fmt.Sprintf("there is no %s here\n%s", word, hint)}
	}
	said := unknownCommand + quoted
	if list := similar(root, word); len(list) > 0 {
		said += "\nDid you mean this? " + strings.Join(list, ", ")
	}
	return Misuse(root, errors.New(said))
}

// UnknownFlag adds to pflag's error about a flag that there is not what a user of Dokku or Heroku means by it. pflag's
// words name the flag last, or as 'q' in -q.
func UnknownFlag(err error) error {
	text := err.Error()
	if !strings.HasPrefix(text, "unknown ") {
		return err
	}
	if hint := foreign.FlagHint(text[strings.LastIndexByte(text, ' ')+1:]); hint != "" {
		return fmt.Errorf("%w\n%s", err, hint)
	}
	return err
}

// similar are the commands that are spelled like word. Two letters of a short
// word are most of it: `tags` is not `logs`, and `ls` is not `du`.
func similar(root *cobra.Command, word string) []string {
	root.SuggestionsMinimumDistance = min(len(word)/3, 2)
	list := root.SuggestionsFor(word)
	if family, _, ok := strings.Cut(word, ":"); ok && len(list) == 0 {
		for _, cmd := range root.Commands() {
			if strings.HasPrefix(cmd.Name(), family+":") {
				list = append(list, cmd.Name())
			}
		}
	}
	return list
}
