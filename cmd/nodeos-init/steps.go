package main

import (
	"slices"
	"strings"

	"github.com/nodeos-dev/gitd/internal/guest"
)

// stepsOf returns what a start message says to run.
func stepsOf(m *guest.Start) []guest.Step {
	if len(m.Steps) > 0 {
		return m.Steps
	}
	return []guest.Step{{Args: m.Args, OK: 1, Fail: 1}}
}

// next returns the index of the step that follows the one at index at; -1: the app has ended. Steps only go forward, so
// that no message makes init run in a circle.
func next(steps []guest.Step, at int, ok bool) int {
	to := steps[at].Fail
	if ok {
		to = steps[at].OK
	}
	if to <= at || to >= len(steps) {
		return -1
	}
	return to
}

// echo returns what a step says that is no program: there is none of this name in a machine, and many a start script
// says something with it.
func echo(step guest.Step) (text string, ok bool) {
	if len(step.Args) == 0 || step.Args[0] != "echo" {
		return "", false
	}
	return strings.Join(step.Args[1:], " "), true
}

// overlay returns env with the variables of more, which may be there already.
func overlay(env, more []string) []string {
	if len(more) == 0 {
		return env
	}
	env = slices.DeleteFunc(slices.Clone(env), func(e string) bool {
		name, _, _ := strings.Cut(e, "=")
		return slices.ContainsFunc(more, func(m string) bool { return strings.HasPrefix(m, name+"=") })
	})
	return append(env, more...)
}
