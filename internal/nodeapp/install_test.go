package nodeapp

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/nodeapp/lockfile"
)

const (
	npmLockText   = `{"lockfileVersion": 3, "packages": {"": {}, "node_modules/ms": {"version": "2.1.3"}}}`
	yarn1LockText = "# yarn lockfile v1\n\n\nms@2:\n  version \"2.1.3\"\n  resolved \"https://registry.yarnpkg.com/ms/-/ms-2.1.3.tgz#5\"\n"
	berryLockText = "# yarn\n\n__metadata:\n  version: 8\n  cacheKey: 10c0\n\n\"ms@npm:2\":\n  version: 2.1.3\n  resolution: \"ms@npm:2.1.3\"\n"
	pnpmLockText  = "lockfileVersion: '9.0'\n\npackages:\n\n  ms@2.1.3:\n    resolution: {integrity: sha512-x}\n"
)

// TestManager: whose lockfile it is, and what package.json says, decide which tool installs, in which version.
func TestManager(t *testing.T) {
	deps := func(more string) string { return `{"main": "a.js", "dependencies": {"ms": "2"}` + more + `}` }
	for name, c := range map[string]struct {
		files map[string]string
		want  Manager
		lock  string
		warns string // a warning; "": none
	}{
		"npm":     {map[string]string{"package-lock.json": npmLockText}, Manager{Tool: NPM}, "package-lock.json", ""},
		"none":    {nil, Manager{Tool: NPM}, "", ""},
		"yarn 1":  {map[string]string{"yarn.lock": yarn1LockText}, Manager{Tool: Yarn1, Fits: "^1"}, "yarn.lock", ""},
		"yarn 4":  {map[string]string{"yarn.lock": berryLockText, ".yarnrc.yml": "nodeLinker: node-modules\n"}, Manager{Tool: Berry, Fits: ">=4.0 <4.14"}, "yarn.lock", ""},
		"yarn 3":  {map[string]string{"yarn.lock": strings.Replace(berryLockText, "version: 8", "version: 6", 1), ".yarnrc.yml": "nodeLinker: pnpm\n"}, Manager{Tool: Berry, Fits: ">=3.2 <4"}, "yarn.lock", ""},
		"pnp":     {map[string]string{"yarn.lock": berryLockText}, Manager{Tool: Berry, Fits: ">=4.0 <4.14", PnP: true}, "yarn.lock", "Plug'n'Play becomes node_modules"},
		"release": {map[string]string{"yarn.lock": berryLockText, ".yarnrc.yml": "nodeLinker: node-modules\nyarnPath: .yarn/releases/yarn-4.5.3.cjs\n"}, Manager{Tool: Berry, Range: "4.5.3", From: "yarnPath in .yarnrc.yml", Fits: ">=4.0 <4.14"}, "yarn.lock", ""},
		"pnpm":    {map[string]string{"pnpm-lock.yaml": pnpmLockText}, Manager{Tool: PNPM, Fits: "^10"}, "pnpm-lock.yaml", ""},
		"pnpm 8":  {map[string]string{"pnpm-lock.yaml": "lockfileVersion: '6.0'\n"}, Manager{Tool: PNPM, Fits: "^8"}, "pnpm-lock.yaml", ""},
		"pnpm 7":  {map[string]string{"pnpm-lock.yaml": "lockfileVersion: 5.4\n"}, Manager{Tool: PNPM, Fits: "^7"}, "pnpm-lock.yaml", ""},
		"pnpm 11": {map[string]string{"pnpm-lock.yaml": pnpmLockText, "pnpm-workspace.yaml": "allowBuilds:\n  esbuild: true\n"}, Manager{Tool: PNPM, Fits: ">=11"}, "pnpm-lock.yaml", ""},
		"packageManager": {map[string]string{"package.json": deps(`, "packageManager": "pnpm@9.15.9+sha512.AB01"`), "pnpm-lock.yaml": pnpmLockText},
			Manager{Tool: PNPM, Range: "9.15.9", Hash: "sha512.ab01", From: "packageManager", Fits: "^10"}, "pnpm-lock.yaml", ""},
		"devEngines": {map[string]string{"package.json": deps(`, "devEngines": {"packageManager": {"name": "pnpm", "version": "^9"}}`), "pnpm-lock.yaml": pnpmLockText},
			Manager{Tool: PNPM, Range: "^9", From: "devEngines.packageManager", Fits: "^10"}, "pnpm-lock.yaml", ""},
		"engines.npm": {map[string]string{"package.json": deps(`, "engines": {"npm": "^11"}`), "package-lock.json": npmLockText},
			Manager{Tool: NPM, Range: "^11", From: "engines.npm"}, "package-lock.json", ""},
		"volta": {map[string]string{"package.json": deps(`, "volta": {"yarn": "1.22.19"}`), "yarn.lock": yarn1LockText},
			Manager{Tool: Yarn1, Range: "1.22.19", From: "volta.yarn", Fits: "^1"}, "yarn.lock", ""},
		"several": {map[string]string{"package-lock.json": npmLockText, "yarn.lock": yarn1LockText},
			Manager{Tool: NPM}, "package-lock.json", `package-lock.json is used, and not yarn.lock: "packageManager" in package.json would decide`},
		"several, packageManager": {map[string]string{"package.json": deps(`, "packageManager": "yarn@1.22.22"`), "package-lock.json": npmLockText, "yarn.lock": yarn1LockText},
			Manager{Tool: Yarn1, Range: "1.22.22", From: "packageManager", Fits: "^1"}, "yarn.lock", "yarn.lock is used, and not package-lock.json: packageManager says yarn"},
		"several, settings": {map[string]string{"package-lock.json": npmLockText, "pnpm-lock.yaml": pnpmLockText, "pnpm-workspace.yaml": ""},
			Manager{Tool: PNPM, Fits: "^10"}, "pnpm-lock.yaml", "pnpm-lock.yaml is used, and not package-lock.json: pnpm-workspace.yaml is there too"},
		"another's lockfile": {map[string]string{"package.json": deps(`, "packageManager": "pnpm@9.15.9"`), "package-lock.json": npmLockText},
			Manager{Tool: NPM}, "package-lock.json", "packageManager says pnpm, but there is no lockfile of pnpm: package-lock.json is used"},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"package.json": deps(""), "a.js": ""}
			maps.Copy(files, c.files)
			p, err := MakePlan(repository(files), "")
			check(t, err)
			if p.Manager != c.want || p.LockName != c.lock || !p.Install {
				t.Errorf("got %+v by %q, want %+v by %q", p.Manager, p.LockName, c.want, c.lock)
			}
			warned := slices.ContainsFunc(p.Warnings, func(w string) bool { return strings.Contains(w, c.warns) })
			if (c.warns == "" && len(p.Warnings) > 0) || !warned && c.warns != "" {
				t.Errorf("warnings: %q, want %q", p.Warnings, c.warns)
			}
		})
	}
}

// TestFresh: what is installed is kept for the next push only if it depends on nothing but the lockfile and settings.
func TestFresh(t *testing.T) {
	esbuild := `{"lockfileVersion": 3, "packages": {"": {}, "node_modules/esbuild": {"hasInstallScript": true%s}}}`
	for name, c := range map[string]struct {
		files  map[string]string
		fresh  string // a part; "": it is kept
		silent bool
	}{
		"an install script":          {map[string]string{"package-lock.json": fmt.Sprintf(esbuild, "")}, `the install script of "esbuild"`, false},
		"one of another system":      {map[string]string{"package-lock.json": fmt.Sprintf(esbuild, `, "os": ["darwin"]`)}, "", false},
		"one of every other system":  {map[string]string{"package-lock.json": fmt.Sprintf(esbuild, `, "os": ["!win32"]`)}, "esbuild", false},
		"one of a devDependency":     {map[string]string{"package-lock.json": fmt.Sprintf(esbuild, `, "dev": true`)}, "", false},
		"npm 6":                      {map[string]string{"package-lock.json": `{"lockfileVersion": 1, "dependencies": {"ms": {"version": "2.1.3"}}}`}, "", true},
		"yarn 1":                     {map[string]string{"yarn.lock": yarn1LockText}, "", true},
		"yarn 1, a folder":           {map[string]string{"yarn.lock": "\"b@file:./b\":\n  version \"1\"\n"}, `"b" is a package of this repository`, true},
		"yarn 4":                     {map[string]string{"yarn.lock": berryLockText}, "", true},
		"yarn 4, a workspace":        {map[string]string{"yarn.lock": berryLockText + "\"b@workspace:b\":\n  resolution: \"b@workspace:b\"\n"}, `"b" is a package`, true},
		"yarn 4, its own patches":    {map[string]string{"yarn.lock": berryLockText + "\"t@patch:\":\n  resolution: \"t@patch:t@npm%3A5#optional!builtin<compat/typescript>::version=5\"\n"}, "", true},
		"yarn 4, the cache":          {map[string]string{"yarn.lock": berryLockText, ".yarn/cache/ms.zip": ""}, ".yarn/cache is in the repository", true},
		"yarn 4, plugins":            {map[string]string{"yarn.lock": berryLockText, ".yarnrc.yml": "plugins: [a]"}, "Yarn has plugins", true},
		"pnpm":                       {map[string]string{"pnpm-lock.yaml": pnpmLockText}, "", true},
		"pnpm 8, an install script":  {map[string]string{"pnpm-lock.yaml": "lockfileVersion: '6.0'\npackages:\n\n  /esbuild@0.2.1:\n    requiresBuild: true\n"}, `the install script of "esbuild"`, false},
		"pnpm 8, of another system":  {map[string]string{"pnpm-lock.yaml": "lockfileVersion: '6.0'\npackages:\n\n  /fsevents@2.3.3:\n    os: [darwin]\n    requiresBuild: true\n"}, "", false},
		"pnpm, a link":               {map[string]string{"pnpm-lock.yaml": pnpmLockText + "  x:\n    version: link:b\n"}, "package of this repository", true},
		"pnpm, a patch":              {map[string]string{"pnpm-lock.yaml": pnpmLockText + "patchedDependencies:\n"}, "package of this repository", true},
		"pnpm, workspaces":           {map[string]string{"pnpm-lock.yaml": pnpmLockText, "pnpm-workspace.yaml": "packages: [a]"}, "there are workspaces", true},
		"pnpm, settings only":        {map[string]string{"pnpm-lock.yaml": pnpmLockText, "pnpm-workspace.yaml": "onlyBuiltDependencies: [a]"}, "", true},
		"pnpm, a program of its own": {map[string]string{"pnpm-lock.yaml": pnpmLockText, ".pnpmfile.cjs": ""}, "there is a .pnpmfile", true},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"package.json": `{"main": "a.js", "dependencies": {"ms": "2"}}`, "a.js": ""}
			maps.Copy(files, c.files)
			p, err := MakePlan(repository(files), "")
			check(t, err)
			if (p.Fresh == "") != (c.fresh == "") || !strings.Contains(p.Fresh, c.fresh) || p.Silent != c.silent {
				t.Errorf("fresh %q, silent %t", p.Fresh, p.Silent)
			}
		})
	}
}

// TestHosts: which hosts, other than npm's own registry, packages come from.
func TestHosts(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  []lockfile.Host
	}{
		"npm's own": {map[string]string{"yarn.lock": yarn1LockText}, nil},
		"npm": {map[string]string{"package-lock.json": `{"packages": {"": {}, "node_modules/@a/b": {"resolved": "http://npm.example.org:4873/b.tgz"},
			"node_modules/c": {"resolved": "https://registry.npmjs.org/c.tgz"}, "node_modules/d": {"resolved": "https://mac.example.org/d.tgz", "os": ["darwin"]}}}`},
			[]lockfile.Host{{URL: "http://npm.example.org:4873", Package: "@a/b"}}},
		"git":                      {map[string]string{"package-lock.json": `{"packages": {"": {}, "node_modules/a": {"resolved": "git+ssh://git@github.com/a/a.git#1"}}}`}, []lockfile.Host{{URL: "https://github.com", Package: "a"}}},
		"yarn 1":                   {map[string]string{"yarn.lock": "\"@a/b@1\", \"@a/b@^1\":\n  resolved \"https://npm.example.org/b-1.tgz#1\"\n"}, []lockfile.Host{{URL: "https://npm.example.org", Package: "@a/b"}}},
		"yarn 4":                   {map[string]string{"yarn.lock": berryLockText + "\"b@https://x.example.org/b.tgz\":\n  resolution: \"b@https://x.example.org/b.tgz\"\n"}, []lockfile.Host{{URL: "https://x.example.org", Package: "b"}}},
		"pnpm":                     {map[string]string{"pnpm-lock.yaml": pnpmLockText + "  '@a/b@1.0.0':\n    resolution: {integrity: sha512-x, tarball: https://npm.example.org/b.tgz}\n"}, []lockfile.Host{{URL: "https://npm.example.org", Package: "@a/b"}}},
		"a scope that is not used": {map[string]string{"pnpm-lock.yaml": pnpmLockText, ".npmrc": "@corp:registry = https://npm.corp.example/x/\n"}, nil},
		"npmrc":                    {map[string]string{"pnpm-lock.yaml": pnpmLockText + "  '@corp/b@1.0.0':\n    resolution: {integrity: sha512-x}\n", ".npmrc": "registry=https://registry.npmjs.org/\n@corp:registry = https://npm.corp.example/x/\n"}, []lockfile.Host{{URL: "https://npm.corp.example", Package: "@corp"}}},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"package.json": `{"main": "a.js", "dependencies": {"ms": "2"}}`, "a.js": ""}
			maps.Copy(files, c.files)
			p, err := MakePlan(repository(files), "")
			check(t, err)
			if !slices.Equal(p.Hosts, c.want) {
				t.Errorf("got %v, want %v", p.Hosts, c.want)
			}
		})
	}
}

// FuzzLockfiles: no lockfile makes gitd panic, or gives it a host that is none.
func FuzzLockfiles(f *testing.F) {
	for _, text := range []string{npmLockText, yarn1LockText, berryLockText, pnpmLockText, "\n__metadata:\n  version: 1\n", "{"} {
		f.Add([]byte(text), []byte("@a:registry=https://x/"))
	}
	f.Fuzz(func(t *testing.T, lock, rc []byte) {
		for _, tool := range []Tool{NPM, Yarn1, Berry, PNPM} {
			p := Plan{Manager: Manager{Tool: tool}, LockName: "the lockfile", Lock: lock, Inputs: map[string][]byte{NPMRCFile: rc}}
			l, err := p.readLock(true)
			if err != nil {
				rejected(t, broken(&p, err), "")
				continue
			}
			for _, h := range l.Hosts {
				if !strings.HasPrefix(h.URL, "https://") && !strings.HasPrefix(h.URL, "http://") || len(l.Hosts) > lockfile.MaxHosts {
					t.Errorf("host %+v", h)
				}
			}
		}
	})
}

// TestIgnoredScripts: an install script of the root package keeps the installation from being kept, and wants the
// devDependencies, unless .npmrc says that npm runs none.
func TestIgnoredScripts(t *testing.T) {
	for rc, runs := range map[string]bool{
		"":                                     true,
		"ignore-scripts=true\n":                false,
		"fund = false\n ignore-scripts = true": false,
		"ignore-scripts=true\nignore-scripts=false\n": true,
		"# ignore-scripts=true\n":                     true,
	} {
		p, err := MakePlan(repository(map[string]string{
			"package.json":      `{"main": "a.js", "scripts": {"install": "node a.js"}, "dependencies": {"ms": "2"}, "devDependencies": {"x": "1"}}`,
			"package-lock.json": npmLockText, "a.js": "", ".npmrc": rc,
		}), "")
		check(t, err)
		if p.DevDeps != runs || (p.Fresh != "") != runs {
			t.Errorf("%q: devDependencies %t, not kept because %q", rc, p.DevDeps, p.Fresh)
		}
	}
}
