// Package gitd_test holds what is true of the repository as a whole.
package gitd_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// mayImport is the house: for each package, the packages of ours that it may
// import. What a package below another one may import is what its parent
// may, and its parent's other packages.
var mayImport = map[string][]string{
	// What developers run.
	"scripts/house": {},
	"scripts/tests": {},
	// The ground floor: words that everyone speaks, and helpers that know none of them.
	"internal/units":    {},
	"internal/core":     {"internal/units"},
	"internal/progress": {"internal/core"},
	"internal/disk":     {"internal/core"},
	"internal/guest":    {},
	"templates":         {},
	// The rooms of the house: what gitd decides.
	"internal/people": {"internal/core"},
	"internal/image":  {"internal/core"},
	"internal/deploy": {"internal/core", "internal/disk", "internal/image", "internal/people", "internal/progress", "internal/units"},
	// The trades: they know the core's values and never each other.
	"internal/builder": {"internal/core", "internal/disk", "internal/image", "internal/progress", "internal/units", "templates"},
	"internal/libvirt": {"internal/core", "internal/guest", "templates"},
	"internal/ledger":  {"internal/core", "internal/people"},
	"internal/proxy":   {"internal/core"},
	"internal/repo":    {"internal/core", "internal/progress"},
	"internal/volume":  {"internal/core", "internal/units"},
	"internal/applog":  {"internal/core", "internal/progress"},
	"internal/control": {},
	// The doors.
	"internal/hooks":  {"internal/control", "internal/core", "internal/deploy", "internal/progress"},
	"internal/cli":    {"internal/core", "internal/deploy", "internal/people", "internal/progress", "internal/units"},
	"internal/server": {"internal/cli", "internal/core", "internal/people", "internal/progress", "internal/repo"},
	// The programs.
	"cmd/nodeos-init": {"internal/guest"},
	"cmd/bench-boot":  {"internal/builder", "internal/core", "internal/image", "internal/libvirt", "internal/progress", "templates"},
	"cmd/gitd": {"internal/applog", "internal/builder", "internal/cli", "internal/control", "internal/core", "internal/deploy",
		"internal/hooks", "internal/image", "internal/ledger", "internal/libvirt", "internal/people", "internal/progress",
		"internal/proxy", "internal/repo", "internal/server", "internal/volume"},
}

// TestImports holds docs/decisions/0001-house.md: a package that is not in
// the table, or an import that is not, fails.
func TestImports(t *testing.T) {
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, "gitd/")
		owner, ok := ownerOf(name)
		if !ok {
			t.Errorf("%s is not in the table of the house", name)
			continue
		}
		for _, imp := range p.Imports {
			imp, ours := strings.CutPrefix(imp, "gitd/")
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

// TestCoreIsStandardLibraryOnly: the core and the guest's messages depend on
// nothing that can break or need an update.
func TestCoreIsStandardLibraryOnly(t *testing.T) {
	for _, p := range packages(t) {
		if !slices.Contains([]string{"gitd/internal/core", "gitd/internal/deploy", "gitd/internal/guest"}, p.ImportPath) {
			continue
		}
		for _, imp := range p.Imports {
			if first, _, _ := strings.Cut(imp, "/"); strings.Contains(first, ".") {
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
	for _, module := range []string{".", "tools/compose", "tools/lint"} {
		for _, path := range directDependencies(t, module) {
			short := "`" + strings.TrimPrefix(path, "github.com/spf13/") + "`"
			if !strings.Contains(string(doc), "`"+path+"`") && !strings.Contains(string(doc), short) {
				t.Errorf("docs/dependencies.md has no line for %s of %s/go.mod", path, module)
			}
		}
	}
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
