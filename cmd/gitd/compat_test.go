package main

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/units"
)

// compat says which applications TestCompat pushes.
var compat = flag.String("compat", "", "applications that TestCompat pushes: all, some, or names with commas; empty: none")

// compatWrite is set by make compat.
var compatWrite = flag.Bool("write", false, "TestCompat writes docs/compatibility.md")

// TestCompat pushes applications as their authors made them: what a generator writes, what a package's manual says
// to type. Nothing is added by hand. Each must build, boot and answer. With -write, the results are put into
// docs/compatibility.json, and docs/compatibility.md is made from it.
func TestCompat(t *testing.T) {
	if *compat == "" {
		t.Skip("pushes fifty applications: make compat, or make test-compat for some of them")
	}
	r := newRig(t, filepath.Join(bin, "gitd"), "", "--build-timeout", "10m", "--keep", "1")
	makers := newCompatMaker(t, r)
	r.serve()
	r.admit()
	t.Run("apps", func(t *testing.T) {
		for _, app := range compatChosen(t) {
			t.Run(app.name, func(t *testing.T) {
				if !*compatWrite { // which measures
					t.Parallel()
				}
				runCompat(t, r, makers, app)
			})
		}
	})
	r.halt()
}

// runCompat wants an application live, or, with a reason of its own, not.
func runCompat(t *testing.T, r *rig, m compatMaker, app compatApp) {
	res := pushCompat(t, r, m, app)
	if res.Failed != app.lacks {
		t.Errorf("%s\n%s", cmp.Or(res.Failed, "it is live; the list says: "+app.lacks), res.out)
	}
	if *compatWrite {
		keepCompat(t, res)
	}
}

// compatChosen returns the applications that the flag names.
func compatChosen(t *testing.T) []compatApp {
	t.Helper()
	switch *compat {
	case "all":
		return compatApps
	case "some":
		return compatNamed(t, compatSome)
	}
	return compatNamed(t, strings.Split(*compat, ","))
}

// compatNamed returns the applications of the list with these names.
func compatNamed(t *testing.T, names []string) []compatApp {
	t.Helper()
	var chosen []compatApp
	for _, name := range names {
		i := slices.IndexFunc(compatApps, func(a compatApp) bool { return a.name == name })
		if i < 0 {
			t.Fatalf("there is no application %q in the list", name)
		}
		chosen = append(chosen, compatApps[i])
	}
	return chosen
}

// compatResult is what became of one application.
type compatResult struct {
	Name   string      `json:"name"`
	Made   string      `json:"made"`
	Failed string      `json:"failed,omitempty"` // absent: it is live, and has answered
	Deps   string      `json:"deps"`             // size of the layer
	App    string      `json:"app"`              // size of the app's own layer
	Memory string      `json:"memory"`           // that the machine has
	Used   string      `json:"used,omitempty"`   // of it, after the answer
	Node   string      `json:"node,omitempty"`
	Kernel string      `json:"kernel,omitempty"`
	Steps  []core.Step `json:"steps,omitempty"`

	out string // what the pusher saw
}

var (
	rejectLine = regexp.MustCompile(`remote rejected\] \S+ -> \S+ \((.*)\)`)
	sizeLine   = regexp.MustCompile(`(?:no deps|deps ([0-9.]+ \w+)[^,]*), app ([0-9.]+ \w+)`)
	kernelLine = regexp.MustCompile(`(Linux \S+): host `)
	bootLine   = regexp.MustCompile(`Booting v\d+: ([0-9.]+ \w+)`)
)

// pushCompat makes a repository of an application, pushes it, asks it for its page, and destroys it.
func pushCompat(t *testing.T, r *rig, m compatMaker, app compatApp) compatResult {
	res := compatResult{Name: app.name, Made: app.made, Deps: "-", App: "-", Memory: "-"}
	dir, err := m.make(t, app)
	if err != nil {
		t.Fatalf("make the repository: %v", err)
	}
	name := "c-" + app.name
	r.repo(name, dir)
	p := r.push(name, "main")
	<-p.done
	res.out = p.out.String()
	if found := sizeLine.FindStringSubmatch(res.out); found != nil {
		res.Deps, res.App = cmp.Or(found[1], "-"), found[2]
	}
	if all := bootLine.FindAllStringSubmatch(res.out, -1); all != nil {
		res.Memory = all[len(all)-1][1]
	}
	if found := kernelLine.FindStringSubmatch(res.out); found != nil {
		res.Kernel = found[1]
	}
	if p.err != nil {
		res.Failed = "rejected"
		if found := rejectLine.FindStringSubmatch(res.out); found != nil {
			res.Failed = found[1]
		}
		return res
	}
	defer r.gitd("apps:destroy", name, "--confirm", name)
	var rows []struct {
		Node  string      `json:"node"`
		Steps []core.Step `json:"steps"`
	}
	if err := json.Unmarshal([]byte(r.gitd("releases", name, "--json")), &rows); err != nil || len(rows) == 0 {
		t.Fatalf("releases: %v", err)
	}
	res.Node, res.Steps = rows[0].Node, rows[0].Steps
	if res.Failed = askCompat(r, name, app); res.Failed == "" && *compatWrite {
		res.Used = usedCompat(t, r, name)
	}
	return res
}

// usedCompat is the memory that a machine uses after its app has answered: what the next report of its init says, which
// comes every ten seconds. It asks once a second, since a question costs what is measured next.
func usedCompat(t *testing.T, r *rig, name string) string {
	t.Helper()
	first := -1.0 // uptime in the report that was there before
	limit := time.After(time.Minute)
	for ask := time.Tick(time.Second); ; {
		var row struct {
			Use struct {
				Used   int64   `json:"memory_used"`
				Uptime float64 `json:"uptime_seconds"` // 0: no report has come
			} `json:"use"`
		}
		if err := json.Unmarshal([]byte(r.gitd("ps", name, "--json")), &row); err != nil {
			t.Fatal(err)
		}
		if first < 0 {
			first = row.Use.Uptime
		}
		if row.Use.Uptime > first {
			return units.Bytes(row.Use.Used)
		}
		select {
		case <-ask:
		case <-limit:
			t.Fatal("no report of the machine for a minute")
		}
	}
}

// askCompat asks an application for its page, and says what was wrong with the answer.
func askCompat(r *rig, name string, app compatApp) (failed string) {
	req, err := r.request(http.MethodGet, name, app.get, nil)
	if err != nil {
		return err.Error()
	}
	req.Header.Set("Accept", "text/html,*/*")
	client := r.client(false)
	client.Timeout = time.Minute
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	answer, err := client.Do(req)
	if err != nil {
		return err.Error()
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 4<<20))
	if err != nil {
		return err.Error()
	}
	text := answer.Header.Get("Location") + "\n" + string(body)
	if !strings.Contains(text, app.want) {
		return fmt.Sprintf("GET %s: %d, without %q: %.300s", app.get, answer.StatusCode, app.want, text)
	}
	return ""
}
