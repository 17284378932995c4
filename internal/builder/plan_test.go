package builder

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Masterminds/semver/v3"

	"gitd/internal/builder/registry"
	"gitd/internal/core"
	"gitd/internal/image"
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
		"too large":         {map[string]string{"package.json": strings.Repeat(" ", packageLimit+1)}, "larger than 1024 KiB"},
		"no lockfile":       {map[string]string{"package.json": deps}, "dependencies, but no package-lock.json"},
		"yarn":              {map[string]string{"package.json": deps, "yarn.lock": ""}, "yarn.lock is not supported yet"},
		"pnpm":              {map[string]string{"package.json": deps, "pnpm-lock.yaml": ""}, "pnpm-lock.yaml is not supported yet"},
		"broken lockfile":   {map[string]string{"package.json": deps, "package-lock.json": "{"}, "package-lock.json is broken"},
		"no start command":  {map[string]string{"package.json": "{}"}, "no start command"},
		"main is not there": {map[string]string{"package.json": `{"main": "a.js"}`}, "no start command"},
		"memory":            {map[string]string{"package.json": `{"main":"a.js","nodeos":{"memory":"lots"}}`, "a.js": ""}, "nodeos.memory is"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRepository(t)
			tree, err := openCommit(image.Source{App: "x", Repo: r.path, Commit: r.commit(c.files)})
			check(t, err)
			defer tree.close() //nolint:errcheck // a test's
			_, err = makePlan(tree)
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
			r := newRepository(t)
			files := map[string]string{"package.json": c.pkg, "a.js": ""}
			if c.lock != "" {
				files["package-lock.json"] = c.lock
			}
			tree, err := openCommit(image.Source{App: "x", Repo: r.path, Commit: r.commit(files)})
			check(t, err)
			defer tree.close() //nolint:errcheck // a test's
			p, err := makePlan(tree)
			check(t, err)
			if p.install != c.install || p.build != c.build || !strings.Contains(p.fresh, c.fresh) || (c.fresh == "") != (p.fresh == "") {
				t.Errorf("install %t, build %t, fresh %q", p.install, p.build, p.fresh)
			}
		})
	}
}

// TestKey: what changes the installed dependencies changes the key, and what
// cannot does not.
func TestKey(t *testing.T) {
	tools := Toolchain{Node: "22.0.0", NPM: "10.0.0"}
	key := func(pkg, lock, rc string, tools Toolchain) string {
		m, err := parsePackage([]byte(pkg))
		check(t, err)
		k, err := plan{pkg: m, lockName: packageLock, lock: []byte(lock), npmrc: []byte(rc), build: m.scripts["build"] != ""}.key(tools)
		check(t, err)
		return k
	}
	const pkg = `{"name":"a","version":"1.0.0","dependencies":{"ms":"2"},"scripts":{"start":"node ."}}`
	first := key(pkg, "lock", "", tools)
	for name, same := range map[string]string{
		"version": strings.Replace(pkg, "1.0.0", "1.0.1", 1),
		"scripts": strings.Replace(pkg, "node .", "node x", 1),
		"order":   `{"dependencies":{"ms":"2"},"name":"a"}`,
	} {
		if key(same, "lock", "", tools) != first {
			t.Errorf("%s changed the key", name)
		}
	}
	for name, other := range map[string]string{
		"dependencies": key(strings.Replace(pkg, `"2"`, `"3"`, 1), "lock", "", tools),
		"overrides":    key(strings.Replace(pkg, `"name"`, `"overrides":{},"name"`, 1), "lock", "", tools),
		"build":        key(strings.Replace(pkg, `"start"`, `"build":"x","start"`, 1), "lock", "", tools),
		"lock":         key(pkg, "lock2", "", tools),
		"npmrc":        key(pkg, "lock", "x=y", tools),
		"node":         key(pkg, "lock", "", Toolchain{Node: "22.0.1", NPM: "10.0.0"}),
		"moved bytes":  key(pkg, "loc", "k", tools),
	} {
		if other == first {
			t.Errorf("%s did not change the key", name)
		}
	}
}

func published(numbers ...string) []registry.Version {
	var all []registry.Version
	for _, n := range numbers {
		all = append(all, registry.Version{Name: "x", Number: semver.MustParse(n), Node: "^18.17.0 || >=20.5.0"})
	}
	return all
}

func TestPickNode(t *testing.T) {
	all := published("16.20.2", "18.20.8", "20.5.0", "20.20.2", "22.1.0", "22.23.3", "23.11.1", "24.21.0", "26.10.0")
	for wish, want := range map[string]string{
		"": "22.23.3", "*": "22.23.3", "x": "22.23.3", "lts/*": "22.23.3", "lts/jod": "22.23.3", "node": "22.23.3",
		">=20": "22.23.3", ">= 20": "22.23.3", ">=20 <23 || 24.x": "22.23.3", "^22": "22.23.3", "22": "22.23.3",
		"22.x": "22.23.3", "v22.1.0": "22.1.0", "22.1": "22.1.0", "~22.1.0": "22.1.0", "<22": "20.20.2",
		"20": "20.20.2", "18 || 20": "20.20.2", "^18.0.0": "18.20.8", ">=23": "26.10.0", "18 - 20": "20.20.2",
		">=24.0.0 <25.0.0": "24.21.0", "=20.5.0": "20.5.0", " 24.x ": "24.21.0",
	} {
		if v, err := pickNode(wish, all); err != nil || v.Number.String() != want {
			t.Errorf("%q: %v, %v; want %s", wish, v.Number, err, want)
		}
	}
	_, err := pickNode("16.x", all)
	rejected(t, err, `no Node satisfies engines.node "16.x"`)
	_, err = pickNode("99", all)
	rejected(t, err, `no Node satisfies`)
	if r := err.(*core.Rejection); !strings.Contains(r.Hint, "18.20.8, 20.20.2, 22.23.3, 23.11.1, 24.21.0, 26.10.0") { //nolint:errorlint // checked above
		t.Errorf("hint: %s", r.Hint)
	}
	_, err = pickNode("not a range", all)
	rejected(t, err, "is no version range")
}

func TestPickNPM(t *testing.T) {
	all := published("9.9.4", "10.9.4", "10.9.9", "11.2.0")
	if v, err := pickNPM(semver.MustParse("22.0.0"), all); err != nil || v.Number.String() != "10.9.9" {
		t.Errorf("got %v, %v", v.Number, err)
	}
	_, err := pickNPM(semver.MustParse("18.1.0"), all)
	rejected(t, err, "no npm 10 runs on Node 18.1.0")
}

func TestSettings(t *testing.T) {
	m, err := parsePackage([]byte(`{"nodeos": {"memory": "1G", "cpus": 2, "healthcheck": {"path": "/ok", "timeout": "90s", "interval": "1500ms", "attempts": 4, "port": 1}, "disk": 1}, "name": 1, "name": 2}`))
	check(t, err)
	want := settings{core.Resources{MemoryMiB: 1024, CPUs: 2},
		core.Health{Path: "/ok", Timeout: 90 * time.Second, Interval: 1500 * time.Millisecond, Attempts: 4}, true}
	if m.settings != want {
		t.Errorf("got %+v, want %+v", m.settings, want)
	}
	for _, warning := range []string{"nodeos.disk is unknown", "nodeos.healthcheck.port is unknown", `"name" twice`} {
		if !slices.ContainsFunc(m.warnings, func(w string) bool { return strings.Contains(w, warning) }) {
			t.Errorf("no warning %q in %q", warning, m.warnings)
		}
	}
	for _, bad := range []string{
		`"x"`, `{"memory": 256}`, `{"memory": "10M"}`, `{"memory": "999999G"}`, `{"memory": "256m"}`, `{"cpus": 0}`,
		`{"cpus": 1.5}`, `{"cpus": "2"}`, `{"healthcheck": "/x"}`, `{"healthcheck": {"path": "x"}}`,
		`{"healthcheck": {"path": "/a b"}}`, `{"healthcheck": {"path": "/\r\nHost: x"}}`, `{"healthcheck": {"timeout": 60}}`,
		`{"healthcheck": {"timeout": "1h"}}`, `{"healthcheck": {"interval": "1ms"}}`, `{"healthcheck": {"interval": 2}}`,
		`{"healthcheck": {"attempts": 0}}`, `{"healthcheck": {"attempts": "3"}}`, `{"healthcheck": {"attempts": 1e9}}`,
		`{"healthcheck": {"path": "//h\u0000"}}`, `{"healthcheck": null}`,
	} {
		_, err := parsePackage([]byte(`{"nodeos": ` + bad + `}`))
		rejected(t, err, "package.json: nodeos")
	}
}

// FuzzPackageJSON: no package.json makes the builder panic, and what npm
// would read as a start script is what is read here.
func FuzzPackageJSON(f *testing.F) {
	f.Add([]byte(`{"scripts":{"start":"node server.js"},"nodeos":{"memory":"256M"}}`))
	f.Add([]byte(`{"main":"x.js","engines":{"node":">=20"},"workspaces":["a"]}`))
	f.Add([]byte("\xef\xbb\xbf{\"a\":{\"a\":[{}]}}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parsePackage(b)
		if err != nil {
			rejected(t, err, "package.json")
			return
		}
		if _, err := (plan{pkg: m}).key(Toolchain{}); err != nil {
			t.Error(err)
		}
		s, err := findStart(m, "", func(string) bool { return true })
		if err == nil && (len(s.args) == 0 || slices.Contains(s.args, "\x00")) {
			t.Errorf("start: %q", s.args)
		}
		if s.env == nil || slices.Contains(slices.Collect(maps.Keys(s.env)), "PORT") {
			t.Errorf("env: %q", s.env)
		}
	})
}
