package nodeapp

import (
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Framework is what a repository was recognised as, and what follows from that where its author says nothing.
type Framework struct {
	Name  string
	Rule  string            // how it was recognised, for people
	Build string            // the command that builds, where package.json has no scripts.build; "": none is needed
	Env   map[string]string // for the build

	outcomes  []Outcome // what a build may leave, the first that is there counts
	leftovers []string  // folders that only the next build on the same machine would want
}

// Outcome is one form that a built app can have.
type Outcome struct {
	File  string   // shows that the app has this form: a path, or a pattern of path.Match
	Start []string // the command; empty: File's folder is a static site
	SPA   bool     // of a static site: index.html answers for every page
	Alone bool     // it carries all that it needs, so node_modules is left out
	// Copies are folders that the framework leaves to be copied: from, to.
	Copies [][2]string
}

// find returns the form that a build has left in app. "$FILE" in Start is replaced by the file that was found.
func (f Framework) find(app fs.FS) (o Outcome, ok bool) {
	for _, o := range f.outcomes {
		found, err := fs.Glob(app, o.File)
		if err != nil || len(found) == 0 {
			continue
		}
		slices.Sort(found)
		o.File = found[0]
		o.Start = slices.Clone(o.Start)
		for i, word := range o.Start {
			o.Start[i] = strings.ReplaceAll(word, "$FILE", o.File)
		}
		return o, true
	}
	return Outcome{}, false
}

// kind is one framework that gitd knows.
type kind struct {
	name      string
	packages  []string // any of them among the app's dependencies and devDependencies
	file      string   // or this file in the repository
	build     string
	env       map[string]string
	outcomes  []Outcome
	leftovers []string
}

func site(file string) Outcome { return Outcome{File: file, Alone: true} }
func spa(file string) Outcome  { return Outcome{File: file, Alone: true, SPA: true} }
func runs(file string) Outcome { return Outcome{File: file, Start: []string{"node", "$FILE"}} }
func bundle(file string) Outcome {
	return Outcome{File: file, Start: []string{"node", "$FILE"}, Alone: true}
}
func serves(file, program string) Outcome {
	return Outcome{File: file, Start: []string{program, "$FILE"}}
}

// kinds are the frameworks, those that are built on others first. What a build leaves was looked at in the output of
// each framework's own generator.
var kinds = []kind{
	{name: "Next.js", packages: []string{"next"}, build: "next build", leftovers: []string{".next/cache"}, outcomes: []Outcome{
		{File: ".next/standalone/server.js", Start: []string{"node", "$FILE"}, Alone: true, Copies: [][2]string{
			{".next/static", ".next/standalone/.next/static"}, {"public", ".next/standalone/public"}}},
		{File: ".next/BUILD_ID", Start: []string{"next", "start"}},
		site("out/index.html"),
	}},
	{name: "Nuxt", packages: []string{"nuxt"}, build: "nuxt build", outcomes: []Outcome{
		bundle(".output/server/index.mjs"), site(".output/public/index.html")}},
	{name: "Astro", packages: []string{"astro"}, build: "astro build", outcomes: []Outcome{
		runs("dist/server/entry.mjs"), site("dist/index.html")}},
	{name: "SvelteKit", packages: []string{"@sveltejs/kit"}, build: "vite build",
		// adapter-auto, which every new project has, knows platforms by their variables. This one is for a plain Node
		// server: without it, the build leaves nothing that could run.
		env:      map[string]string{"GCP_BUILDPACKS": "1"},
		outcomes: []Outcome{runs("build/index.js"), site("build/index.html"), spa("build/200.html")}},
	{name: "React Router", packages: []string{"@react-router/dev"}, build: "react-router build", outcomes: []Outcome{
		serves("build/server/index.js", "react-router-serve"), spa("build/client/index.html")}},
	{name: "Remix", packages: []string{"@remix-run/dev"}, build: "remix vite:build", outcomes: []Outcome{
		serves("build/server/index.js", "remix-serve"), serves("build/index.js", "remix-serve"), spa("build/client/index.html")}},
	{name: "SolidStart", packages: []string{"@solidjs/start"}, build: "vinxi build", outcomes: []Outcome{bundle(".output/server/index.mjs")}},
	{name: "TanStack Start", packages: []string{"@tanstack/react-start", "@tanstack/solid-start"}, build: "vite build",
		outcomes: []Outcome{bundle(".output/server/index.mjs")}},
	{name: "Nitro", packages: []string{"nitropack", "nitro"}, build: "nitro build", outcomes: []Outcome{bundle(".output/server/index.mjs")}},
	{name: "Nest", packages: []string{"@nestjs/core"}, build: "nest build", outcomes: []Outcome{
		runs("dist/main.js"), runs("dist/src/main.js"), runs("dist/apps/*/main.js")}},
	{name: "Adonis", packages: []string{"@adonisjs/core"}, build: "node ace build", outcomes: []Outcome{
		runs("build/bin/server.js"), runs("build/server.js")}},
	{name: "Angular", file: "angular.json", build: "ng build", outcomes: []Outcome{
		runs("dist/*/server/server.mjs"), spa("dist/*/browser/index.html"), spa("dist/*/index.html")}},
	{name: "Create React App", packages: []string{"react-scripts"}, build: "react-scripts build", outcomes: []Outcome{spa("build/index.html")}},
	{name: "Vue CLI", packages: []string{"@vue/cli-service"}, build: "vue-cli-service build", outcomes: []Outcome{spa("dist/index.html")}},
	{name: "Gatsby", packages: []string{"gatsby"}, build: "gatsby build", outcomes: []Outcome{site("public/index.html")}},
	{name: "Docusaurus", packages: []string{"@docusaurus/core"}, build: "docusaurus build", outcomes: []Outcome{site("build/index.html")}},
	{name: "VitePress", packages: []string{"vitepress"}, outcomes: []Outcome{
		site(".vitepress/dist/index.html"), site("docs/.vitepress/dist/index.html")}},
	{name: "Eleventy", packages: []string{"@11ty/eleventy"}, build: "eleventy", outcomes: []Outcome{site("_site/index.html")}},
	{name: "Hexo", packages: []string{"hexo"}, build: "hexo generate", outcomes: []Outcome{site("public/index.html")}},
	{name: "Rspress", packages: []string{"rspress", "@rspress/core"}, build: "rspress build", outcomes: []Outcome{site("doc_build/index.html")}},
	{name: "Ember", packages: []string{"ember-cli"}, build: "ember build --environment=production", outcomes: []Outcome{spa("dist/index.html")}},
	{name: "Quasar", packages: []string{"@quasar/app-vite", "@quasar/app-webpack"}, build: "quasar build", outcomes: []Outcome{
		runs("dist/ssr/index.js"), spa("dist/spa/index.html")}},
	{name: "Rsbuild", packages: []string{"@rsbuild/core"}, build: "rsbuild build", outcomes: []Outcome{spa("dist/index.html")}},
	{name: "Vite", packages: []string{"vite"}, build: "vite build", outcomes: []Outcome{spa("dist/index.html")}},
	{name: "Parcel", packages: []string{"parcel"}, outcomes: []Outcome{spa("dist/index.html")}},
	{name: "webpack", packages: []string{"webpack"}, outcomes: []Outcome{spa("dist/index.html")}},
}

// folders are where the builds of all kinds leave a site.
var folders = []string{"dist", "build", "out", "_site", "public", "www", "docs", "."}

// aSite is what is served where there is no command that would serve: a folder with an index.html.
func aSite(m PackageJSON, repo fs.FS) (Framework, bool) {
	f := Framework{Name: "static site", Rule: "no start command"}
	for _, dir := range folders {
		name := path.Join(dir, "index.html")
		if isFile(repo, name) || (m.Scripts["build"] != "" && dir != ".") {
			f.outcomes = append(f.outcomes, site(name))
		}
	}
	return f, len(f.outcomes) > 0
}

// recognise finds out with which framework an app was made.
func recognise(m PackageJSON, repo fs.FS) (Framework, bool) {
	for _, k := range kinds {
		rule, ok := k.matches(m, repo)
		if !ok {
			continue
		}
		f := Framework{Name: k.name, Rule: rule, Env: k.env, outcomes: k.outcomes, leftovers: k.leftovers}
		if m.Scripts["build"] == "" {
			f.Build = k.build
		}
		return f, true
	}
	return Framework{}, false
}

func (k kind) matches(m PackageJSON, repo fs.FS) (rule string, ok bool) {
	if k.file != "" && exists(repo, k.file) {
		return k.file, true
	}
	for _, name := range k.packages {
		if where := m.dependsOn(name); where != "" {
			return name + " in " + where, true
		}
	}
	return "", false
}

// dependsOn returns the member of package.json that names a package; "": none.
func (m PackageJSON) dependsOn(name string) string {
	for _, where := range []string{"dependencies", "devDependencies"} {
		if _, ok := m.all.texts(where)[name]; ok {
			return where
		}
	}
	return ""
}
