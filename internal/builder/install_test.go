package builder

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestPlugAndPlay: a repository with Yarn's Plug'n'Play gets node_modules, and nothing of what Yarn's loader would
// need.
func TestPlugAndPlay(t *testing.T) {
	b := realBuilder(t)
	files := fixture(t, "berry")
	delete(files, ".yarnrc.yml")
	files[".pnp.cjs"] = "throw new Error('Plug’n’Play is not used')"
	repo := newRepository(t)
	m, said, _, err := repo.build(b, "pnp", repo.commit(files))
	if err != nil || !strings.Contains(said, "Yarn's Plug'n'Play becomes node_modules here") {
		t.Fatalf("%v\n%s", err, said)
	}
	dir := unpacked(t, b, m)
	if got := inNode(t, b, dir, "console.log(typeof require('express')())"); got != "function" {
		t.Errorf("it runs as %q", got)
	}
	if _, err := os.Lstat(filepath.Join(dir, ".pnp.cjs")); err == nil {
		t.Error(".pnp.cjs is in the image")
	}
}

// TestNoLockfile: npm makes a lockfile, once; what was pushed is built again from the same versions. The install script
// of a package sees the repository: without .puppeteerrc.cjs, puppeteer would download a browser, and fail.
func TestNoLockfile(t *testing.T) {
	b := realBuilder(t)
	repo := newRepository(t)
	first := repo.commit(map[string]string{
		"package.json":      `{"main": "server.js", "dependencies": {"puppeteer": "24.10.0", "ms": "^2.0.0"}}`,
		".puppeteerrc.cjs":  "module.exports = {skipDownload: true}",
		"server.js":         "",
		"node_modules/ms/x": "",
	})
	m, said, report, err := repo.build(b, "no-lockfile", first)
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	t.Logf("%s%v", said, report.Steps())
	for _, line := range []string{
		"npm install --package-lock-only --ignore-scripts\n", "no lockfile: versions are those that npm chose",
		`not kept, because the install script of "puppeteer" may read any file`,
	} {
		if !strings.Contains(said, line) {
			t.Errorf("it does not say %q", line)
		}
	}
	if lock, err := os.ReadFile(filepath.Join(unpacked(t, b, m), "package-lock.json")); err != nil || len(lock) == 0 {
		t.Errorf("the image has no lockfile: %v", err)
	}
	again, said, _, err := repo.build(b, "no-lockfile", first)
	if err != nil || again.Deps != m.Deps || again.App != m.App || strings.Contains(said, "--ignore-scripts") {
		t.Errorf("the same commit: %+v, %v\n%s", again, err, said)
	}
	strict := *b
	strict.cfg.RequireLockfile = true
	_, _, _, err = repo.build(&strict, "no-lockfile", first)
	rejected(t, err, "there are dependencies, but no lockfile, and this server wants one")
	nothingLeft(t, b)
}

// TestNoLockfileConflict: where the packages' wishes for one another conflict, npm leaves them aside, as it did before
// version 7, and the push says so. The next push of these dependencies knows it.
func TestNoLockfileConflict(t *testing.T) {
	b := realBuilder(t)
	repo := newRepository(t)
	files := map[string]string{
		"package.json": `{"main": "a.js", "dependencies": {"react": "17.0.2", "react-dom": "18.2.0"}}`, "a.js": "",
	}
	m, said, _, err := repo.build(b, "conflict", repo.commit(files))
	check(t, err)
	if m.Deps.Digest == "" || !strings.Contains(said, "npm leaves them aside") || strings.Count(said, "--package-lock-only --ignore-scripts") != 3 {
		t.Errorf("the build said:\n%s", said)
	}
	files["a.js"] = "1"
	again, said, _, err := repo.build(b, "conflict", repo.commit(files))
	check(t, err)
	if again.Deps != m.Deps || !strings.Contains(said, "npm leaves them aside") || strings.Contains(said, "--ignore-scripts") {
		t.Errorf("the next build said:\n%s", said)
	}
}

// TestRootScripts: the root's own scripts have the devDependencies that they use, which are gone afterwards, and
// Heroku's scripts run when they do there. Husky, the most common of them, finds no git and does no harm.
func TestRootScripts(t *testing.T) {
	b := realBuilder(t)
	for husky, prepare := range map[string]string{"9.1.7": "husky", "7.0.4": "husky install"} {
		repo := newRepository(t)
		m, said, _, err := repo.build(b, "husky", repo.commit(map[string]string{
			"package.json": `{"main": "a.js", "dependencies": {"ms": "2.1.3"}, "devDependencies": {"husky": "` + husky + `", "is-number": "7.0.0"},
				"scripts": {"prepare": "` + prepare + `", "postinstall": "node -p 'require(\"is-number\")(1) + \" at postinstall\"'",
				"heroku-prebuild": "ls node_modules || echo before", "build": "exit 1", "heroku-postbuild": "node -p '\"built \" + require(\"is-number\")(2)'",
				"heroku-cleanup": "ls node_modules"}}`,
			"a.js": "",
		}))
		if err != nil {
			t.Fatalf("%v\n%s", err, said)
		}
		at := 0
		for _, line := range []string{
			"npm run heroku-prebuild", " before\n", "npm ci --include=dev", " true at postinstall\n", "npm run heroku-postbuild",
			" built true\n", "devDependencies removed: 2 of 3 packages", "npm run heroku-cleanup", " ms\n",
		} {
			i := strings.Index(said[at:], line)
			if i < 0 {
				t.Fatalf("no %q after that in\n%s", line, said)
			}
			at += i
		}
		dir := unpacked(t, b, m)
		// What stays is ms, .bin, and npm's list.
		if entries, err := os.ReadDir(filepath.Join(dir, "node_modules")); err != nil || len(entries) != 3 {
			t.Errorf("node_modules: %v, %v", entries, err)
		}
	}
}

// TestNewerNPM: a lockfile on which npm 10 ends with EBADPLATFORM is installed by npm 11, and the next push knows it.
func TestNewerNPM(t *testing.T) {
	b := realBuilder(t)
	repo := newRepository(t)
	files := fixture(t, "npm11")
	files["index.js"] = ""
	_, said, _, err := repo.build(b, "npm11", repo.commit(files))
	if err != nil || !strings.Contains(said, "npm 10.9.9 does not read this lockfile; npm 11 wrote it") {
		t.Errorf("%v\n%s", err, said)
	}
}

// TestUnreachableHost: a host of a lockfile that cannot be reached is named at once. Before, npm tried for minutes.
func TestUnreachableHost(t *testing.T) {
	b := realBuilder(t)
	repo := newRepository(t)
	begun := time.Now()
	_, said, _, err := repo.build(b, "unreachable", repo.commit(map[string]string{
		"package.json": `{"main": "a.js", "dependencies": {"left-pad": "1.3.0"}}`, "a.js": "",
		"package-lock.json": `{"lockfileVersion": 3, "packages": {"": {"dependencies": {"left-pad": "1.3.0"}},
			"node_modules/left-pad": {"version": "1.3.0", "resolved": "https://npm.invalid/left-pad/-/left-pad-1.3.0.tgz"}}}`,
	}))
	rejected(t, err, "https://npm.invalid, from which left-pad comes, cannot be reached by this server")
	if strings.Contains(said, "npm ci") || time.Since(begun) > time.Minute {
		t.Errorf("npm ran, or it took %s:\n%s", time.Since(begun), said)
	}
}

// TestPackageManagerHash: the hash of packageManager is compared with what would run: of a tarball, in any of
// corepack's kinds, and of Yarn's one file.
func TestPackageManagerHash(t *testing.T) {
	b := realBuilder(t)
	for pm, refused := range map[string]string{
		"yarn@1.22.22+sha1.ac34549e6aa8e7ead463a7407e1c7390f61a6610": "",
		"yarn@1.22.22+sha512.00":                                     "yarn 1.22.22 has not the hash that packageManager states",
		"yarn@1.22.22+sha1.bc34549e6aa8e7ead463a7407e1c7390f61a6610": "yarn 1.22.22 has not the hash that packageManager states",
		"pnpm@12.99.0": "there is no pnpm 12.99.0 (packageManager)",
	} {
		files := fixture(t, "ws-"+map[bool]string{true: "yarn1", false: "pnpm"}[strings.HasPrefix(pm, "yarn")])
		files["package.json"] = strings.Replace(files["package.json"], "{", `{"packageManager": "`+pm+`",`, 1)
		repo := newRepository(t)
		_, said, _, err := repo.build(b, "hash", repo.commit(files))
		if refused != "" {
			rejected(t, err, refused)
		} else if err != nil {
			t.Errorf("%s: %v\n%s", pm, err, said)
		}
	}
}

// TestPNPMVersions: each pnpm that is named runs, also the one that is no JavaScript.
func TestPNPMVersions(t *testing.T) {
	b := realBuilder(t)
	for _, version := range []string{"9.15.9", "11.28.11", "12.21.0"} {
		files := fixture(t, "pnpm")
		files["package.json"] = strings.Replace(files["package.json"], "{", `{"packageManager": "pnpm@`+version+`",`, 1)
		repo := newRepository(t)
		m, said, _, err := repo.build(b, "pnpm-versions", repo.commit(files))
		if err != nil || !strings.Contains(said, "pnpm "+version+" (packageManager)") {
			t.Errorf("%s: %v\n%s", version, err, said)
			continue
		}
		dir := unpacked(t, b, m)
		noLinkLeadsOut(t, dir)
		if got := inNode(t, b, dir, "console.log(typeof require('express')())"); got != "function" {
			t.Errorf("%s: it runs as %q", version, got)
		}
	}
}

// TestYarnVersions: a yarn.lock is read by the newest Yarn that leaves it as it is, whichever wrote it.
func TestYarnVersions(t *testing.T) {
	b := realBuilder(t)
	for wrote, reads := range map[string]string{
		"2.4.2": "2.4.", "3.1.1": "3.1.1", "3.8.7": "3.8.", "4.13.0": "4.13.", "4.15.0": "4.", "4.18.1": "4.",
	} {
		lock, err := os.ReadFile(filepath.Join("testdata/managers/yarn-lockfiles", wrote+".lock"))
		check(t, err)
		repo := newRepository(t)
		m, said, _, err := repo.build(b, "yarn-versions", repo.commit(map[string]string{
			"package.json": `{"name":"y","version":"1.0.0","main":"a.js","dependencies":{"ms":"2.1.3"},"devDependencies":{"is-number":"7.0.0"}}`,
			".yarnrc.yml":  "nodeLinker: node-modules\n", "yarn.lock": string(lock), "a.js": "",
		}))
		if err != nil || !strings.Contains(said, ", yarn "+reads) {
			t.Errorf("%s: %v\n%s", wrote, err, said)
			continue
		}
		_, err = os.Lstat(filepath.Join(unpacked(t, b, m), "node_modules/is-number"))
		stays := strings.Contains(said, "cannot remove devDependencies again without its plugin")
		if old := wrote < "4"; old != stays || old != (err == nil) {
			t.Errorf("%s: said that devDependencies stay: %t; is-number: %v", wrote, stays, err)
		}
	}
}

// TestNPMVersions: each npm from 6 on that is named runs, and removes the devDependencies.
func TestNPMVersions(t *testing.T) {
	b := realBuilder(t)
	for _, version := range []string{"6.14.18", "7.24.2", "8.19.4", "9.9.4", "11.21.2"} {
		repo := newRepository(t)
		m, said, _, err := repo.build(b, "npm-versions", repo.commit(map[string]string{
			"package.json": `{"name": "x", "version": "1.0.0", "main": "a.js", "packageManager": "npm@` + version + `", "scripts": {"build": "ls node_modules/is-number"},
				"dependencies": {"ms": "2.1.3"}, "devDependencies": {"is-number": "7.0.0"}}`,
			"package-lock.json": `{"name": "x", "version": "1.0.0", "lockfileVersion": 1, "requires": true, "dependencies": {
				"ms": {"version": "2.1.3", "integrity": "sha512-6FlzubTLZG3J2a/NVCAleEhjzq5oxgHyaCU9yYXvcLsvoVaHJq/s5xXI6/XXP6tz7R9xAOtHnSO/tXtF3WRTlA=="},
				"is-number": {"version": "7.0.0", "dev": true, "integrity": "sha512-41Cifkg6e8TylSpdtTpeLVMqvSBEVzTttHvERD741+pnZ8ANv0004MRL43QKPDlK9cGvNp6NZWZUBlbGXYxxng=="}}}`,
			"a.js": "",
		}))
		if err != nil || !strings.Contains(said, ", npm "+version+" (packageManager)") ||
			!strings.Contains(said, "devDependencies removed: 1 of 2 packages") {
			t.Errorf("%s: %v\n%s", version, err, said)
			continue
		}
		if got := inNode(t, b, unpacked(t, b, m), "console.log(require('ms')(60000))"); got != "1m" {
			t.Errorf("%s: it runs as %q", version, got)
		}
	}
}

// TestInspect: what a hostile package leaves in node_modules neither blocks gitd nor fills its memory.
func TestInspect(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "@b/c", "a/node_modules/d", ".pnpm/e@1/node_modules/e", "a/lib", "fifo", "huge"} {
		check(t, os.MkdirAll(filepath.Join(dir, name), 0o755))
		if name != "fifo" {
			check(t, os.WriteFile(filepath.Join(dir, name, "package.json"), []byte("{}"), 0o644))
		}
	}
	check(t, syscall.Mkfifo(filepath.Join(dir, "fifo/package.json"), 0o644))
	check(t, os.Truncate(filepath.Join(dir, "huge/package.json"), 64<<30))
	check(t, os.Symlink("/", filepath.Join(dir, "root")))
	m, err := inspect(dir)
	if err != nil || m.packages != 5 || m.scripts != "" {
		t.Errorf("%+v, %v", m, err)
	}
	check(t, os.WriteFile(filepath.Join(dir, "a/node_modules/d/package.json"), []byte(`{"scripts": {"postinstall": "x"}}`), 0o644))
	if m, err := inspect(dir); err != nil || m.scripts != "a/node_modules/d" {
		t.Errorf("%+v, %v", m, err)
	}
}

// TestInstallScripts: a lockfile of yarn does not say which packages have install scripts. If what was installed has
// one, nothing is kept, and the next push knows it before it installs.
func TestInstallScripts(t *testing.T) {
	b := realBuilder(t)
	for name, build := range map[string]string{"alone": "", "with a build script": `"scripts": {"build": "esbuild server.js"},`} {
		t.Run(name, func(t *testing.T) {
			files := fixture(t, "scripts")
			files["package.json"] = strings.Replace(files["package.json"], "{", "{"+build, 1)
			repo := newRepository(t)
			for i, more := range []string{"one.js", "two.js"} {
				files[more] = ""
				m, said, _, err := repo.build(b, "install-scripts", repo.commit(files))
				if err != nil || !strings.Contains(said, `not kept, because the install script of "esbuild" may read any file`) ||
					!strings.Contains(said, "yarn install") || strings.Contains(said, "cached") {
					t.Fatalf("push %d: %v\n%s", i+1, err, said)
				}
				if got := inNode(t, b, unpacked(t, b, m), "console.log(require('esbuild').transformSync('1 + 1 ').code)"); got != "1 + 1;" {
					t.Errorf("it runs as %q", got)
				}
			}
		})
	}
}
