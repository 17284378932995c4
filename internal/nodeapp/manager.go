package nodeapp

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
)

// Tool is a package manager. Yarn 1 and the later Yarn have little in common but the name, so they are two.
type Tool string

// The package managers that install an app's dependencies.
const (
	NPM   Tool = "npm"
	Yarn1 Tool = "yarn 1"
	Berry Tool = "yarn"
	PNPM  Tool = "pnpm"
)

// Command is what people type to run the tool.
func (t Tool) Command() string {
	if t == Yarn1 {
		return string(Berry)
	}
	return string(t)
}

// Manager is the package manager of a repository.
type Manager struct {
	Tool  Tool
	Range string // versions that may be taken; "": those that fit the lockfile and the Node
	Hash  string // of packageManager, e.g. "sha512.ab01…"; "": none is given
	From  string // where Range was found, for people; "": nowhere
	Fits  string // versions that read the lockfile as it is; "": any

	PnP     bool // Yarn would make no node_modules
	Offline bool // Yarn's cache is in the repository
	Focus   bool // Yarn has its plugin workspace-tools
	// LoosePeers: npm leaves peer dependencies aside, because those of this app conflict.
	LoosePeers bool
}

// Exact reports whether the author has named one version, and not a range to choose from.
func (m Manager) Exact() bool {
	return m.From == "packageManager" || strings.HasPrefix(m.From, "yarnPath")
}

// Lockfiles, and whose they are. Where several are there and nothing else decides, the first one counts: npm's, because
// npm comes with Node, so it is there without a choice of the author's only as a leftover of long ago.
var lockfiles = []struct {
	name string
	tool string // as packageManager names it
}{
	{shrinkwrap, "npm"}, {lockFile, "npm"}, {pnpmLock, "pnpm"}, {yarnLock, "yarn"}, {"bun.lock", "bun"}, {"bun.lockb", "bun"},
}

// pinned is what package.json says of its package manager.
type pinned struct{ tool, version, hash, from string }

var packageManager = regexp.MustCompile(`^(npm|yarn|pnpm|bun)@(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)(?:\+(sha(?:1|224|256|384|512))\.([0-9A-Fa-f]+))?$`)

// pinned reads packageManager, in corepack's form, or devEngines.packageManager, npm's. volta's and engines' versions
// say which version of a tool, but not which tool: see versionOf.
func (m PackageJSON) pinned() (p pinned, err error) {
	text := m.all.text("packageManager")
	if text == "" {
		for _, tool := range []string{"npm", "yarn", "pnpm"} {
			if v := m.devEngine("packageManager", tool); v != "" {
				return pinned{tool, v, "", "devEngines.packageManager"}, nil
			}
		}
		return pinned{}, nil
	}
	f := packageManager.FindStringSubmatch(strings.TrimSpace(text))
	if f == nil {
		return pinned{}, core.Reject(fmt.Sprintf("package.json: packageManager is %q", shorten(text)),
			`write a name and an exact version, such as "pnpm@10.34.9" or "yarn@4.12.0"`)
	}
	p = pinned{tool: f[1], version: f[2], from: "packageManager"}
	if f[3] != "" {
		p.hash = strings.ToLower(f[3] + "." + f[4])
	}
	return p, nil
}

// devEngine is the version in devEngines for one name; "": none. Its entry may be an object or a list of them.
func (m PackageJSON) devEngine(kind, name string) string {
	dev, _, err := parseObject(m.all["devEngines"])
	if err != nil {
		return ""
	}
	type engine struct{ Name, Version string }
	var list []engine
	if json.Unmarshal(dev[kind], &list) != nil {
		var one engine
		if json.Unmarshal(dev[kind], &one) != nil {
			return ""
		}
		list = []engine{one}
	}
	for _, e := range list {
		if e.Name == name {
			return cmp.Or(e.Version, "*")
		}
	}
	return ""
}

// versionOf is what package.json says of a tool's version beside packageManager.
func (m PackageJSON) versionOf(tool string) (version, from string) {
	if v := m.all.texts("volta")[tool]; v != "" {
		return v, "volta." + tool
	}
	if v := strings.TrimSpace(m.Engines[tool]); v != "" && v != "*" {
		return v, "engines." + tool
	}
	return "", ""
}

// chooseLock decides between lockfiles: packageManager, then the tool's own settings, then the order above. why is a
// line for the pusher if there was a choice.
func chooseLock(repo fs.FS, p pinned) (name, why string) {
	var found []string
	for _, l := range lockfiles {
		if exists(repo, l.name) {
			found = append(found, l.name)
		}
	}
	if len(found) == 0 {
		return "", ""
	}
	name, reason := found[0], `"packageManager" in package.json would decide`
	for _, hint := range []struct{ tool, file string }{{"pnpm", pnpmWorkspace}, {"yarn", yarnRC}} {
		if f := lockOf(hint.tool, found); f != "" && exists(repo, hint.file) {
			name, reason = f, hint.file+" is there too"
			break
		}
	}
	if p.tool != "" {
		if f := lockOf(p.tool, found); f != "" {
			name, reason = f, p.from+" says "+p.tool
		} else {
			return name, fmt.Sprintf("%s says %s, but there is no lockfile of %s: %s is used", p.from, p.tool, p.tool, name)
		}
	}
	others := slices.DeleteFunc(found, func(f string) bool { return f == name || toolOf(f) == toolOf(name) })
	if len(others) == 0 {
		return name, ""
	}
	return name, fmt.Sprintf("%s is used, and not %s: %s", name, strings.Join(others, ", "), reason)
}

// lockIn is the first lockfile of a folder; "": there is none.
func lockIn(repo fs.FS) string {
	for _, l := range lockfiles {
		if exists(repo, l.name) {
			return l.name
		}
	}
	return ""
}

// lockOf is the first of the lockfiles that is this tool's.
func lockOf(tool string, found []string) string {
	for _, f := range found {
		if toolOf(f) == tool {
			return f
		}
	}
	return ""
}

func toolOf(lock string) string {
	for _, l := range lockfiles {
		if l.name == lock {
			return l.tool
		}
	}
	return ""
}
