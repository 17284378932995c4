package builder

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/nodeos-dev/gitd/internal/builder/sandbox"
	"github.com/nodeos-dev/gitd/internal/nodeapp"
)

// commands are what a package manager is told. All of them install exactly what the lockfile names, or fail.
type commands struct {
	install []string // argv
	prune   []string // removes the devDependencies; empty: it cannot
	env     []string
	state   []string // what it writes below node_modules for itself, with dates or paths: no part of the app
	beside  []string // the same, in the app's folder
}

// commands are those of the plan's package manager.
func (j *job) commands() commands {
	m := j.tools.Manager
	switch m.Tool {
	case nodeapp.Yarn1:
		return j.yarn1()
	case nodeapp.Berry:
		return j.berry()
	case nodeapp.PNPM:
		return j.pnpm()
	}
	return j.npm()
}

func (j *job) npm() commands {
	omit, include := "--omit=dev", "--include=dev"
	if j.tools.Manager.major() < 7 {
		omit, include = "--only=production", "--only=all"
	}
	c := commands{
		install: []string{"npm", "ci", omit, "--loglevel=error"},
		prune:   []string{"npm", "prune", omit, "--no-save", "--ignore-scripts", "--loglevel=error"},
		env:     []string{"npm_config_replace_registry_host=" + replaceHost(j.plan.Lock)},
	}
	if j.plan.DevDeps {
		c.install[2] = include
	}
	if j.tools.Manager.major() < 7 { // with --no-save, npm 6 removes other packages than it says
		c.prune = []string{"npm", "prune", "--production", "--ignore-scripts", "--loglevel=error"}
	}
	return c
}

// replaceHost is npm's setting by which the server's registry stands for the hosts in a lockfile. It knows one host, or
// "npmjs", which is npm's own; a lockfile that came from yarn has yarn's name for that.
func replaceHost(lock []byte) string {
	if strings.Contains(string(lock), "https://registry.yarnpkg.com/") {
		return "registry.yarnpkg.com"
	}
	return "npmjs"
}

func (j *job) yarn1() commands {
	args := func(production bool, more ...string) []string {
		return append([]string{
			"yarn", "install", "--frozen-lockfile", "--non-interactive", "--no-progress",
			fmt.Sprintf("--production=%t", production),
		}, more...)
	}
	return commands{
		install: args(!j.plan.DevDeps),
		prune:   args(true, "--ignore-scripts", "--prefer-offline"),
		env:     []string{"YARN_CACHE_FOLDER=" + insideYarn1, "YARN_DISABLE_SELF_UPDATE_CHECK=1"},
		state:   []string{".yarn-integrity"},
	}
}

// berry installs into node_modules, also where the repository has Plug'n'Play: see docs/decisions/0125. The committed
// release of Yarn is not run: the same version comes from the registry, with its hash.
func (j *job) berry() commands {
	env := []string{
		"YARN_IGNORE_PATH=1", "YARN_ENABLE_TELEMETRY=0", "YARN_ENABLE_PROGRESS_BARS=0",
		"YARN_ENABLE_COLORS=0", "YARN_GLOBAL_FOLDER=" + insideBerry,
		"YARN_INSTALL_STATE_PATH=" + insideHome + "/install-state.gz",
		fmt.Sprintf("YARN_ENABLE_GLOBAL_CACHE=%t", !j.plan.Manager.Offline),
	}
	if j.plan.Manager.PnP {
		env = append(env, "YARN_NODE_LINKER=node-modules")
	}
	if j.tools.Manager.major() > 2 { // Yarn 2 ends at a setting that it does not know
		env = append(env, "YARN_NM_MODE=classic") // no hard links to what is shared between builds
	}
	c := commands{
		install: []string{"yarn", "install", "--immutable"},
		env:     env,
		state:   []string{".yarn-state.yml", ".package-map.json"},
		beside:  []string{".yarn/install-state.gz", ".yarn/build-state.yml"},
	}
	if j.plan.Manager.PnP {
		c.beside = append(c.beside, ".pnp.cjs", ".pnp.loader.mjs", ".pnp.data.json", ".yarn/unplugged", ".yarn/cache")
	}
	if j.tools.Manager.major() < 4 && !j.plan.Manager.Focus {
		return c
	}
	c.prune = []string{"yarn", "workspaces", "focus", "--all", "--production"}
	return c
}

func (j *job) pnpm() commands {
	c := commands{
		install: []string{"pnpm", "install", "--frozen-lockfile"},
		prune:   []string{"pnpm", "install", "--frozen-lockfile", "--prod", "--ignore-scripts", "--prefer-offline"},
		state:   []string{".modules.yaml", ".pnpm-workspace-state.json", ".pnpm-workspace-state-v1.json"},
	}
	if !j.plan.DevDeps {
		c.install = append(c.install, "--prod")
	}
	for name, value := range map[string]string{
		"store_dir": insidePNPM,
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
		if j.tools.Manager.major() >= 11 {
			prefix = "pnpm_config_"
		}
		c.env = append(c.env, prefix+name+"="+value)
	}
	return c
}

// runArgs runs a script of package.json, as its author does.
func (m Manager) runArgs(script string) []string { return []string{m.Tool.Command(), "run", script} }

// yarnSettings are the user's settings of Yarn 2 and later, which knows neither npm's nor the variables of a proxy. A
// repository's own .yarnrc.yml outranks them.
func yarnSettings(registry *url.URL, boxed bool) string {
	// Nothing but these lines is in the file, and a URL's text has no quotes.
	lines := []string{fmt.Sprintf("npmRegistryServer: %q", strings.TrimSuffix(registry.String(), "/"))}
	if registry.Scheme == "http" {
		lines = append(lines, fmt.Sprintf("unsafeHttpWhitelist: [%q]", registry.Hostname()))
	}
	if boxed {
		lines = append(lines, fmt.Sprintf("httpProxy: %q", sandbox.ProxyURL), fmt.Sprintf("httpsProxy: %q", sandbox.ProxyURL))
	}
	return strings.Join(lines, "\n") + "\n"
}

// publicHosts are the names of npm's public registry in a lockfile of yarn 1, which takes a package from where the
// lockfile says, and knows no setting for it.
var publicHosts = []string{"https://registry.yarnpkg.com/", "https://registry.npmjs.org/"}

// yarnLock is a lockfile of yarn 1 whose packages come from the server's registry. Only the addresses change; the
// hashes, by which yarn checks what it gets, stay.
func yarnLock(lock []byte, registry string) []byte {
	text := string(lock)
	for _, host := range publicHosts {
		text = strings.ReplaceAll(text, `  resolved "`+host, `  resolved "`+registry)
	}
	return []byte(text)
}
