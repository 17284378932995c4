// Command attacks runs the tests that docs/security.md names in its table of attackers: `go run ./scripts/attacks`.
//
// The page owns the list. A test is named there as PACKAGE.TestName, or PACKAGE.TestScripts/NAME for a script of
// cmd/gitd. Each one must run: that one is skipped, or is not there any more, is a failure.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
)

const page = "docs/security.md"

// named matches a test in the page.
var named = regexp.MustCompile("`((?:cmd|internal)[a-z/-]*)\\.(Test[A-Za-z0-9]+(?:/[a-z_]+)?)`")

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "attacks:", err)
		os.Exit(1)
	}
}

func run() error {
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	packages, tests := listed(string(text))
	if len(packages) == 0 {
		return fmt.Errorf("%s names no test", page)
	}
	for _, p := range packages {
		if err := attack(p, tests[p]); err != nil {
			return err
		}
	}
	return nil
}

// listed returns the packages in the order of the page, and the tests of each, once.
func listed(text string) (packages []string, tests map[string][]string) {
	tests = map[string][]string{}
	for _, m := range named.FindAllStringSubmatch(text, -1) {
		pkg, test := m[1], m[2]
		if !slices.Contains(packages, pkg) {
			packages = append(packages, pkg)
		}
		if !slices.Contains(tests[pkg], test) {
			tests[pkg] = append(tests[pkg], test)
		}
	}
	return packages, tests
}

// attack runs tests of one package, and sees that each has run and passed.
func attack(pkg string, tests []string) error {
	pattern := patternOf(tests)
	fmt.Printf("==> %s: %s\n", pkg, strings.Join(tests, " "))
	out, err := exec.Command("go", "test", "-count=1", "-timeout", "20m", "-v", "-run", pattern, "./"+pkg).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", pkg, err, out)
	}
	for _, test := range tests {
		if !strings.Contains(string(out), "--- PASS: "+test+" (") {
			return fmt.Errorf("%s: %s did not run\n%s", pkg, test, out)
		}
	}
	return nil
}

// patternOf is for go test -run, which takes the levels of a test's name apart at each slash.
func patternOf(tests []string) string {
	var top, below []string
	for _, t := range tests {
		name, sub, _ := strings.Cut(t, "/")
		if !slices.Contains(top, name) {
			top = append(top, name)
		}
		if sub != "" {
			below = append(below, sub)
		}
	}
	pattern := "^(" + strings.Join(top, "|") + ")$"
	if len(below) > 0 {
		pattern += "/^(" + strings.Join(below, "|") + ")$"
	}
	return pattern
}
