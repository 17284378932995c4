package builder

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"gitd/internal/core"
)

const (
	packageJSON  = "package.json"
	packageLock  = "package-lock.json"
	npmrc        = ".npmrc"
	nodeModules  = "node_modules"
	packageLimit = 1 << 20  // bytes
	lockLimit    = 64 << 20 // bytes
)

// manifest is a repository's package.json, as far as gitd reads it.
type manifest struct {
	all      jsonObject
	scripts  map[string]string
	engines  map[string]string
	main     string
	deps     int // dependencies that the running app has
	devDeps  int
	settings settings
	warnings []string
}

// parsePackage reads a package.json. What is wrong with it is a
// *core.Rejection.
func parsePackage(b []byte) (manifest, error) {
	o, twice, err := parseObject(b)
	if err != nil {
		return manifest{}, &core.Rejection{
			Reason: "package.json is broken: " + err.Error(),
			Hint:   "`npm pkg get name` shows the same error; repair it, commit, and push again",
			Err:    err,
		}
	}
	m := manifest{
		all: o, scripts: o.texts("scripts"), engines: o.texts("engines"), main: o.text("main"),
		deps:    len(o.texts("dependencies")) + len(o.texts("optionalDependencies")) + len(o.texts("peerDependencies")),
		devDeps: len(o.texts("devDependencies")),
	}
	for _, key := range twice {
		m.warnings = append(m.warnings, fmt.Sprintf("package.json has the key %q twice; the last one counts", shorten(key)))
	}
	if m.settings, err = parseSettings(o["nodeos"], &m.warnings); err != nil {
		return manifest{}, err
	}
	return m, nil
}

// readPackage reads package.json from a commit.
func readPackage(c *commit) (manifest, error) {
	b, err := c.file(packageJSON, packageLimit)
	if errors.Is(err, os.ErrNotExist) {
		if len(c.tree.Entries) == 0 {
			return manifest{}, core.Reject("the repository is empty", "commit a Node.js app with its package.json, and push again")
		}
		return manifest{}, core.Reject("no package.json at the root of the repository",
			"`npm init` makes one; commit it, and push again")
	}
	if err != nil {
		return manifest{}, err
	}
	return parsePackage(b)
}

// workspaces reports whether the package is the root of npm workspaces.
func (m manifest) workspaces() bool {
	w := strings.TrimSpace(string(m.all["workspaces"]))
	return w != "" && w != "null" && w != "[]"
}

// installScripts are the root package's own scripts that npm ci runs.
func (m manifest) installScripts() []string {
	var found []string
	for _, s := range []string{
		"preinstall", "install", "postinstall",
		"preprepare", "prepare", "postprepare", "prepublish",
	} {
		if m.scripts[s] != "" {
			found = append(found, s)
		}
	}
	return found
}

// forInstall is what of package.json can change what npm ci does: all of it
// but what is known to be without effect. The keys are sorted.
func (m manifest) forInstall() ([]byte, error) {
	without := []string{
		"version", "description", "keywords", "author", "contributors", "license", "homepage",
		"bugs", "repository", "funding", "main", "scripts", "nodeos",
	}
	kept := jsonObject{}
	for k, v := range m.all {
		if !slices.Contains(without, k) {
			kept[k] = v
		}
	}
	return json.Marshal(kept)
}
