package nodeapp

import (
	"maps"
	"testing"
)

// built is a repository, and what its build leaves.
type built struct {
	pkg    string            // package.json; "": there is none
	files  map[string]string // of the repository
	leaves []string          // files, after the build
	steps  string            // what builds, where the author does not say
	want   string            // what starts
	alone  bool              // without node_modules
}

// TestBuilt: applications as their generators write them, which say how they are developed and built, and not how they
// are served.
func TestBuilt(t *testing.T) {
	for name, c := range map[string]built{
		"vite": {pkg: `{"scripts": {"dev": "vite", "build": "vite build"}, "devDependencies": {"vite": "8"}}`,
			leaves: []string{"dist/index.html"}, want: "node .nodeos/static.mjs dist --spa", alone: true},
		"vite without a script": {pkg: `{"devDependencies": {"vite": "8"}}`, leaves: []string{"dist/index.html"},
			steps: "vite build", want: "node .nodeos/static.mjs dist --spa", alone: true},
		"vite with its own server": {pkg: `{"scripts": {"start": "node server.js", "build": "vite build"}, "devDependencies": {"vite": "8"}}`,
			leaves: []string{"dist/index.html", "server.js"}},
		"next": {pkg: `{"scripts": {"build": "next build", "start": "next start"}, "dependencies": {"next": "16"}}`,
			leaves: []string{".next/BUILD_ID"}},
		"next standalone": {pkg: `{"scripts": {"build": "next build", "start": "next start"}, "dependencies": {"next": "16"}}`,
			leaves: []string{".next/BUILD_ID", ".next/standalone/server.js"}, want: "node .next/standalone/server.js", alone: true},
		"next without a build script": {pkg: `{"scripts": {"start": "next start"}, "dependencies": {"next": "16"}}`,
			leaves: []string{".next/BUILD_ID"}, steps: "next build"},
		"next without scripts": {pkg: `{"dependencies": {"next": "16"}}`, leaves: []string{".next/BUILD_ID"},
			steps: "next build", want: "next start"},
		"next, exported": {pkg: `{"scripts": {"build": "next build"}, "dependencies": {"next": "16"}}`, leaves: []string{"out/index.html"},
			want: "node .nodeos/static.mjs out", alone: true},
		"nuxt": {pkg: `{"scripts": {"build": "nuxt build"}, "dependencies": {"nuxt": "4"}}`, leaves: []string{".output/server/index.mjs"},
			want: "node .output/server/index.mjs", alone: true},
		"astro": {pkg: `{"scripts": {"build": "astro build"}, "dependencies": {"astro": "6"}}`, leaves: []string{"dist/index.html"},
			want: "node .nodeos/static.mjs dist", alone: true},
		"astro with a server": {pkg: `{"scripts": {"build": "astro build"}, "dependencies": {"astro": "6"}}`,
			leaves: []string{"dist/client/a.js", "dist/server/entry.mjs"}, want: "node dist/server/entry.mjs"},
		"sveltekit": {pkg: `{"scripts": {"build": "vite build"}, "devDependencies": {"@sveltejs/kit": "2", "vite": "8"}}`,
			leaves: []string{"build/index.js"}, want: "node build/index.js"},
		"create react app": {pkg: `{"scripts": {"start": "react-scripts start", "build": "react-scripts build"}, "dependencies": {"react-scripts": "5"}}`,
			leaves: []string{"build/index.html"}, want: "node .nodeos/static.mjs build --spa", alone: true},
		"angular": {pkg: `{"scripts": {"start": "ng serve", "build": "ng build"}, "devDependencies": {"@angular/cli": "22"}}`,
			files: map[string]string{"angular.json": "{}"}, leaves: []string{"dist/shop/browser/index.html"},
			want: "node .nodeos/static.mjs dist/shop/browser --spa", alone: true},
		"nest, without start:prod": {pkg: `{"scripts": {"start": "nest start", "build": "nest build"}, "dependencies": {"@nestjs/core": "12"}, "devDependencies": {"@nestjs/cli": "12"}}`,
			leaves: []string{"dist/main.js"}, want: "node dist/main.js"},
		"eleventy":     {pkg: `{"devDependencies": {"@11ty/eleventy": "3"}}`, leaves: []string{"_site/index.html"}, steps: "eleventy", want: "node .nodeos/static.mjs _site", alone: true},
		"a page":       {files: map[string]string{"index.html": ""}, want: "node .nodeos/static.mjs .", alone: true},
		"public pages": {files: map[string]string{"public/index.html": ""}, want: "node .nodeos/static.mjs public", alone: true},
		"a build of an unknown kind": {pkg: `{"scripts": {"build": "make-site"}}`, leaves: []string{"www/index.html"},
			want: "node .nodeos/static.mjs www", alone: true},
	} {
		t.Run(name, func(t *testing.T) { c.check(t) })
	}
}

func (c built) check(t *testing.T) {
	t.Helper()
	files := map[string]string{"README.md": ""}
	maps.Copy(files, c.files)
	if c.pkg != "" {
		files[PackageFile] = c.pkg
	}
	p, err := MakePlan(repository(files), "")
	check(t, err)
	steps := ""
	for _, s := range p.Steps {
		steps += s
	}
	for _, name := range c.leaves {
		files[name] = ""
	}
	o, ok, err := p.Outcome(repository(files))
	check(t, err)
	got := ""
	if ok {
		run, err := commandOf(o, "", Programs{"next": {"next"}})
		check(t, err)
		got = run[0].Name
	}
	if got != c.want || o.Alone != c.alone || steps != c.steps {
		t.Errorf("starts %q (alone: %t), built by %q; want %q (%t), %q", got, o.Alone, steps, c.want, c.alone, c.steps)
	}
}

// TestBuiltNothing: a build that leaves nothing to serve is refused with what was looked for.
func TestBuiltNothing(t *testing.T) {
	p, err := MakePlan(repository(map[string]string{PackageFile: `{"scripts": {"build": "x"}, "devDependencies": {"vite": "8"}}`}), "")
	check(t, err)
	_, _, err = p.Outcome(repository(map[string]string{PackageFile: "{}"}))
	rejected(t, err, "Vite has left nothing that could be served: there is no dist/index.html")

	o, ok, err := p.Outcome(repository(map[string]string{"dist/index.html": ""}))
	if check(t, err); !ok || !o.Static() {
		t.Errorf("%+v, %t", o, ok)
	}
	p, err = MakePlan(repository(map[string]string{PackageFile: `{"devDependencies": {"@react-router/dev": "8"}}`}), "")
	check(t, err)
	o, _, err = p.Outcome(repository(map[string]string{"build/server/index.js": ""}))
	check(t, err)
	_, err = commandOf(o, "", nil)
	rejected(t, err, `react-router-serve serves this app, and is not among its "dependencies"`)
}

// TestBuiltLacking: a new project of Qwik was installed, built, checked and linted for two minutes, and left nothing
// that could be served. The files of the repository tell that before.
func TestBuiltLacking(t *testing.T) {
	const pkg = `{"scripts": {"build": "qwik build", "start": "vite --open --mode ssr"}, "devDependencies": {"@builder.io/qwik-city": "1", "vite": "7"}}`
	_, err := MakePlan(repository(map[string]string{PackageFile: pkg}), "")
	rejected(t, err, "this Qwik app has no adapter, so its build makes no server")
	built{pkg: pkg, files: map[string]string{"adapters/express/vite.config.ts": ""}, leaves: []string{"server/entry.express.js"},
		want: "node server/entry.express.js"}.check(t)
}
