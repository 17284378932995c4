package main

// compatApps are the applications of docs/compatibility.md.
var compatApps = []compatApp{
	// Frameworks, as their generators write them.
	{name: "express", made: "npx express-generator@4.16.1 --no-view app", get: "/users", want: "respond with a resource", some: true},
	{name: "next", made: "npx create-next-app@16.4.3 app --ts --app --no-eslint --empty --no-tailwind --no-src-dir --import-alias @/* --skip-install --disable-git --yes", get: "/", want: "<html", some: true},
	{name: "next-pages", made: "npx create-next-app@16.4.3 app --js --no-app --empty --no-eslint --tailwind --src-dir --import-alias @/* --skip-install --disable-git --yes", get: "/", want: "<html"},
	{name: "nest", made: "npx @nestjs/cli@12.0.8 new app --skip-install --skip-git --package-manager npm", get: "/", want: "Hello World!", some: true},
	{name: "nest-cjs", made: "npx @nestjs/cli@11.0.10 new app --skip-install --skip-git --package-manager yarn", get: "/", want: "Hello World!"},
	{name: "vite-react", made: "npx create-vite@9.3.0 app --template react-ts --no-interactive", get: "/", want: `id="root"`, some: true},
	{name: "vite-vue", made: "npx create-vite@9.3.0 app --template vue --no-interactive", get: "/", want: `id="app"`},
	{name: "vite-svelte", made: "npx create-vite@9.3.0 app --template svelte --no-interactive", get: "/", want: `id="app"`},
	{name: "vite-solid", made: "npx create-vite@9.3.0 app --template solid --no-interactive", get: "/", want: `id="root"`},
	{name: "vite-preact", made: "npx create-vite@9.3.0 app --template preact --no-interactive", get: "/", want: `id="app"`},
	{name: "vite-lit", made: "npx create-vite@9.3.0 app --template lit --no-interactive", get: "/", want: "<html"},
	{name: "vite-vanilla", made: "npx create-vite@9.3.0 app --template vanilla-ts --no-interactive", get: "/", want: `id="app"`},
	{name: "vite-qwik", made: "npx create-vite@9.3.0 app --template qwik --no-interactive", get: "/", want: `id="app"`},
	{name: "vue", made: "npx create-vue@3.24.0 app --ts --router --pinia", get: "/any/route", want: `id="app"`},
	{name: "sveltekit", made: "npx sv@0.17.1 create app --template minimal --types ts --no-add-ons --no-install", get: "/", want: "SvelteKit", some: true},
	{name: "angular", made: "npx @angular/cli@22.2.7 new app --defaults --skip-install --skip-git", get: "/", want: "app-root"},
	{name: "angular-ssr", made: "npx @angular/cli@22.2.7 new app --defaults --ssr --skip-install --skip-git", get: "/", want: "app-root"},
	{name: "docusaurus", made: "npx create-docusaurus@3.10.2 app classic --javascript --skip-install", get: "/", want: "Docusaurus"},
	{name: "rspack", made: "npx create-rspack@2.2.3 --dir app --template react", get: "/", want: "<html"},
	{name: "preact", made: "npx create-vite@9.3.0 app --template preact-ts --no-interactive", get: "/", want: "<html"},
	{name: "qwik", made: "npx create-qwik@1.20.1 empty app", get: "/", want: "<html"},
	{name: "fastify-cli", made: "npx fastify-cli@8.0.2 generate app", get: "/", want: "root", some: true},
	{name: "fastify-ts", made: "npx fastify-cli@8.0.2 generate app --lang=ts", get: "/", want: "root"},
	{name: "strapi", made: "npx create-strapi@5.54.0 app --skip-cloud --no-run --no-install --no-git-init --no-example --ts --dbclient sqlite --use-npm", get: "/admin", want: "<html"},
	{name: "keystone", made: "npx create-keystone-app@11.0.2 app", get: "/", want: "<html"},
	{name: "t3", made: "npx create-t3-app@7.40.0 app --CI --noGit --noInstall --trpc --tailwind --appRouter", get: "/", want: "<html"},
	{name: "eleventy", made: "app @11ty/eleventy@3.1.8 -- eleventy --serve", files: map[string]string{"index.md": "# Hello from Eleventy\n"}, get: "/", want: "Hello from Eleventy"},
	{name: "vitepress", made: "app vitepress@1.6.4 -- vitepress dev", files: map[string]string{"index.md": "# Hello from VitePress\n"}, get: "/", want: "Hello from VitePress"},
	{name: "html", made: "files", files: map[string]string{"index.html": "<h1>Hello from a page</h1>\n"}, get: "/", want: "Hello from a page"},

	// Servers that packages bring, started as their manuals say.
	{name: "node-red", made: "app node-red@5.0.7 -- node-red", get: "/", want: "Node-RED"},
	{name: "verdaccio", made: "app verdaccio@6.10.4 -- verdaccio", get: "/", want: "verdaccio"},
	{name: "json-server", made: "app json-server@0.17.4 -- json-server --watch db.json", files: map[string]string{"db.json": `{"posts": [{"id": 1, "title": "Hello"}]}` + "\n"}, get: "/posts", want: "Hello"},
	{name: "http-server", made: "app http-server@14.1.1 -- http-server public", files: map[string]string{"public/index.html": "<h1>Hello</h1>\n"}, get: "/", want: "Hello"},
	{name: "serve", made: "app serve@14.2.7 -- serve public", files: map[string]string{"public/index.html": "<h1>Hello</h1>\n"}, get: "/", want: "Hello"},
	{name: "peer", made: "app peer@1.0.2 -- peerjs --port 9000", get: "/", want: "PeerJS"},
	{name: "thelounge", made: "app thelounge@4.5.2 -- thelounge start", get: "/", want: "The Lounge"},
	{name: "cloudcmd", made: "app cloudcmd@19.19.1 -- cloudcmd", get: "/", want: "Cloud Commander"},
	{name: "reveal-md", made: "app reveal-md@6.1.4 -- reveal-md slides.md --disable-auto-open", files: map[string]string{"slides.md": "# Hello slides\n"}, get: "/slides.md", want: "Hello slides"},
	{name: "tiddlywiki", made: "app tiddlywiki@5.4.1 -- tiddlywiki wiki --listen", files: map[string]string{"wiki/tiddlywiki.info": `{"plugins": ["tiddlywiki/tiddlyweb"], "themes": ["tiddlywiki/vanilla"]}` + "\n"}, get: "/", want: "TiddlyWiki"},
	{name: "gun", made: "app gun@0.2020.1241 -- node node_modules/gun/examples/http.js", get: "/", want: "<html"},
	{name: "docsify", made: "app docsify-cli@5.0.0 -- docsify serve docs", files: map[string]string{"docs/index.html": "<div id=app>docs</div>\n"}, get: "/", want: "docs"},
	{name: "prism", made: "app @stoplight/prism-cli@5.16.0 -- prism mock api.yaml", files: map[string]string{"api.yaml": prismAPI}, get: "/hello", want: "message"},
	{name: "signalk", made: "app signalk-server@2.32.0 -- signalk-server", get: "/signalk", want: "endpoints"},
	{name: "probot", made: "app probot@14.3.2 -- probot run ./app.js", files: map[string]string{"app.js": "export default (app) => app.log.info('ready');\n"}, get: "/probot", want: "Probot"},

	// The first program of each manual.
	{name: "koa", made: "app koa@3.3.0 -- node server.js", files: map[string]string{"server.js": "const Koa = require('koa');\nconst app = new Koa();\napp.use((ctx) => { ctx.body = 'Hello Koa'; });\napp.listen(3000);\n"}, get: "/", want: "Hello Koa"},
	{name: "hono", made: "app hono@4.13.19 @hono/node-server@1.19.5 -- node src/index.js", files: map[string]string{"src/index.js": "const { serve } = require('@hono/node-server');\nconst { Hono } = require('hono');\nconst app = new Hono();\napp.get('/', (c) => c.text('Hello Hono!'));\nserve(app, (info) => console.log(`Listening on http://localhost:${info.port}`));\n"}, get: "/", want: "Hello Hono"},
	{name: "hapi", made: "app @hapi/hapi@21.4.10 -- node server.js", files: map[string]string{"server.js": "const Hapi = require('@hapi/hapi');\nconst server = Hapi.server({ port: 3000, host: 'localhost' });\nserver.route({ method: 'GET', path: '/', handler: () => 'Hello World!' });\nserver.start();\n"}, get: "/", want: "Hello World!"},
	{name: "polka", made: "app polka@0.5.2 -- node server.js", files: map[string]string{"server.js": "require('polka')().get('/', (q, r) => r.end('Hello Polka')).listen(3000);\n"}, get: "/", want: "Hello Polka"},
	{name: "restify", made: "app restify@11.1.0 -- node server.js", files: map[string]string{"server.js": "const s = require('restify').createServer();\ns.get('/hello/:name', (q, r, next) => { r.send('hello ' + q.params.name); next(); });\ns.listen(8080);\n"}, get: "/hello/ada", want: "hello ada"},
	{name: "micro", made: "app micro@10.0.1 -- micro", files: map[string]string{"index.js": "module.exports = () => 'Hello micro';\n"}, get: "/", want: "Hello micro"},
	{name: "apollo", made: "app @apollo/server@5.5.1 graphql@16.11.0 -- node index.js", files: map[string]string{"index.js": apolloApp}, get: "/?query=%7Bhello%7D", want: ""},
	{name: "yoga", made: "app graphql-yoga@5.24.1 graphql@16.11.0 -- node index.js", files: map[string]string{"index.js": yogaApp}, get: "/graphql?query=%7Bhello%7D", want: "GraphiQL"},
	{name: "socketio", made: "app express@5.1.0 socket.io@4.8.4 -- node index.js", files: map[string]string{"index.js": socketApp}, get: "/socket.io/?EIO=4&transport=polling", want: "sid", some: true},
	{name: "moleculer", made: "app moleculer@0.15.2 moleculer-web@0.11.0 -- moleculer-runner services", files: map[string]string{"services/api.service.js": "module.exports = { name: 'api', mixins: [require('moleculer-web')], settings: { port: 3000 }, actions: { hi: () => 'Hello Moleculer' } };\n"}, get: "/api/hi", want: "Hello Moleculer"},
	{name: "balancer", made: "app http-proxy-middleware@4.2.2 express@5.1.0 -- node server.js", files: map[string]string{"server.js": "const { createProxyMiddleware } = require('http-proxy-middleware');\nconst app = require('express')();\napp.use(createProxyMiddleware({ target: process.env.TARGET ?? 'http://10.1.2.3' }));\napp.listen(8000);\n"}, get: "/", want: ""},

	// Native addons, and TypeScript.
	{name: "sharp", made: "app sharp@0.34.4 -- node server.js", files: map[string]string{"server.js": "const sharp = require('sharp');\nrequire('http').createServer(async (q, r) => r.end((await sharp({ create: { width: 9, height: 9, channels: 3, background: 'red' } }).png().toBuffer()).length + ' bytes')).listen(3000);\n"}, get: "/", want: "bytes"},
	{name: "better-sqlite3", made: "app better-sqlite3@12.4.1 -- node server.js", files: map[string]string{"server.js": "const db = require('better-sqlite3')(':memory:');\nrequire('http').createServer((q, r) => r.end('SQLite ' + db.prepare('select sqlite_version() v').get().v)).listen(3000);\n"}, get: "/", want: "SQLite 3"},
	{name: "argon2", made: "app argon2@0.44.0 -- node server.js", files: map[string]string{"server.js": "const argon2 = require('argon2');\nrequire('http').createServer(async (q, r) => r.end(await argon2.hash('x', { memoryCost: 4096 }))).listen(3000);\n"}, get: "/", want: "argon2id"},
	{name: "bcrypt", made: "app bcrypt@6.0.0 -- node server.js", files: map[string]string{"server.js": "const bcrypt = require('bcrypt');\nrequire('http').createServer(async (q, r) => r.end(await bcrypt.hash('x', 4))).listen(3000);\n"}, get: "/", want: "$2b$04"},
	{name: "prisma", made: "app prisma@6.16.2 @prisma/client@6.16.2 -- node server.js", files: prismaApp, get: "/", want: "notes"},
	{name: "tsx", made: "app tsx@4.20.5 express@5.1.0 -- tsx src/server.ts", files: map[string]string{"src/server.ts": "import express from 'express';\nconst app = express();\napp.get('/', (_q, r) => { r.send('Hello tsx' as string); });\napp.listen(3000);\n"}, get: "/", want: "Hello tsx"},
	{name: "types", made: "app express@5.1.0 -- node server.ts", files: map[string]string{"server.ts": "const express = require('express');\nconst greeting: string = 'Hello types';\nexpress().get('/', (_q: unknown, r: any) => r.send(greeting)).listen(3000);\n"}, get: "/", want: "Hello types"},
}

const prismAPI = `openapi: 3.0.0
info: {title: hello, version: "1"}
paths:
  /hello:
    get:
      responses:
        "200":
          description: hello
          content:
            application/json:
              example: {message: hello}
`

const apolloApp = `const { ApolloServer } = require('@apollo/server');
const { startStandaloneServer } = require('@apollo/server/standalone');
const server = new ApolloServer({ typeDefs: 'type Query { hello: String }', resolvers: { Query: { hello: () => 'Hello from Apollo' } } });
startStandaloneServer(server, { listen: { port: 4000 } }).then(({ url }) => console.log(url));
`

const yogaApp = `const { createServer } = require('node:http');
const { createSchema, createYoga } = require('graphql-yoga');
const yoga = createYoga({ schema: createSchema({ typeDefs: 'type Query { hello: String }', resolvers: { Query: { hello: () => 'Hello from Yoga' } } }) });
createServer(yoga).listen(4000);
`

const socketApp = `const { createServer } = require('node:http');
const app = require('express')();
const server = createServer(app);
const { Server } = require('socket.io');
new Server(server);
app.get('/', (req, res) => { res.send('<h1>Hello world</h1>'); });
server.listen(3000, () => { console.log('server running at http://localhost:3000'); });
`

var prismaApp = map[string]string{
	"prisma/schema.prisma": `generator client {
  provider = "prisma-client-js"
}
datasource db {
  provider = "sqlite"
  url      = "file:/tmp/dev.db"
}
model Note {
  id   Int    @id @default(autoincrement())
  text String
}
`,
	"server.js": `const { PrismaClient } = require('@prisma/client');
const db = new PrismaClient();
require('http').createServer(async (q, r) => {
  await db.$executeRawUnsafe('CREATE TABLE IF NOT EXISTS Note (id INTEGER PRIMARY KEY, text TEXT NOT NULL)');
  r.end((await db.note.count()) + ' notes');
}).listen(3000);
`,
}
