package nodeapp

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path"

	"go.yaml.in/yaml/v3"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/nodeapp/shell"
	"github.com/nodeos-dev/gitd/internal/nodeapp/workspace"
)

// Need is what a workspace needs of a monorepo.
type Need struct {
	Dirs   []string // of the workspaces that it depends on, each after those that it needs itself, and its own
	Names  []string // of these packages; "": it has none
	Others []string // folders of workspaces that it does not need, which do not come into the image
}

// workspaces are the folders that are packages of the root, as its package managers see it.
func workspaces(repo fs.FS, root PackageJSON) (workspace.Patterns, error) {
	var all workspace.Patterns
	if raw := root.all["workspaces"]; json.Unmarshal(raw, &all) != nil {
		var o struct{ Packages workspace.Patterns }
		if json.Unmarshal(raw, &o) == nil { // yarn's other form
			all = o.Packages
		}
	}
	text, err := readOptional(repo, pnpmWorkspace, packageLimit)
	if err != nil {
		return nil, err
	}
	var doc struct{ Packages workspace.Patterns }
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, core.Reject(fmt.Sprintf("%s is broken: %s", pnpmWorkspace, shorten(err.Error())), "repair it, commit, and push again")
	}
	return append(all, doc.Packages...), nil
}

// planWorkspace finds out what the app, a workspace, needs of the others, and how it is built.
func planWorkspace(p *Plan, repo fs.FS, named workspace.Patterns) error {
	set := workspace.Find(repo, named, func(dir string) (workspace.Package, error) {
		b, err := readFile(repo, path.Join(dir, PackageFile), packageLimit)
		if err != nil {
			return workspace.Package{}, err
		}
		m, err := ParsePackageJSON(b)
		p.memberScripts = p.memberScripts || len(m.installScripts()) > 0
		return m.forWorkspace(), err
	})
	order := set.Order(p.Dir)
	for _, member := range order {
		p.Need.Dirs, p.Need.Names = append(p.Need.Dirs, member.Dir), append(p.Need.Names, member.Name)
	}
	p.Need.Others = set.Others(order)
	planWorkspaceBuild(p, repo, order)
	return nil
}

func (m PackageJSON) forWorkspace() workspace.Package {
	deps := map[string]string{}
	for _, kind := range []string{"peerDependencies", "optionalDependencies", "devDependencies", "dependencies"} {
		maps.Copy(deps, m.all.texts(kind))
	}
	return workspace.Package{Name: m.all.text("name"), Scripts: m.Scripts, Deps: deps}
}

// planWorkspaceBuild decides how a workspace is built. Its author's tool for that comes first, since it knows more than
// the order of the packages. Without one, the scripts of the packages that the app needs run in that order. The root's
// own script is for all packages, and perhaps for more than they say, so it is the last resort, and nothing is left out
// then.
func planWorkspaceBuild(p *Plan, repo fs.FS, order []workspace.Package) {
	own := p.Package.buildScripts().Build
	p.Scripts = p.Root.buildScripts()
	rootBuild := p.Scripts.Build
	p.Scripts.Build = ""
	var each []string
	for _, member := range order {
		script := "build"
		if member.Dir == p.Dir {
			script = own
		}
		if member.Scripts[script] != "" {
			each = append(each, "cd "+shell.Quoted(member.Dir)+" && "+toolHere(p.Root, repo)+" run "+script)
		}
	}
	switch {
	case len(each) == 0 && rootBuild != "":
		p.Scripts.Build, p.Need = rootBuild, Need{}
	case own == "heroku-postbuild", len(each) == 0:
		p.Steps = each
	case exists(repo, "turbo.json") && p.Root.has("turbo"):
		p.BuiltBy = "turbo.json"
		p.Steps = []string{"turbo run build --env-mode=loose --filter=" + shell.Quoted("./"+p.Dir)}
	case own != "" && exists(repo, "nx.json") && p.Root.has("nx") && p.Package.all.text("name") != "":
		p.BuiltBy = "nx.json"
		p.Steps = []string{"nx run-many -t build -p " + shell.Quoted(p.Package.all.text("name"))}
	default:
		p.Steps = each
	}
	if len(each) > 0 && p.BuiltBy == "" {
		p.BuiltBy = "scripts.build of the workspaces"
	}
}

// RootName is the name of the root's package; "": it has none.
func RootName(p Plan) string { return p.Root.all.text("name") }

// has reports whether a package is a dependency of any kind.
func (m PackageJSON) has(name string) bool {
	_, ok := m.forWorkspace().Deps[name]
	return ok
}

// toolHere is the package manager that runs scripts, before the plan has chosen it with all its reasons.
func toolHere(root PackageJSON, repo fs.FS) string {
	pin, err := root.pinned()
	name, _ := chooseLock(repo, pin)
	if tool := toolOf(name); err == nil && tool != "" {
		return tool
	}
	if err == nil && pin.tool != "" {
		return pin.tool
	}
	return string(NPM)
}

// BuildEnv are the variables that the build gets for its framework and its monorepo's tool: that keeps nothing between
// builds, starts nothing that outlives them, and reports nothing. home is the folder of the build's user.
func BuildEnv(p Plan, home string) map[string]string {
	env := maps.Clone(p.Framework.Env)
	if p.Dir == "" {
		return env
	}
	if env == nil {
		env = map[string]string{}
	}
	maps.Copy(env, map[string]string{
		"TURBO_CACHE_DIR": home + "/turbo", "TURBO_TELEMETRY_DISABLED": "1", "DO_NOT_TRACK": "1",
		"NX_DAEMON": "false", "NX_NO_CLOUD": "true",
		"NX_CACHE_DIRECTORY": home + "/nx", "NX_WORKSPACE_DATA_DIRECTORY": home + "/nx-data",
	})
	return env
}

// LeftOut are what of the app's folder does not come into the image: what only the next build on the same machine would
// want, and workspaces that the app does not need.
func LeftOut(p Plan) []string {
	var all []string
	for _, name := range p.Framework.Leftovers {
		all = append(all, path.Join(p.Dir, name))
	}
	if p.Dir == "" {
		return all
	}
	all = append(all, ".turbo", ".nx")
	for _, dir := range p.Need.Dirs {
		all = append(all, path.Join(dir, ".turbo"))
	}
	return append(all, p.Need.Others...)
}
