package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// TestPushTime measures where the time of code-only pushes goes, step by step as gitd stores it, for the starter apps
// in turn: the table of README.md. make measure RUN=TestPushTime runs it. It fails if a push installs dependencies that
// did not change.
func TestPushTime(t *testing.T) {
	r := measuredRig(t)
	apps := []string{"hello", "express"}
	times := map[string]map[string][]time.Duration{} // by step and app
	for _, app := range apps {
		r.repo(app, filepath.Join("..", "..", "templates", "apps", app))
		pushed(t, r, app)
	}
	var order []string
	for n := range 9 {
		for _, app := range apps {
			for _, step := range r.codeOnly(app, n) {
				if times[step.Name] == nil {
					times[step.Name] = map[string][]time.Duration{}
					order = append(order, step.Name)
				}
				times[step.Name][app] = append(times[step.Name][app], step.Took)
			}
		}
	}
	var table strings.Builder
	for _, step := range order {
		fmt.Fprintf(&table, "\n| %s | %s | %s |", step, spread(times[step]["hello"]), spread(times[step]["express"]))
	}
	t.Logf("\n| step | hello | express |\n|---|---|---|%s", table.String())
	r.halt()
}

// codeOnly pushes a change that leaves the dependencies alone. It returns the steps of the push, and the time of the
// whole push as a last step.
func (r *rig) codeOnly(app string, n int) []core.Step {
	r.t.Helper()
	r.edit(app, fmt.Sprint("change ", n), map[string]string{"change.txt": fmt.Sprint(n)})
	_, took := pushed(r.t, r, app)
	var list []struct{ Steps []core.Step }
	if err := json.Unmarshal([]byte(r.gitd("releases", app, "--json")), &list); err != nil {
		r.t.Fatal(err)
	}
	if log := r.gitd("logs", app, "--build"); strings.Contains(log, "Installing") && !strings.Contains(log, "using cached dependencies") {
		r.t.Fatalf("a change of code installed dependencies:\n%s", log)
	}
	return append(list[0].Steps, core.Step{Name: "whole", Took: took})
}
