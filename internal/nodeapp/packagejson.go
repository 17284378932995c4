package nodeapp

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/nodeapp/framework"
	"github.com/nodeos-dev/gitd/internal/nodeapp/guess"
)

// PackageJSON is a repository's package.json, as far as gitd reads it.
type PackageJSON struct {
	Scripts  map[string]string
	Engines  map[string]string
	Main     string
	Deps     int // dependencies that the running app has
	DevDeps  int
	Settings Settings
	Guess    core.Guess // of the memory that the app needs

	all      object
	warnings []string
}

// ParsePackageJSON reads a package.json. What is wrong with it is a
// *core.Rejection.
func ParsePackageJSON(b []byte) (PackageJSON, error) { return parsePackage(b, nil) }

// parsePackage reads the package.json of a folder. settings are the root's, which count where the folder says nothing.
func parsePackage(b []byte, settings json.RawMessage) (PackageJSON, error) {
	o, twice, err := parseObject(b)
	if err != nil {
		return PackageJSON{}, &core.Rejection{
			Reason: "package.json is broken: " + err.Error(),
			Hint:   "`npm pkg get name` shows the same error; repair it, commit, and push again",
			Err:    err,
		}
	}
	m := PackageJSON{
		all: o, Scripts: o.texts("scripts"), Engines: o.texts("engines"), Main: o.text("main"),
		Deps:    len(o.texts("dependencies")) + len(o.texts("optionalDependencies")) + len(o.texts("peerDependencies")),
		DevDeps: len(o.texts("devDependencies")), Guess: guess.Of(o.texts("dependencies")),
	}
	for _, key := range twice {
		m.warnings = append(m.warnings,
			fmt.Sprintf("package.json has the key %q twice; the last one counts", shorten(key)))
	}
	if m.Settings, err = parseSettings(inherit(o["nodeos"], settings), &m.warnings); err != nil {
		return PackageJSON{}, err
	}
	return m, nil
}

// checkNoPackage refuses a repository without a package.json, unless it is a site.
func checkNoPackage(repo fs.FS) error {
	if framework.Site(repo, false).Name != "" {
		return nil
	}
	if all, err := fs.ReadDir(repo, "."); err == nil && len(all) == 0 {
		return core.Reject("the repository is empty", "commit a Node.js app with its package.json, and push again")
	}
	return noPackage(repo)
}

// Workspaces reports whether the package is the root of npm workspaces.
func (m PackageJSON) Workspaces() bool {
	w := strings.TrimSpace(string(m.all["workspaces"]))
	return w != "" && w != "null" && w != "[]"
}

// Local reports whether a dependency is a folder of the repository.
func (m PackageJSON) Local() bool {
	for _, kind := range []string{"dependencies", "devDependencies", "optionalDependencies"} {
		for _, spec := range m.all.texts(kind) {
			if strings.HasPrefix(spec, "file:") || strings.HasPrefix(spec, ".") || strings.HasPrefix(spec, "/") {
				return true
			}
		}
	}
	return false
}

// installScripts are the root package's own scripts that an installation runs.
func (m PackageJSON) installScripts() []string {
	var found []string
	for _, s := range []string{
		"preinstall", "install", "postinstall",
		"preprepare", "prepare", "postprepare", "prepublish",
	} {
		if m.Scripts[s] != "" {
			found = append(found, s)
		}
	}
	return found
}

// InstallInput is the part of package.json that can change what an installation does: all keys, sorted, but those that
// are known to have no effect on it.
func (m PackageJSON) InstallInput() ([]byte, error) {
	without := []string{
		"version", "description", "keywords", "author", "contributors", "license", "homepage",
		"bugs", "repository", "funding", "main", "scripts", "nodeos",
	}
	kept := object{}
	for k, v := range m.all {
		if !slices.Contains(without, k) {
			kept[k] = v
		}
	}
	return json.Marshal(kept)
}
