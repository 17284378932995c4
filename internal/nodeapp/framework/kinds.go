package framework

// kind is one framework that gitd knows.
type kind struct {
	name      string
	packages  []string // any of them among the app's dependencies and devDependencies
	file      string   // or this file in the repository
	build     string
	env       map[string]string
	outcomes  []Outcome
	leftovers []string
	needs     string // a pattern of path.Match: without such a file, the build leaves nothing that could be served
	lacks     Lack
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
	// A new project has no adapter until its author has chosen one. Its build does not fail without.
	{name: "Qwik", packages: []string{"@builder.io/qwik-city", "@qwik.dev/router"}, build: "qwik build", needs: "adapters/*/vite.config.*",
		lacks: Lack{"has no adapter, so its build makes no server", "`npm run qwik add express` adds one"}, outcomes: []Outcome{
			runs("server/entry.express.js"), runs("server/entry.fastify.js"), runs("server/entry.node-server.js"),
			site("dist/index.html")}},
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
	{name: "VitePress", packages: []string{"vitepress"}, build: "vitepress build", outcomes: []Outcome{
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
