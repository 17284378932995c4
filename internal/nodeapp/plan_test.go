package nodeapp

import (
	"strings"
	"testing"
)

func TestPlanRejections(t *testing.T) {
	const deps = `{"dependencies": {"ms": "2"}, "scripts": {"start": "node ."}}`
	for name, c := range map[string]struct {
		files   map[string]string
		refused string
	}{
		"empty":             {nil, "the repository is empty"},
		"no package.json":   {map[string]string{"a.js": ""}, "no package.json at the root"},
		"below":             {map[string]string{"app/package.json": "{}"}, "no package.json at the root"},
		"a folder":          {map[string]string{"package.json/x": "{}"}, "no package.json at the root"},
		"a symlink":         {map[string]string{"package.json": "-> p.json", "p.json": "{}"}, "package.json is a symlink"},
		"broken":            {map[string]string{"package.json": "{\n  \"name\": \"x\",\n  oops\n}"}, "line 3, column 3"},
		"cut off":           {map[string]string{"package.json": "{\"name\": "}, "ends too early"},
		"empty file":        {map[string]string{"package.json": ""}, "ends too early"},
		"a list":            {map[string]string{"package.json": "[]"}, "not a JSON object"},
		"too large":         {map[string]string{"package.json": strings.Repeat(" ", packageLimit+1)}, "larger than 1 MiB"},
		"bun":               {map[string]string{"package.json": deps, "bun.lock": "{}"}, "bun.lock is of bun, which gitd does not run"},
		"pnpm's lockfile":   {map[string]string{"package.json": deps, "pnpm-lock.yaml": "x: 1"}, "pnpm-lock.yaml is broken: it has no lockfileVersion"},
		"old pnpm":          {map[string]string{"package.json": deps, "pnpm-lock.yaml": "lockfileVersion: 5.1\n"}, "pnpm-lock.yaml has version 5.1"},
		"a Yarn to come":    {map[string]string{"package.json": deps, "yarn.lock": "#\n\n__metadata:\n  version: 99\n"}, "yarn.lock has version 99"},
		"the other yarn":    {map[string]string{"package.json": `{"scripts": {"start": "node a.js"}, "packageManager": "yarn@4.1.0", "dependencies": {"ms": "2"}}`, "yarn.lock": "# yarn lockfile v1\n"}, "yarn.lock is not of yarn 4.1.0"},
		"packageManager":    {map[string]string{"package.json": `{"packageManager": "pnpm@latest"}`}, `packageManager is "pnpm@latest"`},
		"pnpm's, missing":   {map[string]string{"package.json": `{"scripts": {"start": "node a.js"}, "packageManager": "pnpm@10.0.0", "dependencies": {"ms": "2"}}`}, "packageManager says pnpm, but there is no lockfile of it"},
		"a hidden lockfile": {map[string]string{"package.json": deps, ".gitignore": "dist\n/package-lock.json\n"}, ".gitignore hides package-lock.json"},
		"workspace:":        {map[string]string{"package.json": `{"scripts": {"start": "node a.js"}, "dependencies": {"a": "workspace:*"}}`}, `npm does not know "a: workspace:*"`},
		"broken settings":   {map[string]string{"package.json": deps, "pnpm-lock.yaml": "lockfileVersion: '9.0'\n", "pnpm-workspace.yaml": "a: [b"}, "pnpm-workspace.yaml is broken"},
		"broken lockfile":   {map[string]string{"package.json": deps, "package-lock.json": "{"}, "package-lock.json is broken"},
		"no start command":  {map[string]string{"package.json": "{}"}, "no start command"},
		"main is not there": {map[string]string{"package.json": `{"main": "a.js"}`}, `main is "a.js", and there is no such file`},
		"memory":            {map[string]string{"package.json": `{"main":"a.js","nodeos":{"memory":"lots"}}`, "a.js": ""}, "nodeos.memory is"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := MakePlan(repository(c.files), "")
			rejected(t, err, c.refused)
		})
	}
}

func TestPlan(t *testing.T) {
	const lock = `{"lockfileVersion": 3, "packages": {"": {}, "node_modules/ms": {"version": "2.1.3"}}}`
	for name, c := range map[string]struct {
		pkg, lock      string
		install, build bool
		fresh          string
	}{
		"plain":                   {`{"main":"a.js"}`, "", false, false, ""},
		"deps":                    {`{"main":"a.js","dependencies":{"ms":"2"}}`, lock, true, false, ""},
		"dev only":                {`{"main":"a.js","devDependencies":{"ms":"2"}}`, "", false, false, ""},
		"dev only, build":         {`{"main":"a.js","devDependencies":{"ms":"2"},"scripts":{"build":"x"}}`, lock, true, true, ""},
		"build only":              {`{"main":"a.js","scripts":{"build":"x"}}`, "", false, true, ""},
		"postinstall":             {`{"main":"a.js","dependencies":{"ms":"2"},"scripts":{"postinstall":"x"}}`, lock, true, false, "scripts.postinstall"},
		"workspaces":              {`{"main":"a.js","workspaces":["a"]}`, lock, true, false, "workspaces"},
		"package in the repo":     {`{"main":"a.js","dependencies":{"b":"file:b"}}`, `{"packages":{"b":{},"node_modules/b":{"resolved":"b","link":true}}}`, true, false, "package of this repository"},
		"keys are case-sensitive": {`{"main":"a.js","DEPENDENCIES":{"ms":"2"}}`, "", false, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"package.json": c.pkg, "a.js": ""}
			if c.lock != "" {
				files["package-lock.json"] = c.lock
			}
			p, err := MakePlan(repository(files), "")
			check(t, err)
			if p.Install != c.install || p.Build != c.build || !strings.Contains(p.Fresh, c.fresh) || (c.fresh == "") != (p.Fresh == "") {
				t.Errorf("install %t, build %t, fresh %q", p.Install, p.Build, p.Fresh)
			}
		})
	}
}
