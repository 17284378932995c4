package nodeapp

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
)

func TestFindStart(t *testing.T) {
	scripts := map[string]string{
		"start": "node server.js", "start:prod": "NODE_ENV=production node dist/main", "next": "next start -p $PORT",
		"deep": "npm run start:prod -- --flag", "loop": "npm run loop", "prestart": "echo hi", "cross": "cross-env A=1 B='x y' node x",
	}
	for text, c := range map[string]struct {
		args []string
		env  map[string]string
	}{
		"node server.js":                      {[]string{"node", "server.js"}, nil},
		"exec node server.js":                 {[]string{"node", "server.js"}, nil},
		"A=1 B=\"two words\" node x":          {[]string{"node", "x"}, map[string]string{"A": "1", "B": "two words"}},
		"A= node x":                           {[]string{"node", "x"}, map[string]string{"A": ""}},
		"node x --port=$PORT --y ${HOST}z":    {[]string{"node", "x", "--port=${PORT}", "--y", "${HOST}z"}, nil},
		"node \"a b\" 'c d' e\\ f \"g\\\"h\"": {[]string{"node", "a b", "c d", "e f", `g"h`}, nil},
		"npm start":                           {[]string{"node", "server.js"}, nil},
		"npm -s run start:prod":               {[]string{"node", "dist/main"}, map[string]string{"NODE_ENV": "production"}},
		"npm run deep":                        {[]string{"node", "dist/main", "--flag"}, map[string]string{"NODE_ENV": "production"}},
		"npx --yes next start":                {[]string{"next", "start"}, nil},
		"npm run next":                        {[]string{"next", "start", "-p", "${PORT}"}, nil},
		"npm run cross":                       {[]string{"node", "x"}, map[string]string{"A": "1", "B": "x y"}},
		"env A=1 node x":                      {[]string{"node", "x"}, map[string]string{"A": "1"}},
		"PORT=1 node x":                       {[]string{"node", "x"}, nil},
		"node a # comment":                    {[]string{"node", "a"}, nil},
	} {
		s, err := findStart(PackageJSON{Scripts: scripts}, "web: "+text+"\nworker: node w\n", nil)
		if err != nil || !slices.Equal(s.args, c.args) || !maps.Equal(s.Env, c.env) {
			t.Errorf("%s: %q %q, %v; want %q %q", text, s.args, s.Env, err, c.args, c.env)
		}
		if len(s.warnings) == 0 || !strings.Contains(s.warnings[0], "worker") {
			t.Errorf("%s: warnings: %q", text, s.warnings)
		}
	}
	for text, reason := range map[string]string{
		"node a && node b":       "needs a shell",
		"node a; node b":         "is not one command",
		"node a | tee x":         "needs a shell",
		"node a &":               "needs a shell",
		"node a > log":           "needs a shell",
		"node *.js":              "for its pattern",
		"node ~/x":               "for its pattern",
		"node $(cat x)":          "for its substitutions",
		"node `cat x`":           "for its substitutions",
		"node ${PORT:-3000}":     "for its variables",
		"node $1":                "for its variables",
		"node '$PORT'":           "a literal dollar",
		"A=$B node x":            "from another variable",
		"A=1":                    "starts nothing",
		"exec":                   "starts nothing",
		"(node x)":               "needs a shell",
		"if true; then x; fi":    "needs a shell",
		"node 'x":                "cannot be read",
		"npm ci":                 "more than to run a script",
		"npm run":                "more than to run a script",
		"npm run nothing":        "is not in package.json",
		"npm run loop":           "in a circle",
		"cross-env A=$B node x":  "from another variable",
		strings.Repeat("a", 9e3): "is too long",
	} {
		_, err := findStart(PackageJSON{Scripts: scripts}, "web: "+text, nil)
		rejected(t, err, reason)
	}
}

func TestStartFallsBack(t *testing.T) {
	for name, c := range map[string]struct {
		m    PackageJSON
		has  []string
		args []string
	}{
		"scripts.start":        {PackageJSON{Scripts: map[string]string{"start": "node a"}, Main: "b.js"}, []string{"b.js"}, []string{"node", "a"}},
		"main":                 {PackageJSON{Main: "b.js"}, []string{"b.js", "server.js"}, []string{"node", "b.js"}},
		"main made by a build": {PackageJSON{Main: "dist/b.js", Scripts: map[string]string{"build": "tsc"}}, []string{"server.js"}, []string{"node", "dist/b.js"}},
		"server.js":            {PackageJSON{Main: "b.js"}, []string{"server.js", "index.js"}, []string{"node", "server.js"}},
		"index.js":             {PackageJSON{}, []string{"index.js"}, []string{"node", "index.js"}},
	} {
		s, err := findStart(c.m, "", func(n string) bool { return slices.Contains(c.has, n) })
		if err != nil || !slices.Equal(s.args, c.args) {
			t.Errorf("%s: %q, %v; want %q", name, s.args, err, c.args)
		}
	}
	_, err := findStart(PackageJSON{}, "release: x\n", func(string) bool { return false })
	rejected(t, err, "no start command")
	s, err := findStart(PackageJSON{Scripts: map[string]string{"start": "node a", "prestart": "x"}}, "", nil)
	if err != nil || len(s.warnings) != 1 || !strings.Contains(s.warnings[0], "scripts.prestart does not run") {
		t.Errorf("warnings: %q, %v", s.warnings, err)
	}
}

func TestPrograms(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"node_modules/next/dist/bin/next": "#!/usr/bin/env node\n", "node_modules/nest/bin/nest.js": "'use strict'",
		"node_modules/flag/cli": "#!/usr/bin/env -S node --no-warnings\n", "node_modules/sh/run": "#!/bin/sh\n",
		"node_modules/native/tool": "\x7fELF", "bin/www": "#!/usr/bin/env node\n", "run.sh": "#!/bin/sh\n",
	} {
		check(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755))
		check(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
	check(t, os.Mkdir(filepath.Join(dir, "node_modules/.bin"), 0o755))
	for name, target := range map[string]string{
		"next": "../next/dist/bin/next", "nest": "../nest/bin/nest.js", "flag": "../flag/cli", "sh": "../sh/run",
		"native": "../native/tool", "out": "../../../../../../etc/passwd", "abs": "/etc/passwd", "gone": "../gone",
	} {
		check(t, os.Symlink(target, filepath.Join(dir, "node_modules/.bin", name)))
	}
	root, err := os.OpenRoot(dir)
	check(t, err)
	defer root.Close()
	installed, err := FindPrograms(root.FS())
	check(t, err)
	for command, want := range map[string]string{
		"node x": "/usr/bin/node x", "next start": "/usr/bin/node node_modules/next/dist/bin/next start",
		"nest": "/usr/bin/node node_modules/nest/bin/nest.js", "flag a": "/usr/bin/node --no-warnings node_modules/flag/cli a",
		"./node_modules/.bin/next start": "/usr/bin/node node_modules/next/dist/bin/next start",
		"./bin/www":                      "/usr/bin/node bin/www",
		"sh":                             "", "native": "", "out": "", "abs": "", "gone": "", "./run.sh": "", "python3 x": "", "../../bin/sh": "",
	} {
		args, err := StartCommand{args: strings.Fields(command)}.resolve(root.FS(), installed)
		if want == "" {
			rejected(t, err, "is no program that NodeOS can run")
		} else if err != nil || strings.Join(args, " ") != want {
			t.Errorf("%s: %q, %v; want %s", command, args, err, want)
		}
	}
}

// FuzzStartCommand: whatever passes has only plain variables, which the core
// fills in, and no line breaks.
func FuzzStartCommand(f *testing.F) {
	for _, s := range []string{"node server.js", "A=1 node $PORT", "a && b", "x '$y' \"${z}\"", "npm run x -- y", `a\` + "\nb"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		w, err := splitCommand(text)
		if err != nil {
			rejected(t, err, "the start command")
			return
		}
		for name, value := range w.env {
			if !core.IsVarName(name) || strings.ContainsAny(value, "$\n\x00") {
				t.Errorf("%q sets %q to %q", text, name, value)
			}
		}
		for _, a := range w.args {
			rest := os.Expand(a, func(name string) string {
				if !core.IsVarName(name) {
					t.Errorf("%q: the variable %q", text, name)
				}
				return ""
			})
			if strings.ContainsAny(rest, "$\n\x00") {
				t.Errorf("%q gives %q", text, a)
			}
		}
	})
}

// TestArgv: what main names must be there when the build has ended, as Node would find it.
func TestArgv(t *testing.T) {
	app := repository(map[string]string{"dist/a.js": "", "dist/b.mjs": "", "lib/index.js": "", "package.json": "{}"})
	for main, want := range map[string]string{
		"dist/a.js": "/usr/bin/node dist/a.js", "./dist/a.js": "/usr/bin/node ./dist/a.js", "dist/a": "/usr/bin/node dist/a",
		"dist/b": "/usr/bin/node dist/b", "lib": "/usr/bin/node lib",
		"dist/c.js": "", "dist/c": "", "../a.js": "", "/dist/a.js": "", "dist/../../etc/passwd": "",
	} {
		p := Plan{Package: PackageJSON{Main: main, Scripts: map[string]string{"build": "tsc"}}}
		var err error
		p.Start, err = findStart(p.Package, "", func(string) bool { return false })
		check(t, err)
		args, err := p.Argv(app, nil)
		if want == "" {
			rejected(t, err, "there is no such file")
		} else if err != nil || strings.Join(args, " ") != want {
			t.Errorf("%s: %q, %v; want %s", main, args, err, want)
		}
	}
}
