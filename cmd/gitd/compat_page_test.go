package main

import (
	"fmt"
	"strings"
	"time"
)

const compatIntro = `# Applications that were pushed as they are

` + "`make compat`" + ` makes the repositories below with pinned generators and packages, pushes each of them to a gitd with its
default settings, and asks the running machine for a page. Nothing is added by hand, and there is no lockfile unless the
generator writes one. The times are those of a first push, without any cache for the app, on a host with %s.

`

// compatPage is docs/compatibility.md.
func compatPage(results []compatResult) string {
	var b strings.Builder
	fmt.Fprintf(&b, compatIntro, "two cores and no KVM, which emulates the machine")
	live := 0
	for _, r := range results {
		if r.failed == "" {
			live++
		}
	}
	fmt.Fprintf(&b, "**%d of %d** are live without a change.\n\n", live, len(results))
	b.WriteString("| application | made with | install | build and pack | boot to first answer | `node_modules` | app | memory |\n|---|---|---|---|---|---|---|---|\n")
	for _, r := range results {
		if r.failed != "" {
			continue
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s | %s | %s | %s | %s |\n", r.app.name, r.app.made,
			r.time("plan", "base", "export", "deps"), r.time("build", "prune", "pack"), r.time("boot", "health"), r.deps, r.code, r.memory)
	}
	if live < len(results) {
		b.WriteString("\n## Not live\n\n| application | made with | what git shows |\n|---|---|---|\n")
		for _, r := range results {
			if r.failed != "" {
				fmt.Fprintf(&b, "| %s | `%s` | %s |\n", r.app.name, r.app.made, strings.ReplaceAll(r.failed, "|", `\|`))
			}
		}
	}
	return b.String()
}

// time sums up steps of a deployment.
func (r compatResult) time(names ...string) string {
	var sum time.Duration
	for _, s := range r.steps {
		for _, name := range names {
			if s.Name == name {
				sum += s.Took
			}
		}
	}
	return sum.Round(100 * time.Millisecond).String()
}
