package tools

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/nodeos-dev/gitd/internal/nodeapp"
)

// Commands are what a package manager is told. All of them install exactly what the lockfile names, or fail.
type Commands struct {
	Install []string // argv
	Prune   []string // removes the devDependencies; empty: it cannot
	Env     []string
	State   []string // what it writes below node_modules for itself, with dates or paths: no part of the app
	Beside  []string // the same, in the app's folder
}

// Folders are where a build has what package managers write down, as the build sees them. Each tool has its cache below
// Cache.
type Folders struct{ Cache, Home string }

// Commands are those for a plan.
func (m Manager) Commands(p nodeapp.Plan, f Folders) Commands {
	switch m.Tool {
	case nodeapp.Yarn1:
		return yarn1(p, f)
	case nodeapp.Berry:
		return m.berry(p, f)
	case nodeapp.PNPM:
		return m.pnpm(p, f)
	}
	return m.npm(p)
}

func (m Manager) npm(p nodeapp.Plan) Commands {
	omit, include := "--omit=dev", "--include=dev"
	if m.Major() < 7 {
		omit, include = "--only=production", "--only=all"
	}
	c := Commands{
		Install: []string{"npm", "ci", omit, "--loglevel=error"},
		Prune:   []string{"npm", "prune", omit, "--no-save", "--ignore-scripts", "--loglevel=error"},
		Env:     []string{"npm_config_replace_registry_host=" + replaceHost(p.Lock)},
	}
	if p.DevDeps {
		c.Install[2] = include
	}
	if m.Major() >= 8 { // older ones do not install what the root has beside it
		c.Install, c.Prune = append(c.Install, npmOnly(p)...), append(c.Prune, npmOnly(p)...)
	}
	if p.Manager.LoosePeers {
		c.Env = append(c.Env, "npm_config_legacy_peer_deps=true")
	}
	if m.Major() < 7 { // with --no-save, npm 6 removes other packages than it says
		c.Prune = []string{"npm", "prune", "--production", "--ignore-scripts", "--loglevel=error"}
	}
	return c
}

// npmOnly chooses the workspaces that the app needs, with what the root itself has.
func npmOnly(p nodeapp.Plan) []string {
	if len(p.Need.Dirs) == 0 {
		return nil
	}
	all := []string{"--include-workspace-root"}
	for _, dir := range p.Need.Dirs {
		all = append(all, "--workspace="+dir)
	}
	return all
}

// replaceHost is npm's setting by which the server's registry stands for the hosts in a lockfile. It knows one host, or
// "npmjs", which is npm's own; a lockfile that came from yarn has yarn's name for that.
func replaceHost(lock []byte) string {
	if strings.Contains(string(lock), "https://registry.yarnpkg.com/") {
		return "registry.yarnpkg.com"
	}
	return "npmjs"
}

func yarn1(p nodeapp.Plan, f Folders) Commands {
	args := func(production bool, more ...string) []string {
		return append([]string{
			"yarn", "install", "--frozen-lockfile", "--non-interactive", "--no-progress",
			fmt.Sprintf("--production=%t", production),
		}, more...)
	}
	return Commands{
		Install: args(!p.DevDeps),
		Prune:   args(true, "--ignore-scripts", "--prefer-offline"),
		Env:     []string{"YARN_CACHE_FOLDER=" + f.Cache + "/yarn-1", "YARN_DISABLE_SELF_UPDATE_CHECK=1"},
		State:   []string{".yarn-integrity"},
	}
}

// berry installs into node_modules, also where the repository has Plug'n'Play: see docs/decisions/0125. The committed
// release of Yarn is not run: the same version comes from the registry, with its hash.
func (m Manager) berry(p nodeapp.Plan, f Folders) Commands {
	env := []string{
		"YARN_IGNORE_PATH=1", "YARN_ENABLE_TELEMETRY=0", "YARN_ENABLE_PROGRESS_BARS=0",
		"YARN_ENABLE_COLORS=0", "YARN_GLOBAL_FOLDER=" + f.Cache + "/yarn",
		"YARN_INSTALL_STATE_PATH=" + f.Home + "/install-state.gz",
		fmt.Sprintf("YARN_ENABLE_GLOBAL_CACHE=%t", !p.Manager.Offline),
	}
	if p.Manager.PnP {
		env = append(env, "YARN_NODE_LINKER=node-modules")
	}
	if m.Major() > 2 { // Yarn 2 ends at a setting that it does not know
		env = append(env, "YARN_NM_MODE=classic") // no hard links to what is shared between builds
	}
	c := Commands{
		Install: []string{"yarn", "install", "--immutable"},
		Env:     env,
		State:   []string{".yarn-state.yml", ".package-map.json"},
		Beside:  []string{".yarn/install-state.gz", ".yarn/build-state.yml"},
	}
	if p.Manager.PnP {
		c.Beside = append(c.Beside, ".pnp.cjs", ".pnp.loader.mjs", ".pnp.data.json", ".yarn/unplugged", ".yarn/cache")
	}
	if m.Major() < 4 && !p.Manager.Focus {
		return c
	}
	c.Prune = []string{"yarn", "workspaces", "focus", "--all", "--production"}
	if names := p.Need.Names; len(names) > 0 && !slices.Contains(names, "") && nodeapp.RootName(p) != "" {
		c.Prune = slices.Concat([]string{"yarn", "workspaces", "focus", "--production", nodeapp.RootName(p)}, names)
	}
	return c
}

func (m Manager) pnpm(p nodeapp.Plan, f Folders) Commands {
	c := Commands{
		Install: []string{"pnpm", "install", "--frozen-lockfile"},
		Prune:   []string{"pnpm", "install", "--frozen-lockfile", "--prod", "--ignore-scripts", "--prefer-offline"},
		State:   []string{".modules.yaml", ".pnpm-workspace-state.json", ".pnpm-workspace-state-v1.json"},
	}
	if !p.DevDeps {
		c.Install = append(c.Install, "--prod")
	}
	if len(p.Need.Dirs) > 0 {
		only := []string{"--filter={.}"} // the root itself
		for _, dir := range p.Need.Dirs {
			only = append(only, "--filter={./"+dir+"}")
		}
		c.Install, c.Prune = append(c.Install, only...), append(c.Prune, only...)
	}
	for name, value := range map[string]string{
		"store_dir": f.Cache + "/pnpm",
		// A hard link to the store would let a build script change what the next build gets.
		"package_import_method": "clone-or-copy",
		// Shims are shell scripts, which a machine without a shell cannot run.
		"prefer_symlinked_executables":    "true",
		"modules_cache_max_age":           "0", // packages that nothing needs any more go at once
		"enable_global_virtual_store":     "false",
		"manage_package_manager_versions": "false",
		"pm_on_fail":                      "ignore",
		"verify_deps_before_run":          "false",
		"update_notifier":                 "false",
	} {
		prefix := "npm_config_"
		if m.Major() >= 11 {
			prefix = "pnpm_config_"
		}
		c.Env = append(c.Env, prefix+name+"="+value)
	}
	return c
}

// RunArgs runs a script of package.json, as its author does.
func (m Manager) RunArgs(script string) []string { return []string{m.Tool.Command(), "run", script} }

// YarnSettings are the user's settings of Yarn 2 and later, which knows neither npm's nor the variables of a proxy. A
// repository's own .yarnrc.yml outranks them. proxy is the proxy's URL; "": there is none.
func YarnSettings(registry *url.URL, proxy string) string {
	// Nothing but these lines is in the file, and a URL's text has no quotes.
	lines := []string{fmt.Sprintf("npmRegistryServer: %q", strings.TrimSuffix(registry.String(), "/"))}
	if registry.Scheme == "http" {
		lines = append(lines, fmt.Sprintf("unsafeHttpWhitelist: [%q]", registry.Hostname()))
	}
	if proxy != "" {
		lines = append(lines, fmt.Sprintf("httpProxy: %q", proxy), fmt.Sprintf("httpsProxy: %q", proxy))
	}
	return strings.Join(lines, "\n") + "\n"
}

// publicHosts are the names of npm's public registry in a lockfile of yarn 1, which takes a package from where the
// lockfile says, and knows no setting for it.
var publicHosts = []string{"https://registry.yarnpkg.com/", "https://registry.npmjs.org/"}

// YarnLock is a lockfile of yarn 1 whose packages come from the server's registry. Only the addresses change; the
// hashes, by which yarn checks what it gets, stay.
func YarnLock(lock []byte, registry string) []byte {
	text := string(lock)
	for _, host := range publicHosts {
		text = strings.ReplaceAll(text, `  resolved "`+host, `  resolved "`+registry)
	}
	return []byte(text)
}
