package command

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/nodeapp/shell"
)

// script follows a script of the package in sc.dir, with its pre- and post-script, as npm runs them.
func (w *walker) script(sc *scope, a ask) (*tree, error) {
	m, err := w.packages.at(sc.dir)
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(m.Scripts[a.name]) == "" {
		return noScript(w, sc, a)
	}
	if buildsByName(a.name) && !w.whole {
		return buildScript(w, sc, a), nil
	}
	inner, err := sc.follow(a, m)
	if err != nil {
		return nil, err
	}
	all := known(succeeds)
	for _, part := range []string{"pre" + a.name, a.name, "post" + a.name} {
		text := m.Scripts[part]
		if strings.TrimSpace(text) == "" || (part != a.name && (a.bare || (a.tool == "yarn" && w.berry))) {
			continue
		}
		if part == a.name && a.rest != nil {
			text = strings.Join(append([]string{text}, a.rest.Sources...), " ")
		}
		own := inner.copy()
		own.set = append(own.set, npmVariables(m, part)...)
		t, err := w.text(own, text)
		if err != nil {
			return nil, err
		}
		all = pair(shell.And, all, t)
	}
	return all, nil
}

// follow is the scope of a script. One that is followed already is refused.
func (sc *scope) follow(a ask, m Package) (*scope, error) {
	name := path.Join(sc.dir, a.name)
	if i := slices.Index(sc.stack, name); i >= 0 {
		return nil, core.Reject("the start scripts in package.json call one another in a circle: "+
			shorten(strings.Join(append(sc.stack[i:], name), " → ")), "name a program in one of them, such as `node server.js`")
	}
	if len(sc.stack) >= maxScripts {
		return nil, core.Reject(fmt.Sprintf("the start command goes through more than %d scripts: %s", maxScripts,
			shorten(strings.Join(sc.stack, " → "))), "name the program in scripts.start")
	}
	inner := sc.copy()
	inner.stack = append(inner.stack, name)
	// What an outer npm has set, the inner one sets again.
	inner.set = slices.DeleteFunc(inner.set, func(s core.Assignment) bool { return isNPMVariable(s.Name) })
	return inner, nil
}

// noScript is what happens where a script is missing.
func noScript(w *walker, sc *scope, a ask) (*tree, error) {
	server := path.Join(sc.dir, "server.js")
	switch {
	case a.maybe:
		return known(succeeds), nil
	case a.name == "start" && a.tool == "npm" && exists(w.packages.repo, server):
		c := &shell.Call{Words: []core.Word{core.Plain("node"), core.Plain("server.js")}, Sources: []string{"node", "server.js"}}
		if a.rest != nil {
			c.Words, c.Sources = append(c.Words, a.rest.Words...), append(c.Sources, a.rest.Sources...)
		}
		c.Text = strings.Join(c.Sources, " ")
		return w.program(sc, c)
	}
	return nil, core.Reject(
		fmt.Sprintf("the start command runs the script %q, which is not in %s", shorten(a.name), path.Join(sc.dir, File)),
		`add it under "scripts"`)
}

var (
	buildNames = regexp.MustCompile(`^(build|compile|bundle|transpile|clean|lint|typecheck|type-check|tsc)([:_-].*)?$`)
	goesOn     = regexp.MustCompile(`\b(start|serve|run|watch|dev)\b`)
)

// buildsByName reports whether a script is one that only builds. What is in it may need a shell, which a build has.
func buildsByName(name string) bool { return buildNames.MatchString(name) && !goesOn.MatchString(name) }

// buildScript is a script that runs at build time as a whole.
func buildScript(w *walker, sc *scope, a ask) *tree {
	text := "npm run " + a.name
	if a.rest != nil && len(a.rest.Sources) > 0 {
		text += " -- " + strings.Join(a.rest.Sources, " ")
	}
	w.steps++
	return &tree{leaf: &leaf{text: text, dir: sc.dir, exports: sc.exports, build: true}}
}

// npmVariables are those of npm that programs rely on: who they are, what their package.json configures, and which
// script runs. Those that tell where npm is are left out, since there is none.
func npmVariables(m Package, event string) []core.Assignment {
	vars := map[string]string{"npm_lifecycle_event": event}
	for key, v := range map[string]string{"name": m.Name, "version": m.Version} {
		if v != "" {
			vars["npm_package_"+key] = v
		}
	}
	for key, v := range m.Config {
		if name := "npm_package_config_" + key; core.IsVarName(name) {
			vars[name] = v
		}
	}
	var all []core.Assignment
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		all = append(all, core.Assignment{Name: name, Value: core.Plain(vars[name])})
	}
	return all
}

func isNPMVariable(name string) bool {
	return name == "npm_lifecycle_event" || strings.HasPrefix(name, "npm_package_")
}
