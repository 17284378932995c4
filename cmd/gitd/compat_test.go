package main

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// compat says which applications TestCompat pushes.
var compat = flag.String("compat", "", "applications that TestCompat pushes: all, some, or names with commas; empty: none")

// TestCompat pushes applications as their authors made them: what a generator writes, what a package's own repository
// is, what its manual says to type. Nothing is added by hand. Each must build, boot and answer. With -compat all, the
// results are written to docs/compatibility.md.
func TestCompat(t *testing.T) {
	if *compat == "" {
		t.Skip("pushes fifty applications: make compat, or make test-compat for some of them")
	}
	r := newRig(t, filepath.Join(bin, "gitd"), "", "--build-timeout", "10m", "--keep", "1")
	makers := newCompatMaker(t, r)
	r.serve()
	r.admit()
	var results []compatResult
	for _, app := range compatChosen(t) {
		t.Run(app.name, func(t *testing.T) {
			res := pushCompat(t, r, makers, app)
			results = append(results, res)
			if res.failed != "" && !app.fails {
				t.Errorf("%s\n%s", res.failed, res.out)
			}
		})
	}
	if *compat == "all" {
		page := compatPage(results)
		if err := os.WriteFile(filepath.Join("..", "..", "docs", "compatibility.md"), []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r.halt()
}

// compatChosen returns the applications that the flag names.
func compatChosen(t *testing.T) []compatApp {
	t.Helper()
	switch *compat {
	case "all":
		return compatApps
	case "some":
		return slices.DeleteFunc(slices.Clone(compatApps), func(a compatApp) bool { return !a.some })
	}
	var chosen []compatApp
	for name := range strings.SplitSeq(*compat, ",") {
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
	app      compatApp
	failed   string // empty: it is live, and has answered
	deps     string // size of the layer
	code     string // size of the app's own layer
	memory   string
	node     string
	steps    []core.Step
	answered int
	out      string // what the pusher saw
}

var (
	rejectLine = regexp.MustCompile(`remote rejected\] \S+ -> \S+ \((.*)\)`)
	sizeLine   = regexp.MustCompile(`(?:no deps|deps ([0-9.]+ \w+)[^,]*), app ([0-9.]+ \w+)`)
	bootLine   = regexp.MustCompile(`Booting v\d+: ([0-9.]+ \w+),`)
)

// pushCompat makes a repository of an application, pushes it, asks it for its page, and destroys it.
func pushCompat(t *testing.T, r *rig, m compatMaker, app compatApp) compatResult {
	res := compatResult{app: app, deps: "-", code: "-", memory: "-"}
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
		res.deps, res.code = cmp.Or(found[1], "-"), found[2]
	}
	if all := bootLine.FindAllStringSubmatch(res.out, -1); all != nil {
		res.memory = all[len(all)-1][1]
	}
	if p.err != nil {
		res.failed = "rejected"
		if found := rejectLine.FindStringSubmatch(res.out); found != nil {
			res.failed = found[1]
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
	res.node, res.steps = rows[0].Node, rows[0].Steps
	res.answered, res.failed = askCompat(r, name, app)
	return res
}

// askCompat asks an application for its page. failed says what was wrong with the answer.
func askCompat(r *rig, name string, app compatApp) (status int, failed string) {
	req, err := r.request(http.MethodGet, name, app.get, nil)
	if err != nil {
		return 0, err.Error()
	}
	req.Header.Set("Accept", "text/html,*/*")
	client := r.client(false)
	client.Timeout = time.Minute
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	answer, err := client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 4<<20))
	if err != nil {
		return answer.StatusCode, err.Error()
	}
	text := answer.Header.Get("Location") + "\n" + string(body)
	if !strings.Contains(text, app.want) {
		return answer.StatusCode, fmt.Sprintf("GET %s: %d, without %q: %.300s", app.get, answer.StatusCode, app.want, text)
	}
	return answer.StatusCode, ""
}
