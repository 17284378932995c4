package main

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var typeDocs = flag.Bool("docs", false, "TestDocs types what the documentation has people type")

// TestDocs runs testdata/docs: the lines of the documentation as they are written, in the order of a reader, and what
// they must lead to.
func TestDocs(t *testing.T) {
	if !*typeDocs {
		t.Skip("types every line of the documentation, which takes minutes: make test-docs")
	}
	warm := warmState(t)
	testscript.Run(t, testscript.Params{
		Dir:       "testdata/docs",
		Setup:     func(e *testscript.Env) error { return setupReader(e, warm) },
		Condition: condition,
		Cmds:      scriptCommands,
		// Each line is for itself, and somebody who changes a page wants to know of all.
		ContinueOnError: true,
	})
}

// setupReader gives a script what setup does, and a command `ssh` that knows the reader's key.
func setupReader(e *testscript.Env, warm string) error {
	if err := setup(e, warm); err != nil {
		return err
	}
	text := "#!/bin/sh\nexec /usr/bin/ssh " + sshOptions(e.WorkDir) + ` -i "${KEY:-` + e.WorkDir + `/id}" "$@"` + "\n"
	e.Setenv("GIT_SSH_COMMAND", "ssh")
	return os.WriteFile(filepath.Join(e.WorkDir, "bin", "ssh"), []byte(text), 0o755)
}

// cmdTyped types a line of the documentation into bash: typed LINE [OLD=NEW...]. The host, the ports and the folders of
// the examples become those of the test, as each OLD becomes NEW. `typed -t LINE` goes on with the script meanwhile, as
// `follow` does.
func cmdTyped(ts *testscript.TestScript, neg bool, args []string) {
	follow := len(args) > 0 && args[0] == "-t"
	if follow {
		args = args[1:]
	}
	if len(args) == 0 {
		ts.Fatalf("usage: typed [-t] LINE [OLD=NEW...]")
	}
	var change []string
	for _, own := range args[1:] {
		from, to, ok := strings.Cut(own, "=")
		if !ok {
			ts.Fatalf("%q is not OLD=NEW", own)
		}
		change = append(change, from, to)
	}
	change = append(change, "HOST", "127.0.0.1", "nodeos@localhost", "nodeos@127.0.0.1", "2222", ts.Getenv("SSH_PORT"),
		"localhost:8080", "localhost:"+ts.Getenv("HTTP_PORT"),
		"/srv/", ts.Getenv("WORK")+"/srv/", "/etc/gitd/", ts.Getenv("WORK")+"/etc/", "…", "")
	line := strings.NewReplacer(change...).Replace(args[0])
	if follow {
		cmdFollow(ts, neg, []string{"bash", "-c", "exec " + line})
		return
	}
	err := ts.Exec("bash", "-c", "set -o pipefail\n"+line)
	if (err != nil) != neg {
		ts.Fatalf("%s: %v", line, err)
	}
}

// ofScript finds what a script types.
var ofScript = regexp.MustCompile(`(?m)^(?:\[!?\w+\] )?(?:! )?typed (?:-t )?'((?:[^'\n]|'')+)'`)

// elsewhere are the lines that TestDocs does not type, with the test that does, or the reason why none can. What a line
// begins with is named, up to a star: `make test*`.
var elsewhere = map[string]string{
	// Targets and scripts of this repository: TestTargetsExist.
	"make *":           "CI runs build, check, demo, test, test-faults and test-compat; the others are for people",
	"scripts/setup *":  "make setup, in CI and in TestDocker",
	"scripts/fresh":    "runs CI itself",
	"export GOFLAGS=*": "CONTRIBUTING.md and docs/guest.md: go test itself",
	"GOFLAGS=*":        "docs/guest.md: go test itself",
	"go test *":        "docs/guest.md: go test itself",
	// A fresh server, whose packages and services are the test's own.
	"apt install *":              "TestDeb (make test-deb)",
	"printf *":                   "TestDeb",
	"systemctl restart gitd":     "TestDeb",
	"gitd new hello app; cd app": "TestDeb; without its server: TestScripts/new",
	"bin/gitd serve":             "TestDeb starts the unit; with addresses of its own, every script",
	"ssh -p 2222 claim-XXXX-XXXX-XXXX-XXXX@example.test ada":   "TestDeb",
	"git remote add nodeos ssh://nodeos@example.test:2222/app": "TestDeb",
	"gitd upgrade": "TestUpgrade, from one program to another; TestDeb, from package to package",
	// A libvirt daemon with networks.
	"adduser gitd libvirt": "TestNetwork (make test-host), as root",
	"gitd serve --libvirt qemu:///system --network 10.77.0.0/16": "TestNetwork",
	// A Docker engine.
	"GITD_*": "TestDocker (make test-docker)",
	// Apps that sleep.
	"gitd serve --sleep-after 15m": "TestScripts/sleep, with sleep:set",
	"nodeos sleep:set shop 5m":     "TestScripts/sleep, with 2s",
	"nodeos sleep shop":            "TestScripts/sleep",
	"nodeos wake shop":             "TestScripts/sleep",
	// A terminal.
	"ssh -p 2222 -t nodeos@HOST":                  "TestScripts/overview",
	"ssh -p 2222 -t nodeos@HOST run shop -- node": "TestScripts/run",
	// BIND's, which is not installed; the file has the form that docs/https.md needs, in the script operators.
	"tsig-keygen gitd > /etc/gitd/dns.key": "not run: the program is BIND's",
}

// runElsewhere says who runs a line that TestDocs does not type.
func runElsewhere(line string) (entry string, ok bool) {
	for entry := range elsewhere {
		if head, star := strings.CutSuffix(entry, "*"); line == entry || star && strings.HasPrefix(line, head) {
			return entry, true
		}
	}
	return "", false
}

// TestEveryDocumentedLineIsTyped: a line that the documentation has people type is typed by a script of testdata/docs,
// or elsewhere says who does it.
func TestEveryDocumentedLineIsTyped(t *testing.T) {
	t.Parallel()
	scripts, err := filepath.Glob("testdata/docs/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	tests := testSources(t)
	typed := map[string]string{} // by script
	for _, script := range scripts {
		text, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range ofScript.FindAllStringSubmatch(string(text), -1) {
			typed[strings.ReplaceAll(m[1], "''", "'")] = script
		}
	}
	known, used := map[string]bool{}, map[string]bool{}
	for _, line := range documentedLines(t) {
		known[line.text] = true
		if typed[line.text] != "" {
			continue
		}
		entry, ok := runElsewhere(line.text)
		if !ok {
			t.Errorf("%s\n\tno script types it, and elsewhere does not say who does", line)
		}
		used[entry] = true
	}
	for line, script := range typed {
		if !known[line] {
			t.Errorf("%s types what no page says: %s", script, line)
		}
	}
	for entry, who := range elsewhere {
		if !used[entry] {
			t.Errorf("elsewhere has a line that no page says, or that a script types: %s", entry)
		}
		for _, name := range testName.FindAllString(who, -1) {
			if !strings.Contains(tests, "func "+name+"(") {
				t.Errorf("%s: there is no %s", entry, name)
			}
		}
	}
}

// testName is a test that elsewhere names.
var testName = regexp.MustCompile(`Test[A-Z]\w+`)

// testSources is the text of all tests that elsewhere may name.
func testSources(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, pattern := range []string{"*_test.go", "../../*_test.go"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(text)
		}
	}
	return all.String()
}

// TestTargetsExist: a target of make or a script that a page names is there.
func TestTargetsExist(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	check := func(where string, words []string) {
		switch {
		case words[0] == "make" && len(words) > 1:
			for _, target := range words[1:] {
				if name := regexp.QuoteMeta(target); !strings.Contains(target, "=") &&
					!regexp.MustCompile(`(?m)^([\w-]+ )*`+name+`( [\w-]+)*:`).Match(text) {
					t.Errorf("%s: there is no make %s", where, target)
				}
			}
		case strings.HasPrefix(words[0], "scripts/"):
			if _, err := os.Stat(filepath.Join("..", "..", words[0])); err != nil {
				t.Errorf("%s: %v", where, err)
			}
		}
	}
	for _, line := range documentedLines(t) {
		calls, err := simpleCommands(line.text)
		if err != nil {
			t.Fatal(err)
		}
		for _, words := range calls {
			check(line.String(), words)
		}
	}
	for _, page := range append(pages(t), "CONTRIBUTING.md", "SECURITY.md") {
		for _, m := range span.FindAllStringSubmatch(prose(readPage(t, page)), -1) {
			if calls, err := simpleCommands(m[1]); err == nil && len(calls) > 0 {
				check(page+": "+m[1], calls[0])
			}
		}
	}
}
