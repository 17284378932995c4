package nodeapp

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
)

// monorepo has two apps and a package that both need. more replaces files of it.
func monorepo(more map[string]string) map[string]string {
	files := map[string]string{
		"package.json":                 `{"name": "mono", "workspaces": ["packages/*"], "engines": {"node": ">=20"}, "scripts": {"start": "node wrong.js"}}`,
		"package-lock.json":            `{"packages": {}}`,
		"packages/api/package.json":    `{"name": "@a/api", "scripts": {"start": "node server.js"}, "dependencies": {"@a/shared": "*"}}`,
		"packages/api/server.js":       "",
		"packages/web/package.json":    `{"name": "@a/web", "main": "web.js", "dependencies": {"@a/shared": "*"}, "nodeos": {"memory": "256M"}}`,
		"packages/web/web.js":          "",
		"packages/shared/package.json": `{"name": "@a/shared", "main": "index.js"}`,
		"alone/package.json":           `{"scripts": {"start": "node index.js"}}`,
		"alone/index.js":               "",
	}
	maps.Copy(files, more)
	return files
}

// TestFolders: which folder is the app, what is built, and what starts where.
func TestFolders(t *testing.T) {
	for name, c := range map[string]struct {
		dir   string
		more  map[string]string
		want  string // the fact "folder"
		build string // the fact "build"
		start string // in its folder
	}{
		"a workspace, by the server": {dir: "packages/api",
			want:  "packages/api, a workspace with packages/shared; left out, because it does not depend on them: packages/web (apps:config)",
			start: "/usr/bin/node server.js in packages/api"},
		"by the root's package.json": {more: map[string]string{"package.json": `{"workspaces": ["packages/*"], "nodeos": {"dir": "./packages/web/"}}`},
			want:  "packages/web, a workspace with packages/shared; left out, because it does not depend on them: packages/api (nodeos.dir)",
			start: "/usr/bin/node web.js in packages/web"},
		"the server goes first": {dir: "packages/api", more: map[string]string{"package.json": `{"workspaces": ["packages/*"], "nodeos": {"dir": "packages/web"}}`},
			want:  "packages/api, a workspace with packages/shared; left out, because it does not depend on them: packages/web (apps:config)",
			start: "/usr/bin/node server.js in packages/api"},
		"the root, by the server": {dir: ".", more: map[string]string{"package.json": `{"main": "m.js", "nodeos": {"dir": "packages/web"}}`, "m.js": ""},
			start: "/usr/bin/node m.js in "},
		"a lone folder":       {dir: "alone", want: "alone alone (apps:config)", start: "/usr/bin/node index.js in "},
		"nothing at the root": {dir: "alone", more: map[string]string{"package.json": "-> x", "package-lock.json": ""}, want: "", start: ""},
		"builds, each after what it needs": {dir: "packages/api", more: map[string]string{
			"packages/api/package.json":    `{"name": "@a/api", "scripts": {"start": "npm run build && node dist", "build": "tsc"}, "devDependencies": {"@a/shared": "workspace:*"}}`,
			"packages/shared/package.json": `{"name": "@a/shared", "scripts": {"build": "tsc"}}`,
			"packages/web/package.json":    `{"name": "@a/web", "scripts": {"build": "vite build"}}`},
			want: "packages/api, a workspace with packages/shared; left out, because it does not depend on them: packages/web (apps:config)",
			build: `cd packages/shared && npm run build, then ` +
				`cd packages/api && npm run build (scripts.build of the workspaces)`,
			start: "/usr/bin/node dist in packages/api"},
		"pnpm": {dir: "packages/api", more: map[string]string{
			"package.json": `{"packageManager": "pnpm@10.34.9"}`, "pnpm-lock.yaml": "lockfileVersion: '9.0'\n", "pnpm-workspace.yaml": "packages: ['packages/*']\n",
			"packages/shared/package.json": `{"name": "@a/shared", "scripts": {"build": "tsc"}}`},
			want:  "packages/api, a workspace with packages/shared; left out, because it does not depend on them: packages/web (apps:config)",
			build: `cd packages/shared && pnpm run build (scripts.build of the workspaces)`,
			start: "/usr/bin/node server.js in packages/api"},
		"Turborepo": {dir: "packages/api", more: map[string]string{"turbo.json": "{}",
			"package.json":              `{"workspaces": {"packages": ["packages/*"]}, "devDependencies": {"turbo": "2"}, "scripts": {"build": "turbo run build"}}`,
			"packages/api/package.json": `{"name": "@a/api", "scripts": {"start": "node server.js", "build": "tsc"}}`},
			want:  "packages/api, a workspace; left out, because it does not depend on them: packages/shared, packages/web (apps:config)",
			build: "turbo run build --env-mode=loose --filter=./packages/api (turbo.json)",
			start: "/usr/bin/node server.js in packages/api"},
		"Nx": {dir: "packages/api", more: map[string]string{"nx.json": "{}",
			"package.json":              `{"workspaces": ["packages/*"], "devDependencies": {"nx": "21"}}`,
			"packages/api/package.json": `{"name": "@a/api", "scripts": {"start": "node server.js", "build": "tsc"}}`},
			want:  "packages/api, a workspace; left out, because it does not depend on them: packages/shared, packages/web (apps:config)",
			build: "nx run-many -t build -p '@a/api' (nx.json)",
			start: "/usr/bin/node server.js in packages/api"},
		"the root's build is for all": {dir: "packages/api", more: map[string]string{
			"package.json": `{"workspaces": ["packages/*"], "scripts": {"build": "tsc -b"}}`},
			want: "packages/api, with the whole repository (apps:config)", build: "npm run build (scripts.build)",
			start: "/usr/bin/node server.js in packages/api"},
		"heroku-postbuild": {dir: "packages/api", more: map[string]string{
			"packages/api/package.json": `{"name": "@a/api", "scripts": {"start": "node server.js", "build": "tsc", "heroku-postbuild": "x"}}`},
			want:  "packages/api, a workspace; left out, because it does not depend on them: packages/shared, packages/web (apps:config)",
			build: `cd packages/api && npm run heroku-postbuild (scripts.build of the workspaces)`,
			start: "/usr/bin/node server.js in packages/api"},
		"its own lockfile, and none at the root": {dir: "packages/api", more: map[string]string{
			"package-lock.json": "", "packages/api/package-lock.json": `{"packages": {}}`},
			want: "packages/api alone (apps:config)", start: "/usr/bin/node server.js in "},
		"a Procfile of the folder": {dir: "packages/api", more: map[string]string{"packages/api/Procfile": "web: node other.js\n", "packages/api/other.js": ""},
			want:  "packages/api, a workspace with packages/shared; left out, because it does not depend on them: packages/web (apps:config)",
			start: "/usr/bin/node other.js in packages/api"},
		"a program of the root": {dir: "packages/api", more: map[string]string{
			"packages/api/package.json": `{"name": "@a/api", "scripts": {"start": "serve ."}, "dependencies": {"serve": "14"}}`},
			want:  "packages/api, a workspace; left out, because it does not depend on them: packages/shared, packages/web (apps:config)",
			start: "/usr/bin/node /app/node_modules/serve/main.js . in packages/api"},
	} {
		t.Run(name, func(t *testing.T) {
			files := monorepo(c.more)
			for name, text := range c.more {
				if text == "" && strings.HasSuffix(name, "-lock.json") {
					delete(files, name)
				}
			}
			if files["package.json"] == "-> x" {
				delete(files, "package.json")
				c.want, c.start = "alone alone (apps:config)", "/usr/bin/node index.js in "
			}
			p, err := MakePlan(repository(files), c.dir)
			check(t, err)
			facts := map[string]string{}
			for _, f := range p.Facts() {
				facts[f.Name] = fmt.Sprintf("%s (%s)", f.Value, f.Rule)
			}
			if facts["folder"] != c.want || facts["build"] != c.build {
				t.Errorf("got  %s\n     %s\nwant %s\n     %s", facts["folder"], facts["build"], c.want, c.build)
			}
			app := repository(files)
			if p.Folder.Lone {
				app = repository(below(files, c.dir))
			}
			steps, err := p.Commands(app, Programs{"serve": {"node_modules/serve/main.js"}})
			check(t, err)
			if got := steps[0].String() + " in " + steps[0].Dir; got != c.start {
				t.Errorf("starts %q, want %q", got, c.start)
			}
		})
	}
}

// below are the files of a folder.
func below(files map[string]string, dir string) map[string]string {
	some := map[string]string{}
	for name, text := range files {
		if rest, ok := strings.CutPrefix(name, dir+"/"); ok {
			some[rest] = text
		}
	}
	return some
}

// TestFolderRefused: each folder that cannot be the app is refused with what it lacks, and what to type.
func TestFolderRefused(t *testing.T) {
	for _, c := range []struct {
		dir    string
		more   map[string]string
		reason string
		hint   string
	}{
		{"packages/apii", nil, `apps:config says "packages/apii", and there is no such folder in the repository`,
			"these have a package.json: packages/api, packages/shared, packages/web"},
		{"api", nil, `there is no such folder`, "these have a package.json: packages/api, "},
		{"../other", nil, `"../other" leads through ".."`, "name a folder below the root"},
		{"/etc", nil, `"/etc" begins with a slash`, ""},
		{"link", map[string]string{"link": "-> packages/api"}, `"link" is a symlink`, "name the folder itself"},
		{"link/api", map[string]string{"link": "-> packages"}, `"link" is a symlink`, ""},
		{"out/x", map[string]string{"out": "-> ../.."}, `"out" is a symlink`, ""},
		{"packages/api/server.js", nil, "which is no folder", ""},
		{"packages", nil, `there is no package.json in it`, "npm init"},
		{"apps/shop", map[string]string{"apps/shop/project.json": "{}"}, `there is no package.json in it`, `"build": "nx build shop", "start": "node dist/apps/shop/main.js"`},
		{"", map[string]string{"package.json": `{"nodeos": {"dir": "../x"}}`}, `"../x" leads through ".."`, ""},
		{"", map[string]string{"package.json": `{"nodeos": {"dir": 3}}`}, `package.json: nodeos.dir is 3`, `such as "packages/api"`},
		{"", map[string]string{"package.json": `{"nodeos": {"dir": "gone"}}`}, `nodeos.dir says "gone"`, "packages/api"},
		{"packages/api", map[string]string{"packages/api/package.json": "{"}, "packages/api/package.json is broken", ""},
		{"packages/api", map[string]string{"packages/api/package.json": "-> ../x"}, "packages/api/package.json is a symlink", ""},
		{"alone", map[string]string{"alone/package.json": `{"dependencies": {"shared": "file:../packages/shared"}}`},
			`alone needs ../packages/shared ("shared"), outside of its folder`, `"workspaces": ["alone", "packages/shared"]`},
		{"", map[string]string{"package.json": `{"workspaces": ["packages/*"], "scripts": {"build": "x"}}`},
			"no start command at the root of this monorepo; there is one in alone, packages/api", "apps:config APP --dir alone"},
		{"packages/api", map[string]string{"pnpm-workspace.yaml": "packages: ["}, "pnpm-workspace.yaml is broken", ""},
		{"packages/api", map[string]string{"package-lock.json": "", "package.json": "{}", "pnpm-workspace.yaml": "packages: ['packages/*']"},
			"pnpm-workspace.yaml says pnpm, but there is no lockfile of it", "pnpm install --lockfile-only"},
	} {
		files := monorepo(c.more)
		if text, ok := c.more["package-lock.json"]; ok && text == "" {
			delete(files, "package-lock.json")
		}
		_, err := MakePlan(repository(files), c.dir)
		r, ok := errors.AsType[*core.Rejection](err)
		if !ok || !strings.Contains(r.Reason, c.reason) || !strings.Contains(r.Hint, c.hint) {
			t.Errorf("%s, %v: got %v\nwant %s (%s)", c.dir, c.more, err, c.reason, c.hint)
		}
	}
}

// TestFolderSettings: a folder's own settings go before the root's, and each word that has no effect is named.
func TestFolderSettings(t *testing.T) {
	p, err := MakePlan(repository(monorepo(map[string]string{
		"package.json":               `{"workspaces": ["packages/*"], "engines": {"node": "20"}, "nodeos": {"dir": "packages/web", "memory": "1G", "cpus": 2}}`,
		"packages/web/package.json":  `{"main": "web.js", "nodeos": {"memory": "256M", "dir": "deeper"}}`,
		"Procfile":                   "web: node wrong.js",
		".nvmrc":                     "20.1.0",
		"packages/web/.node-version": "20.2.0",
		"packages/old/package.json":  `{"scripts": {"postinstall": "x"}, "devDependencies": {"y": "1"}}`,
	})), "")
	check(t, err)
	if r := p.Package.Settings.Resources; r.MemoryMiB != 256 || r.CPUs != 2 || p.Node.Range != "20" || p.Node.Pin != "20.2.0" {
		t.Errorf("got %+v, %+v", r, p.Node)
	}
	if !p.DevDeps || !p.Install || p.Root.Main != "" || p.Package.Main != "web.js" {
		t.Errorf("got %t %t %q %q", p.DevDeps, p.Install, p.Root.Main, p.Package.Main)
	}
	said := strings.Join(p.Warnings, "\n")
	for _, want := range []string{"Procfile at the root is not read: the app is in packages/web", "nodeos.dir in packages/web/package.json is ignored"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not said: %s", want, said)
		}
	}
}

// TestFolderNext: Next's standalone server of a monorepo is in its folder again, below what it left.
func TestFolderNext(t *testing.T) {
	files := monorepo(map[string]string{"packages/web/package.json": `{"name": "@a/web", "scripts": {"build": "next build"}, "dependencies": {"next": "15"}}`})
	p, err := MakePlan(repository(files), "packages/web")
	check(t, err)
	const server = "packages/web/.next/standalone/packages/web/server.js"
	files[server] = ""
	o, ok, err := p.Outcome(repository(files))
	check(t, err)
	if !ok || !o.Alone || o.Copies[0] != [2]string{".next/static", ".next/standalone/packages/web/.next/static"} {
		t.Errorf("got %+v, %t", o, ok)
	}
	steps, err := p.Commands(repository(files), nil)
	check(t, err)
	if got := steps[0].String() + " in " + steps[0].Dir; got != "/usr/bin/node .next/standalone/packages/web/server.js in packages/web" {
		t.Error(got)
	}
}
