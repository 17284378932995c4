package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const compatIntro = `# Applications that were pushed as they are

` + "`make compat`" + ` makes the repositories below with pinned generators and packages, pushes each of them to a gitd with its
default settings, and asks the running machine for a page. Nothing is added by hand. There is no lockfile unless the
generator writes one. "app" is a package.json with these dependencies and this start script, and the first program of
the package's manual. The times are those of a first push, without any cache for the app, on a host with two cores and
no KVM, which emulates the machine, and had other work as well; the sizes are those of the compressed layers. The list
is in ` + "`cmd/gitd/compat_apps_test.go`" + `; an application of it that does not stand here has not been run yet.

`

// keepCompat puts a result into docs/compatibility.json, and makes the page anew.
func keepCompat(t *testing.T, res compatResult) {
	t.Helper()
	docs := filepath.Join("..", "..", "docs")
	all := map[string]compatResult{}
	text, err := os.ReadFile(filepath.Join(docs, "compatibility.json"))
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	all[res.Name] = res
	if text, err = json.MarshalIndent(all, "", " "); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"compatibility.json": string(text) + "\n", "compatibility.md": compatPage(all)} {
		if err := os.WriteFile(filepath.Join(docs, name), []byte(text), 0o644); err != nil {
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
	fmt.Fprintf(&b, "**%d of %d** are live without a change.\n\n", len(live), len(live)+len(not))
	b.WriteString("| application | made with | install | build and pack | boot to first answer | `node_modules` | app | memory |\n|---|---|---|---|---|---|---|---|\n")
	for _, r := range live {
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s | %s | %s | %s | %s |\n", r.Name, escaped(r.Made),
			r.time("plan", "base", "export", "deps"), r.time("build", "pack"), r.time("boot", "health"), r.Deps, r.App, r.Memory)
	}
	if len(not) > 0 {
		b.WriteString("\n## Not live\n\n| application | made with | what git shows |\n|---|---|---|\n")
	}
	for _, r := range not {
		fmt.Fprintf(&b, "| %s | `%s` | %s |\n", r.Name, escaped(r.Made), escaped(r.Failed))
	}
	return b.String()
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
