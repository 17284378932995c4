package nodeapp

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// maxScripts bounds the scripts that start one another.
const maxScripts = 8

// StartCommand is what starts the app, before the programs in it are found.
type StartCommand struct {
	Env  map[string]string // the variables that the command sets, without PORT
	From string            // where the command was found, for people

	args     []string
	warnings []string
}

// findStart looks for the start command: in the Procfile, in scripts.start, in main, and then by the usual names. proc
// is the Procfile's text, and has reports whether the repository has a file.
func findStart(m PackageJSON, proc string, has func(name string) bool) (StartCommand, error) {
	web, others := procfileEntries(proc)
	s := StartCommand{Env: map[string]string{}}
	if len(others) > 0 {
		s.warn("Procfile: only web is started, not %s", strings.Join(others, ", "))
	}
	switch {
	case web != "":
		s.From = procfile
		return s, s.follow(m, web, 0)
	case m.Scripts["start"] != "":
		s.From = "scripts.start"
		return s, s.followScript(m, "start", nil, 0)
	}
	for _, file := range []string{m.Main, "server.js", "index.js"} {
		if file != "" && (has(file) || (file == m.Main && m.Scripts["build"] != "")) {
			s.From = file
			if strings.ContainsAny(file, "$\x00\n") || strings.HasPrefix(file, "-") {
				return s, core.Reject(fmt.Sprintf("package.json: main is %q", shorten(file)), "name a file of the app")
			}
			s.args = []string{"node", file}
			return s, nil
		}
	}
	return s, core.Reject("no start command",
		`add "scripts": {"start": "node server.js"} to package.json, or a Procfile with a line "web: node server.js"`)
}

var procLine = regexp.MustCompile(`^([A-Za-z0-9_-]+):\s*(.+)$`)

// procfileEntries returns the web command and the names of the others.
func procfileEntries(text string) (web string, others []string) {
	for line := range strings.Lines(text) {
		m := procLine.FindStringSubmatch(strings.TrimSpace(line))
		switch {
		case m == nil:
		case m[1] == "web":
			web = m[2]
		default:
			others = append(others, progress.Printable(m[1]))
		}
	}
	return web, others
}

// follow reads a command and, if the command runs a script of package.json, that script.
func (s *StartCommand) follow(m PackageJSON, text string, depth int) error {
	w, err := splitCommand(text)
	if err != nil {
		return err
	}
	for name, value := range w.env {
		s.setenv(name, value)
	}
	if w.args, err = s.unwrap(w, text); err != nil {
		return err
	}
	switch w.args[0] {
	case "npm", "yarn", "pnpm":
		script, extra, err := scriptOf(w.args, text)
		if err != nil {
			return err
		}
		return s.followScript(m, script, extra, depth+1)
	}
	s.args = w.args
	return nil
}

// followScript reads a script of package.json. extra are arguments for it, which come at its end, as with npm.
func (s *StartCommand) followScript(m PackageJSON, name string, extra []string, depth int) error {
	if depth > maxScripts {
		return core.Reject("the start scripts in package.json call one another in a circle", prepare)
	}
	for _, around := range []string{"pre" + name, "post" + name} {
		if m.Scripts[around] != "" {
			s.warn("scripts.%s does not run in the VM: do preparations in scripts.build", shorten(around))
		}
	}
	text, ok := m.Scripts[name]
	if !ok || strings.TrimSpace(text) == "" {
		return core.Reject(
			fmt.Sprintf("the start command runs the script %q, which is not in package.json", shorten(name)),
			`add it under "scripts"`)
	}
	if err := s.follow(m, text, depth); err != nil {
		return err
	}
	s.args = append(s.args, extra...)
	return nil
}

// setenv keeps a variable that the command sets. If a script sets it again, the script's value counts, as in a shell.
func (s *StartCommand) setenv(name, value string) {
	if name == "PORT" {
		s.warn("PORT=%s in the start command is ignored: the app must listen on $PORT", shorten(value))
		return
	}
	s.Env[name] = value
}

func (s *StartCommand) warn(format string, args ...any) {
	s.warnings = append(s.warnings, fmt.Sprintf(format, args...))
}

// unwrap removes from the beginning of a command what only prepares it: exec, env, cross-env, npx.
func (s *StartCommand) unwrap(w words, text string) ([]string, error) {
	args := slices.Clone(w.args)
	for len(args) > 0 {
		switch args[0] {
		case "exec":
			args = args[1:]
		case "env", "cross-env":
			inner := words{env: map[string]string{}}
			args = args[1:]
			for len(args) > 0 && strings.Contains(args[0], "=") {
				name, value, _ := strings.Cut(args[0], "=")
				if err := inner.set(name, value); err != nil {
					return nil, core.Reject(fmt.Sprintf("the start command %q %s", shorten(text), err), prepare)
				}
				args = args[1:]
			}
			for _, name := range slices.Sorted(maps.Keys(inner.env)) {
				s.setenv(name, inner.env[name])
			}
		case "npx":
			for args = args[1:]; len(args) > 0 && strings.HasPrefix(args[0], "-"); {
				args = args[1:]
			}
		default:
			return args, nil
		}
	}
	return nil, core.Reject(fmt.Sprintf("the start command %q starts nothing", shorten(text)), prepare)
}

// scriptOf reads "npm start", "npm run x" and the like: the script's name and
// what is passed on to it.
func scriptOf(args []string, text string) (script string, extra []string, err error) {
	tool, rest := args[0], args[1:]
	if i := slices.Index(rest, "--"); i >= 0 {
		rest, extra = rest[:i], rest[i+1:]
	}
	rest = slices.DeleteFunc(slices.Clone(rest), func(a string) bool { return strings.HasPrefix(a, "-") })
	switch {
	case len(rest) > 0 && rest[0] == "start":
		return "start", append(rest[1:], extra...), nil
	case len(rest) > 1 && (rest[0] == "run" || rest[0] == "run-script"):
		return rest[1], append(rest[2:], extra...), nil
	}
	return "", nil, core.Reject(
		fmt.Sprintf("the start command %q uses %s for more than to run a script", shorten(text), tool),
		"NodeOS has Node and no "+tool+": do preparations in scripts.build")
}
