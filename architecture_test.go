// Package gitd_test holds what is true of the repository as a whole.
package gitd_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// module is what the path of each package of ours begins with.
const module = "github.com/nodeos-dev/gitd/"

// mayImport is the house: for each package, the packages of ours that it may
// import. What a package below another one may import is what its parent
// may, and its parent's other packages.
var mayImport = map[string][]string{
	// What developers run.
	"scripts/attacks": {},
	"scripts/house":   {},
	"scripts/package": {"internal/base"},
	"scripts/tests":   {},
	// The ground floor: words that everyone speaks, and helpers that know none of them.
	"internal/guest":      {},
	"internal/units":      {},
	"internal/latch":      {},
	"internal/unpack":     {},
	"internal/porttest":   {},
	"internal/heap":       {},
	"internal/fds":        {},
	"internal/admit":      {},
	"internal/cgroup":     {},
	"internal/service":    {},
	"internal/walls":      {"internal/fds"},
	"internal/schedule":   {},
	"internal/doors":      {},
	"internal/handover":   {"internal/fds"},
	"internal/systemd":    {},
	"internal/background": {},
	"internal/inward":     {},
	"internal/rfc5424":    {},
	"internal/core":       {"internal/guest", "internal/units"},
	"internal/progress":   {"internal/core", "internal/units"},
	"internal/jail":       {"internal/admit", "internal/core", "internal/fds"},
	"internal/disk":       {"internal/core"},
	"internal/audit":      {"internal/core"},
	"internal/outbound":   {"internal/core", "internal/inward"},
	"internal/gateway":    {"internal/core", "internal/guest", "internal/inward"},
	"templates":           {},
	// The rooms of the core: what gitd decides. A room knows those above it in this list.
	"internal/people": {"internal/core"},
	"internal/image": {"internal/audit", "internal/background", "internal/core", "internal/disk", "internal/guest",
		"internal/progress", "internal/units", "internal/walls"},
	"internal/fleet": {"internal/audit", "internal/background", "internal/core", "internal/disk", "internal/guest",
		"internal/image", "internal/latch", "internal/progress", "internal/units"},
	"internal/oneoff": {"internal/audit", "internal/background", "internal/core", "internal/fleet", "internal/guest",
		"internal/image", "internal/latch", "internal/progress", "internal/units"},
	"internal/deploy": {"internal/audit", "internal/background", "internal/core", "internal/disk", "internal/fleet",
		"internal/image", "internal/oneoff", "internal/progress", "internal/units"},
	"internal/rollout": {"internal/audit", "internal/background", "internal/core", "internal/deploy", "internal/progress", "internal/units"},
	"internal/apps": {"internal/audit", "internal/core", "internal/deploy", "internal/disk", "internal/fleet",
		"internal/oneoff", "internal/progress", "internal/quota", "internal/units"},
	"internal/front": {"internal/audit", "internal/core", "internal/disk"},
	"internal/spare": {"internal/background", "internal/core", "internal/fleet", "internal/guest"},
	"internal/warm":  {"internal/background", "internal/core", "internal/fleet", "internal/units"},
	"internal/sleep": {"internal/audit", "internal/background", "internal/core", "internal/deploy", "internal/disk", "internal/fleet", "internal/oneoff",
		"internal/progress", "internal/quota", "internal/units"},
	"internal/quota": {"internal/audit", "internal/core", "internal/disk", "internal/fleet", "internal/units"},
	"internal/snapshot": {"internal/apps", "internal/audit", "internal/core", "internal/disk", "internal/fleet", "internal/progress",
		"internal/quota", "internal/units"},
	"internal/backup": {"internal/audit", "internal/core", "internal/disk", "internal/image", "internal/progress", "internal/snapshot",
		"internal/units"},
	"internal/usage": {"internal/core", "internal/disk", "internal/image"},
	"internal/reach": {"internal/audit", "internal/core", "internal/fleet"},
	"internal/engine": {"internal/apps", "internal/audit", "internal/background", "internal/core", "internal/deploy",
		"internal/fleet", "internal/front", "internal/image", "internal/oneoff", "internal/quota", "internal/reach", "internal/rollout", "internal/sleep", "internal/snapshot", "internal/usage"},
	"internal/coretest": {},
	// The trades: they know the core's values and never each other, but the builder what it builds from and on.
	"internal/nodeapp": {"internal/core", "internal/guest", "internal/progress", "internal/schedule", "internal/units"},
	"internal/loader":  {"internal/guest"},
	"internal/base": {"internal/core", "internal/disk", "internal/guest", "internal/image", "internal/loader", "internal/progress",
		"internal/units", "internal/walls", "templates"},
	"internal/bundle":  {"internal/core", "internal/guest", "internal/nodeapp", "internal/progress"},
	"internal/builder": {"internal/base", "internal/bundle", "internal/cgroup", "internal/core", "internal/disk", "internal/guest", "internal/image",
		"internal/inward", "internal/nodeapp", "internal/progress", "internal/units", "internal/walls", "templates"},
	"internal/bootdisk": {"internal/audit", "internal/base", "internal/core", "internal/disk", "internal/guest",
		"internal/image", "internal/progress", "internal/units"},
	"internal/worktree": {"internal/progress"},
	"internal/libvirt": {"internal/background", "internal/cgroup", "internal/core", "internal/disk", "internal/gateway", "internal/guest", "internal/inward", "internal/jail", "internal/latch",
		"internal/service", "internal/units", "templates"},
	"internal/label":    {"internal/core", "internal/image"},
	"internal/contents": {"internal/core", "internal/guest", "internal/image"},
	"internal/ledger":   {"internal/core", "internal/disk", "internal/people"},
	"internal/proxy":    {"internal/admit", "internal/core"},
	"internal/tcp":      {"internal/admit", "internal/core"},
	"internal/repo":     {"internal/core", "internal/disk", "internal/progress", "internal/units", "internal/walls"},
	"internal/volume":   {"internal/core", "internal/disk", "internal/guest", "internal/units"},
	"internal/applog":   {"internal/core", "internal/progress"},
	"internal/certs":    {"internal/core"},
	"internal/drain":    {"internal/core", "internal/disk", "internal/outbound", "internal/progress", "internal/rfc5424"},
	"internal/notify":   {"internal/audit", "internal/core", "internal/outbound"},
	"internal/control":  {"internal/admit"},
	"internal/starter":  {"templates"},
	"internal/syslog":   {"internal/audit", "internal/core", "internal/outbound", "internal/progress", "internal/rfc5424"},
	// The doors.
	"internal/hooks":    {"internal/control", "internal/core", "internal/deploy", "internal/progress"},
	"internal/terminal": {"internal/progress"},
	"internal/overview": {"internal/core", "internal/progress", "internal/terminal", "internal/units"},
	"internal/cli": {"internal/apps", "internal/audit", "internal/bootdisk", "internal/contents", "internal/core", "internal/deploy", "internal/disk", "internal/drain", "internal/fleet", "internal/oneoff",
		"internal/overview", "internal/people", "internal/progress", "internal/quota", "internal/schedule", "internal/snapshot", "internal/terminal", "internal/units", "internal/usage",
		"internal/backup", "internal/notify", "internal/outbound"},
	"internal/trace":   {"internal/core"},
	"internal/metrics": {"internal/core", "internal/deploy", "internal/fleet", "internal/usage"},
	"internal/server": {"internal/admit", "internal/audit", "internal/cli", "internal/core", "internal/people", "internal/progress", "internal/repo",
		"internal/terminal"},
	// The programs.
	"cmd/nodeos-init":  {"internal/guest", "internal/units"},
	"cmd/gitd-machine": {"internal/gateway", "internal/jail"},
	"cmd/gitd-hook":    {"internal/hooks", "internal/progress"},
	"cmd/bench":        {"internal/core", "internal/guest", "internal/jail", "internal/ledger", "internal/unpack", "templates"},
	"cmd/bench-door":   {"internal/applog", "internal/certs", "internal/core", "internal/heap", "internal/proxy", "internal/unpack"},
	"cmd/bench-boot": {"internal/base", "internal/builder", "internal/core", "internal/guest", "internal/image",
		"internal/libvirt", "internal/progress", "internal/units", "templates"},
	"cmd/gitd": {"internal/applog", "internal/backup", "internal/base", "internal/builder", "internal/cgroup", "internal/certs", "internal/cli", "internal/contents", "internal/control",
		"internal/core", "internal/disk", "internal/doors", "internal/engine", "internal/fleet", "internal/guest", "internal/handover", "internal/heap", "internal/hooks", "internal/image", "internal/systemd",
		"internal/audit", "internal/bootdisk", "internal/worktree", "internal/label", "internal/ledger", "internal/libvirt", "internal/metrics", "internal/nodeapp", "internal/people", "internal/progress", "internal/proxy", "internal/quota",
		"internal/repo", "internal/schedule", "internal/server", "internal/service", "internal/sleep", "internal/spare", "internal/starter", "internal/syslog", "internal/tcp", "internal/terminal", "internal/trace", "internal/volume", "internal/units", "internal/walls", "internal/warm",
		"internal/drain", "internal/notify", "internal/outbound"},
}

// TestImports holds docs/decisions/0001-house.md: a package that is not in
// the table, or an import that is not, fails.
func TestImports(t *testing.T) {
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		owner, ok := ownerOf(name)
		if !ok {
			t.Errorf("%s is not in the table of the house", name)
			continue
		}
		for _, imp := range p.Imports {
			imp, ours := strings.CutPrefix(imp, module)
			if !ours {
				continue
			}
			target, _ := ownerOf(imp)
			if target != owner && !slices.Contains(mayImport[owner], target) {
				t.Errorf("%s imports %s, which it may not", name, imp)
			}
		}
	}
}

// standardOnly are the packages that depend on nothing that can break or need an update, but packages of ours.
var standardOnly = []string{
	"internal/guest", "internal/units", "internal/latch", "internal/background", "internal/inward", "internal/core", "internal/progress",
	"internal/disk", "internal/audit", "internal/image", "internal/fleet", "internal/quota", "internal/oneoff", "internal/deploy", "internal/apps",
	"internal/front", "internal/rollout", "internal/snapshot", "internal/backup", "internal/usage", "internal/engine",
}

// TestCoreIsStandardLibraryOnly: the core and the guest's messages use the standard library alone.
func TestCoreIsStandardLibraryOnly(t *testing.T) {
	for _, p := range packages(t) {
		if !slices.Contains(standardOnly, strings.TrimPrefix(p.ImportPath, module)) {
			continue
		}
		for _, imp := range p.Imports {
			first, _, _ := strings.Cut(imp, "/")
			if strings.Contains(first, ".") && !strings.HasPrefix(imp, module) {
				t.Errorf("%s imports %s", p.ImportPath, imp)
			}
		}
	}
}

// ownerOf finds the row of the table that a package belongs to.
func ownerOf(name string) (string, bool) {
	for name != "" {
		if _, ok := mayImport[name]; ok {
			return name, true
		}
		i := strings.LastIndex(name, "/")
		if i < 0 {
			return "", false
		}
		name = name[:i]
	}
	return "", false
}

type goPackage struct {
	ImportPath string
	Imports    []string // without those of tests
	GoFiles    []string
}

func packages(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,GoFiles", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var list []goPackage
	dec := json.NewDecoder(bytes.NewReader(out))
	for {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		if len(p.GoFiles) > 0 {
			list = append(list, p)
		}
	}
}

// TestDependenciesHaveReasons: each direct dependency has its line in docs/dependencies.md; those of the modules below
// tools/ too.
func TestDependenciesHaveReasons(t *testing.T) {
	doc, err := os.ReadFile("docs/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, module := range []string{".", "tools/compose", "tools/lint", "tools/promql", "tools/pebble"} {
		for _, path := range directDependencies(t, module) {
			short := "`" + strings.TrimPrefix(path, "github.com/spf13/") + "`"
			if !strings.Contains(string(doc), "`"+path+"`") && !strings.Contains(string(doc), short) {
				t.Errorf("docs/dependencies.md has no line for %s of %s/go.mod", path, module)
			}
		}
	}
}

// callOf is a call as ARCHITECTURE.md names it: `deploy.(*Deployer).Receive`, `hooks.Run`, `deploy.Outcome.Settle`.
var callOf = regexp.MustCompile("^\\| [0-9]+ \\| `([a-z]+)\\.(?:\\(?\\*?([A-Za-z]+)\\)?\\.)?([A-Za-z]+)` \\|")

// TestOnePush: a push can be followed in at most 12 named calls, and each of them is there.
func TestOnePush(t *testing.T) {
	text, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		m := callOf.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		n++
		if !declares(t, filepath.Join("internal", m[1]), m[2], m[3]) {
			t.Errorf("ARCHITECTURE.md names a call that is not there: %s", line)
		}
	}
	if n == 0 || n > 12 {
		t.Errorf("a push has %d calls in ARCHITECTURE.md, want 1 to 12", n)
	}
}

// declares reports whether a package has a function, or a type that has a method, of this name.
func declares(t *testing.T, dir, typ, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Name.Name == name && receiver(fn) == typ {
				return true
			}
		}
	}
	return false
}

// receiver is the name of a method's type; "" for a function.
func receiver(fn *ast.FuncDecl) string {
	if fn.Recv == nil {
		return ""
	}
	typ := fn.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	id, _ := typ.(*ast.Ident)
	if id == nil {
		return ""
	}
	return id.Name
}

// directDependencies are those that a module's go.mod requires for its own code, or as its tools.
func directDependencies(t *testing.T, module string) (paths []string) {
	t.Helper()
	cmd := exec.Command("go", "mod", "edit", "-json")
	cmd.Dir = module
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go mod edit in %s: %v", module, err)
	}
	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
		Tool []struct{ Path string }
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	for _, r := range mod.Require {
		ofTool := slices.ContainsFunc(mod.Tool, func(tool struct{ Path string }) bool {
			return strings.HasPrefix(tool.Path, r.Path+"/")
		})
		if !r.Indirect || ofTool {
			paths = append(paths, r.Path)
		}
	}
	return paths
}
