package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// This file is the second chance of a test: docs/decisions/0170-unstable-tests.md.

// mostAgain is how many tests of a run may have a second chance. More that fail are no accident.
const mostAgain = 3

// again is the argument that allows it. It is not one of go test.
const again = "-again"

// leaves are the tests that failed by themselves, and not because a part of them did.
func (r *report) leaves() []test {
	return slices.DeleteFunc(slices.Clone(r.failures), func(t test) bool {
		return slices.ContainsFunc(r.failures, func(part test) bool {
			return part.pkg == t.pkg && strings.HasPrefix(part.name, t.name+"/")
		})
	})
}

// retry runs what has failed once more, each test by itself, with the arguments of the run. What passes then has not
// failed, and is named as unstable.
func (r *report) retry(args []string) {
	tests := r.leaves()
	if r.died || len(tests) == 0 || len(tests) > mostAgain {
		return
	}
	for _, t := range tests {
		fmt.Fprintf(r.out, "==> %s %s failed: once more, by itself\n", t.pkg, t.name)
		alone := report{out: r.out, strict: r.strict, root: r.root}
		if err := goTest(byItself(args, t), &alone); err != nil || alone.failed > 0 || alone.passed == 0 {
			return
		}
	}
	r.failed, r.unstable = 0, tests
}

// byItself are the arguments that run t and nothing else.
func byItself(args []string, t test) []string {
	args = slices.DeleteFunc(slices.Clone(args), func(a string) bool { return strings.HasPrefix(a, "./") })
	var names []string
	for name := range strings.SplitSeq(t.name, "/") {
		names = append(names, "^"+regexp.QuoteMeta(name)+"$")
	}
	return append(args, "-count=1", "-run", strings.Join(names, "/"), t.pkg)
}
