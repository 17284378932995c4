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

	outcomes []Outcome // what a build may leave, the first that is there counts
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

// FindOutcome returns the form that a build has left in app. With "$FILE" in Start replaced by the file that was found.
func (f Framework) FindOutcome(app fs.FS) (o Outcome, ok bool) {
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

// StaticFolder is the folder that a static outcome serves.
func (o Outcome) StaticFolder() string { return path.Dir(o.File) }

// kind is one framework that gitd knows.
type kind struct {
	name     string
	packages []string // any of them among the app's dependencies and devDependencies
	file     string   // or this file in the repository
	build    string
	env      map[string]string
	outcomes []Outcome
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
	{name: "Next.js", packages: []string{"next"}, build: "next build", outcomes: []Outcome{
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

// devServers are commands that serve an app to its author, while it is being written. Each begins with the program, and
// continues with words that the command has in this order.
var devServers = [][]string{
	{"next", "dev"}, {"next"}, {"nuxt", "dev"}, {"nuxi", "dev"}, {"nuxt"}, {"astro", "dev"}, {"astro"}, {"vite", "dev"}, {"vite", "serve"}, {"vite"},
	{"react-router", "dev"}, {"remix", "dev"}, {"remix", "vite:dev"}, {"vinxi", "dev"}, {"nitro", "dev"}, {"nitropack", "dev"},
	{"ng", "serve"}, {"ng", "s"}, {"react-scripts", "start"}, {"craco", "start"}, {"vue-cli-service", "serve"}, {"gatsby", "develop"}, {"gatsby", "serve"},
	{"docusaurus", "start"}, {"vitepress", "dev"}, {"vitepress"}, {"eleventy", "--serve"}, {"hexo", "server"}, {"hexo", "s"},
	{"rspress", "dev"}, {"rsbuild", "dev"}, {"ember", "serve"}, {"ember", "s"}, {"quasar", "dev"}, {"parcel"}, {"parcel", "serve"},
	{"webpack-dev-server"}, {"webpack", "serve"}, {"webpack", "server"}, {"vite", "preview"}, {"astro", "preview"}, {"nuxt", "preview"}, {"nuxi", "preview"},
}

// isDevServer reports whether a command serves an app only to its author.
func isDevServer(args []string) bool {
	words := slices.DeleteFunc(slices.Clone(args), func(w string) bool { return strings.HasPrefix(w, "-") && w != "--serve" })
	return slices.ContainsFunc(devServers, func(d []string) bool {
		return slices.Equal(d, words[:min(len(d), len(words))]) && (len(d) > 1 || len(words) == 1)
	})
}

// recognise finds out with which framework an app was made. repo may lack a package.json.
func recognise(m PackageJSON, repo fs.FS) (Framework, bool) {
	for _, k := range kinds {
		rule, ok := k.matches(m, repo)
		if !ok {
			continue
		}
		f := Framework{Name: k.name, Rule: rule, Env: k.env, outcomes: k.outcomes}
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
