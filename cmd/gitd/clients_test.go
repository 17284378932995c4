package main

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	withClients = flag.Bool("clients", false, "fetch the clients of TestClients and run them")
	updatePage  = flag.Bool("update", false, "TestClients writes docs/clients.md")
)

const clientsPage = "../../docs/clients.md"

// TestClients asks every client for the same things at one gitd and compares the answers with docs/clients.md: make
// test-clients.
func TestClients(t *testing.T) {
	if !*withClients {
		t.Skip("fetches clients: make test-clients runs it")
	}
	r := newRig(t, filepath.Join(bin, "gitd"), "")
	r.serve()
	r.admit()
	gogit := filepath.Join(t.TempDir(), "gogit")
	build := exec.Command("go", "build", "-o", gogit, "./testdata/clients/gogit")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // it runs in any Debian
	r.must(build)
	rows := make([]*row, len(clients))
	t.Run("client", func(t *testing.T) {
		for n, c := range clients {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				v := newVisit(t, r, n, c, gogit)
				v.run()
				version, err := v.enter(c.version)
				if err != nil {
					t.Errorf("%s: %v\n%s", c.version, err, version)
				}
				rows[n] = &row{c, firstVersion(version), v.cells, v.notes}
				if c.lines["push"] != "" {
					r.gitd("apps:destroy", v.app, "--confirm", v.app) // its machine makes room
				}
			})
		}
	})
	r.halt()
	if !t.Failed() {
		comparePage(t, page(rows))
	}
}

func firstVersion(text string) string { return regexp.MustCompile(`\d+\.\d+(\.\d+)?`).FindString(text) }

func comparePage(t *testing.T, text string) {
	t.Helper()
	if *updatePage {
		if err := os.WriteFile(clientsPage, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	old, err := os.ReadFile(clientsPage)
	if err != nil {
		t.Fatal(err)
	}
	if lasting(string(old)) == lasting(text) {
		return
	}
	fresh := filepath.Join(t.TempDir(), "clients.md")
	if err := os.WriteFile(fresh, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	diff, _ := exec.Command("git", "diff", "--no-index", "--", clientsPage, fresh).Output()
	t.Errorf("docs/clients.md differs from what the clients did; if that is right: make test-clients UPDATE=1\n%s", diff)
}

// lasting leaves out what a newer version may change without a fault, since Debian's suites go on: the column of
// versions, and the very words of a client.
func lasting(page string) string {
	page = regexp.MustCompile(`(?m)^(\| [^|]+ \|) [0-9.]+ \|`).ReplaceAllString(strings.TrimSpace(page), "$1 |")
	before, notes, _ := strings.Cut(page, "\n## Notes\n")
	_, after, _ := strings.Cut(notes, "\n## What to type\n")
	return before + after
}

// TestLasting: a page differs by what a client does, and not by its version or its words.
func TestLasting(t *testing.T) {
	page := func(version, cell, said string) string {
		return "| client | version | push |\n|---|---|---|\n| git | " + version + " | " + cell + " |\n\n## Notes\n\n1. git, push: `" + said + "`.\n\n## What to type\n\nLines.\n"
	}
	old := lasting(page("2.39.5", "yes", "a"))
	if got := lasting(page("2.55.1", "yes", "b")); got != old {
		t.Errorf("%q differs from %q", got, old)
	}
	if lasting(page("2.39.5", "no", "a")) == old {
		t.Error("another cell makes no difference")
	}
}
