package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// runEnv is env(1), as far as the first line of a script needs it: it sets variables and becomes the program that it
// finds in PATH. It returns only if that fails, with the exit code.
func runEnv(words []string) int {
	args, vars, err := parseEnv(words, os.Environ())
	if err == nil {
		err = become(args, vars)
	}
	fmt.Fprintln(os.Stderr, "env:", err)
	return 127
}

// become replaces this process by the program args.
func become(args, vars []string) error {
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	path, err := lookPath(args[0], vars, dir)
	if err != nil {
		return fmt.Errorf("%w; a NodeOS machine has no programs but node and those of the app's packages", err)
	}
	return fmt.Errorf("%s: %w", path, unix.Exec(path, args, vars))
}

// parseEnv reads the words of an env: "-S WORDS", "-i", NAME=VALUE, and then the program and what belongs to it.
func parseEnv(words, environ []string) (args, vars []string, err error) {
	vars = slices.Clone(environ)
	for len(words) > 0 {
		w := words[0]
		words = words[1:]
		split, isSplit := splitOption(w)
		switch {
		case w == "-S" || w == "--split-string":
			if len(words) == 0 {
				return nil, nil, fmt.Errorf("%s: there are no words to split", w)
			}
			words = append(strings.Fields(words[0]), words[1:]...)
		case isSplit:
			words = append(strings.Fields(split), words...)
		case w == "-i" || w == "-" || w == "--ignore-environment":
			vars = nil
		case w == "--":
		case strings.HasPrefix(w, "-"):
			return nil, nil, fmt.Errorf("%s: not known here; -S, -i and NAME=VALUE are", w)
		case strings.Contains(w, "="):
			vars = setVar(vars, w)
		default:
			return append([]string{w}, words...), vars, nil
		}
	}
	return nil, nil, fmt.Errorf("no program to start")
}

// splitOption is what is to be split of "-SWORDS" or "--split-string=WORDS". The kernel passes all that follows the
// interpreter in a script's first line as one word, so "-S node --flag" is one too.
func splitOption(w string) (words string, ok bool) {
	if words, ok = strings.CutPrefix(w, "--split-string="); ok {
		return words, true
	}
	words, ok = strings.CutPrefix(w, "-S")
	return words, ok && words != ""
}

// setVar sets the variable of assignment, "NAME=VALUE".
func setVar(vars []string, assignment string) []string {
	name, _, _ := strings.Cut(assignment, "=")
	vars = slices.DeleteFunc(vars, func(v string) bool { return strings.HasPrefix(v, name+"=") })
	return append(vars, assignment)
}
