package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const compatIntro = `# Applications that were pushed as they are

` + "`make compat`" + ` makes the repositories below with pinned generators and packages, pushes each of them to a gitd with its
default settings, and asks the running machine for a page. Nothing is added by hand: an application either needs no
change, or stands under "Not live". There is no lockfile unless the generator writes one. "app" is a package.json with
these dependencies and this start script, and the first program of the package's manual; "files" are a whole repository,
of ` + "`cmd/gitd/testdata/compat`" + ` or of one page. The times are those of a first push, without any cache for the app,
on a host with two cores and no KVM, which emulates the machine, and had much other work as well. The sizes are those of
the compressed layers. The memory is what the machine uses after its answer, of what it has. The list is in
` + "`cmd/gitd/compat_apps_test.go`" + `.

`

var compatDocs = filepath.Join("..", "..", "docs")

// readCompat returns what docs/compatibility.json has.
func readCompat(t *testing.T) map[string]compatResult {
	t.Helper()
	all := map[string]compatResult{}
	text, err := os.ReadFile(filepath.Join(compatDocs, "compatibility.json"))
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return all
}

// TestCompatPage: docs/compatibility.md is what was measured, has every application of the list, and keeps gitd's
// promise of 48 in 50.
func TestCompatPage(t *testing.T) {
	all := readCompat(t)
	page, err := os.ReadFile(filepath.Join(compatDocs, "compatibility.md"))
	if err != nil {
		t.Fatal(err)
	}
	if string(page) != compatPage(all) {
		t.Error("docs/compatibility.md is not what docs/compatibility.json gives: make compat APPS=html writes it")
	}
	live := 0
	for _, app := range compatApps {
		res, ok := all[app.name]
		if !ok || res.Made != app.made || res.Failed != app.lacks {
			t.Errorf("%s: measured (%t) as %q, by %q; the list says %q, by %q: make compat APPS=%s", app.name, ok, res.Failed, res.Made,
				app.lacks, app.made, app.name)
		}
		if ok && res.Failed == "" {
			live++
		}
	}
	if some := compatNamed(t, compatSome); len(some) != 8 {
		t.Errorf("the bounded run has %d applications, not 8", len(some))
	}
	const run, atLeast = 50, 48
	if len(compatApps) < run || live*run < len(compatApps)*atLeast {
		t.Errorf("%d of %d are live, which is less than %d of %d", live, len(compatApps), atLeast, run)
	}
}

// keepCompat puts a result into docs/compatibility.json, and makes the page anew.
func keepCompat(t *testing.T, res compatResult) {
	t.Helper()
	all := readCompat(t)
	all[res.Name] = res
	maps.DeleteFunc(all, func(name string, _ compatResult) bool {
		return !slices.ContainsFunc(compatApps, func(a compatApp) bool { return a.name == name })
	})
	text, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"compatibility.json": string(text) + "\n", "compatibility.md": compatPage(all)} {
		if err := os.WriteFile(filepath.Join(compatDocs, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// compatPage is docs/compatibility.md: the applications of the list, in its order.
func compatPage(results map[string]compatResult) string {
	var live, not []compatResult
	for _, app := range compatApps {
		if r, ok := results[app.name]; ok && r.Failed == "" {
			live = append(live, r)
		} else if ok {
			not = append(not, r)
		}
	}
	var b strings.Builder
	b.WriteString(compatIntro)
	fmt.Fprintf(&b, "**%d of %d** are live without a change, on %s.\n\n", len(live), len(live)+len(not), basesOf(live))
	b.WriteString("| application | made with | install | build and pack | boot to first answer | `node_modules` | app | memory |\n|---|---|---|---|---|---|---|---|\n")
	for _, r := range live {
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s | %s | %s | %s | %s |\n", r.Name, escaped(r.Made),
			r.time("plan", "base", "export", "deps"), r.time("build", "pack"), r.time("boot", "health"), r.Deps, r.App, r.memory())
	}
	if len(not) > 0 {
		b.WriteString("\n## Not live\n\n| application | made with | what git shows |\n|---|---|---|\n")
	}
	for _, r := range not {
		fmt.Fprintf(&b, "| %s | `%s` | %s |\n", r.Name, escaped(r.Made), escaped(r.Failed))
	}
	return b.String()
}

// memory is what the machine uses of what it has.
func (r compatResult) memory() string {
	if r.Used == "" {
		return r.Memory
	}
	return r.Used + " of " + r.Memory
}

// basesOf names what the machines ran: the kernel, which is the minimal one if it is nodeos's, and Node.
func basesOf(live []compatResult) string {
	var all []string
	for _, r := range live {
		if base := r.Kernel + " with Node " + r.Node; r.Kernel != "" && !slices.Contains(all, base) {
			all = append(all, base)
		}
	}
	slices.Sort(all)
	return strings.Join(all, " and ")
}

// escaped makes a text fit into a table of Markdown.
func escaped(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

// time sums up steps of a deployment.
func (r compatResult) time(names ...string) string {
	var sum time.Duration
	for _, s := range r.Steps {
		for _, name := range names {
			if s.Name == name {
				sum += s.Took
			}
		}
	}
	return sum.Round(100 * time.Millisecond).String()
}
