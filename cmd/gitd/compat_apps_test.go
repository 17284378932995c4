package main

// compatSome are those of the bounded run: what a generator writes, a build in TypeScript, a site, lockfiles of yarn
// and of pnpm, a native addon, TypeScript that Node itself runs, and a balancer.
var compatSome = []string{"express", "nest", "vite-vue", "yarn", "pnpm", "bcrypt", "types", "http-proxy"}

// compatApps are the applications of docs/compatibility.md.
var compatApps = []compatApp{
	// Frameworks, as their generators write them.
	{name: "express", made: "npx express-generator@4.16.1 --no-view app", get: "/users", want: "respond with a resource"},
	{name: "next", made: "npx create-next-app@16.4.3 app --ts --app --no-eslint --empty --no-tailwind --no-src-dir --import-alias @/* --skip-install --disable-git --yes", get: "/", want: "<html"},
	{name: "next-pages", made: "npx create-next-app@16.4.3 app --js --no-app --empty --no-eslint --tailwind --src-dir --import-alias @/* --skip-install --disable-git --yes", get: "/", want: "<html"},
	{name: "nest", made: "npx @nestjs/cli@12.0.8 new app --skip-install --skip-git --package-manager npm", get: "/", want: "Hello World!"},
	{name: "nest-cjs", made: "npx @nestjs/cli@11.0.10 new app --skip-install --skip-git --package-manager yarn", get: "/", want: "Hello World!"},
	{name: "vite-react", made: "npx create-vite@9.3.0 app --template react-ts --no-interactive", get: "/", want: `id="root"`},
	{name: "vite-vue", made: "npx create-vite@9.3.0 app --template vue --no-interactive", get: "/", want: `id="app"`},
	{name: "vite-svelte", made: "npx create-vite@9.3.0 app --template svelte --no-interactive", get: "/", want: `id="app"`},
	{name: "vite-solid", made: "npx create-vite@9.3.0 app --template solid --no-interactive", get: "/", want: `id="root"`},
	{name: "vite-preact", made: "npx create-vite@9.3.0 app --template preact --no-interactive", get: "/", want: `id="app"`},
	{name: "vite-lit", made: "npx create-vite@9.3.0 app --template lit --no-interactive", get: "/", want: "<html"},
	{name: "vite-vanilla", made: "npx create-vite@9.3.0 app --template vanilla-ts --no-interactive", get: "/", want: `id="app"`},
	{name: "vue", made: "npx create-vue@3.24.0 app --ts --router --pinia", get: "/any/route", want: `id="app"`},
	{name: "sveltekit", made: "npx sv@0.17.1 create app --template minimal --types ts --no-add-ons --no-install", get: "/", want: "SvelteKit"},
	{name: "angular", made: "npx @angular/cli@22.2.7 new app --defaults --skip-install --skip-git", get: "/", want: "app-root"},
	{name: "docusaurus", made: "npx create-docusaurus@3.10.2 app classic --javascript --skip-install", get: "/", want: "Docusaurus"},
	{name: "rspack", made: "npx create-rspack@2.2.3 --dir app --template react", get: "/", want: "<html"},
	{name: "preact", made: "npx create-vite@9.3.0 app --template preact-ts --no-interactive", get: "/", want: "<html"},
	{name: "qwik", made: "npx create-qwik@1.20.1 empty app", get: "/", want: "<html", lacks: "this Qwik app has no adapter, so its build makes no server"},
	{name: "fastify-cli", made: "npx fastify-cli@8.0.2 generate app", get: "/", want: "root"},
	{name: "eleventy", made: "app @11ty/eleventy@3.1.8 -- eleventy --serve", files: map[string]string{"index.md": "# Hello from Eleventy\n"}, get: "/", want: "Hello from Eleventy"},
	{name: "vitepress", made: "app vitepress@1.6.4 -- vitepress dev", files: map[string]string{"index.md": "# Hello from VitePress\n"}, get: "/", want: "Hello from VitePress"},
	{name: "html", made: "files", files: map[string]string{"index.html": "<h1>Hello from a page</h1>\n"}, get: "/", want: "Hello from a page"},

	// The files that a manual shows, in testdata/compat.
	{name: "astro", made: "files", get: "/", want: "Hello, World!"},
	{name: "nuxt", made: "files", get: "/", want: "Hello from Nuxt"},
	{name: "react-router", made: "files", get: "/", want: "Hello from React Router"},
	{name: "remix", made: "files", get: "/", want: "Hello from Remix"},
	{name: "yarn", made: "files", get: "/", want: "Hello from yarn"},
	{name: "pnpm", made: "files", get: "/", want: "pnpm"},

	// Servers that packages bring, started as their manuals say.
	{name: "node-red", made: "app node-red@5.0.7 -- node-red", get: "/", want: "Node-RED"},
	{name: "json-server", made: "app json-server@0.17.4 -- json-server --watch db.json", files: map[string]string{"db.json": `{"posts": [{"id": 1, "title": "Hello"}]}` + "\n"}, get: "/posts", want: "Hello"},
	{name: "http-server", made: "app http-server@14.1.1 -- http-server public", files: map[string]string{"public/index.html": "<h1>Hello</h1>\n"}, get: "/", want: "Hello"},
	{name: "serve", made: "app serve@14.2.7 -- serve public", files: map[string]string{"public/index.html": "<h1>Hello</h1>\n"}, get: "/", want: "Hello"},
	{name: "peer", made: "app peer@1.0.2 -- peerjs --port 9000", get: "/", want: "PeerJS"},
	{name: "tiddlywiki", made: "app tiddlywiki@5.4.1 -- tiddlywiki wiki --listen", files: map[string]string{"wiki/tiddlywiki.info": `{"plugins": ["tiddlywiki/tiddlyweb"], "themes": ["tiddlywiki/vanilla"]}` + "\n"}, get: "/", want: "TiddlyWiki"},
	{name: "gun", made: "app gun@0.2020.1241 -- node node_modules/gun/examples/http.js", get: "/gun.js", want: "Gun"},
	{name: "docsify", made: "app docsify-cli@5.0.0 -- docsify serve docs", files: map[string]string{"docs/index.html": "<div id=app>docs</div>\n"}, get: "/", want: "docs"},
	{name: "cors-anywhere", made: "app cors-anywhere@0.4.4 -- node server.js", files: map[string]string{"server.js": "require('cors-anywhere').createServer({ originWhitelist: [], requireHeader: ['origin', 'x-requested-with'] }).listen(8080, '0.0.0.0', () => console.log('Running CORS Anywhere'));\n"}, get: "/", want: "CORS"},

	// The first program of each manual.
	{name: "koa", made: "app koa@3.3.0 -- node server.js", files: map[string]string{"server.js": "const Koa = require('koa');\nconst app = new Koa();\napp.use((ctx) => { ctx.body = 'Hello Koa'; });\napp.listen(3000);\n"}, get: "/", want: "Hello Koa"},
	{name: "hono", made: "app hono@4.13.19 @hono/node-server@1.19.5 -- node src/index.js", files: map[string]string{"src/index.js": "const { serve } = require('@hono/node-server');\nconst { Hono } = require('hono');\nconst app = new Hono();\napp.get('/', (c) => c.text('Hello Hono!'));\nserve(app, (info) => console.log(`Listening on http://localhost:${info.port}`));\n"}, get: "/", want: "Hello Hono"},
	{name: "hapi", made: "app @hapi/hapi@21.4.10 -- node server.js", files: map[string]string{"server.js": "const Hapi = require('@hapi/hapi');\nconst server = Hapi.server({ port: 3000, host: 'localhost' });\nserver.route({ method: 'GET', path: '/', handler: () => 'Hello World!' });\nserver.start();\n"}, get: "/", want: "Hello World!"},
	{name: "polka", made: "app polka@0.5.2 -- node server.js", files: map[string]string{"server.js": "require('polka')().get('/', (q, r) => r.end('Hello Polka')).listen(3000);\n"}, get: "/", want: "Hello Polka"},
	{name: "restify", made: "app restify@11.1.0 -- node server.js", files: map[string]string{"server.js": "const s = require('restify').createServer();\ns.get('/hello/:name', (q, r, next) => { r.send('hello ' + q.params.name); next(); });\ns.listen(8080);\n"}, get: "/hello/ada", want: "hello ada"},
	{name: "micro", made: "app micro@10.0.1 -- micro", files: map[string]string{"index.js": "module.exports = () => 'Hello micro';\n"}, get: "/", want: "Hello micro"},
	{name: "apollo", made: "app @apollo/server@5.5.1 graphql@16.11.0 -- node index.js", files: map[string]string{"index.js": apolloApp}, get: "/", want: "Apollo"},
	{name: "yoga", made: "app graphql-yoga@5.24.1 graphql@16.11.0 -- node index.js", files: map[string]string{"index.js": yogaApp}, get: "/graphql?query=%7Bhello%7D", want: "GraphiQL"},
	{name: "socketio", made: "app express@5.1.0 socket.io@4.8.4 -- node index.js", files: map[string]string{"index.js": socketApp}, get: "/socket.io/?EIO=4&transport=polling", want: "sid"},
	{name: "moleculer", made: "app moleculer@0.15.2 moleculer-web@0.11.0 -- moleculer-runner services", files: map[string]string{"services/api.service.js": "module.exports = { name: 'api', mixins: [require('moleculer-web')], settings: { port: 3000 }, actions: { hi: () => 'Hello Moleculer' } };\n"}, get: "/api/hi", want: "Hello Moleculer"},
	{name: "balancer", made: "app http-proxy-middleware@4.2.2 express@5.1.0 -- node server.js", files: map[string]string{"server.js": "const { createProxyMiddleware } = require('http-proxy-middleware');\nconst app = require('express')();\napp.use(createProxyMiddleware({ target: process.env.TARGET ?? 'http://10.1.2.3' }));\napp.listen(8000);\n"}, get: "/", want: "Error occurred while trying to proxy"},
	{name: "fastify", made: "app fastify@5.12.8 -- node server.js", files: map[string]string{"server.js": "const fastify = require('fastify')({ logger: true });\nfastify.get('/', async () => ({ hello: 'world' }));\nfastify.listen({ port: 3000 });\n"}, get: "/", want: "world"},
	{name: "trpc", made: "app @trpc/server@11.25.2 -- node server.js", files: map[string]string{"server.js": "const { initTRPC } = require('@trpc/server');\nconst { createHTTPServer } = require('@trpc/server/adapters/standalone');\nconst t = initTRPC.create();\ncreateHTTPServer({ router: t.router({ hello: t.procedure.query(() => 'Hello tRPC') }) }).listen(3000);\n"}, get: "/hello", want: "Hello tRPC"},
	{name: "mercurius", made: "app fastify@5.12.8 mercurius@16.10.1 graphql@16.11.0 -- node index.js", files: map[string]string{"index.js": "const app = require('fastify')();\napp.register(require('mercurius'), { schema: 'type Query { add(x: Int, y: Int): Int }', resolvers: { Query: { add: async (_, { x, y }) => x + y } }, graphiql: true });\napp.listen({ port: 3000 });\n"}, get: "/graphql?query=%7Badd(x:20,y:22)%7D", want: "42"},
	{name: "h3", made: "app h3@2.0.8 -- node server.mjs", files: map[string]string{"server.mjs": "import { H3, serve } from 'h3';\nconst app = new H3().get('/', () => 'Hello h3');\nserve(app, { port: 3000 });\n"}, get: "/", want: "Hello h3"},
	{name: "elysia", made: "app elysia@1.4.30 @elysiajs/node@1.4.5 -- node index.mjs", files: map[string]string{"index.mjs": "import { Elysia } from 'elysia';\nimport { node } from '@elysiajs/node';\nnew Elysia({ adapter: node() }).get('/', () => 'Hello Elysia').listen(3000, ({ hostname, port }) => console.log(`Elysia is running at ${hostname}:${port}`));\n"}, get: "/", want: "Hello Elysia"},
	{name: "tinyhttp", made: "app @tinyhttp/app@3.0.11 -- node server.mjs", files: map[string]string{"server.mjs": "import { App } from '@tinyhttp/app';\nnew App().get('/', (_, res) => void res.send('<h1>Hello tinyhttp</h1>')).listen(3000);\n"}, get: "/", want: "Hello tinyhttp"},
	{name: "feathers", made: "app @feathersjs/feathers@5.0.50 @feathersjs/koa@5.0.50 -- node app.mjs", files: map[string]string{"app.mjs": "import { feathers } from '@feathersjs/feathers';\nimport { koa, rest, bodyParser, errorHandler } from '@feathersjs/koa';\nconst app = koa(feathers());\napp.use(errorHandler());\napp.use(bodyParser());\napp.configure(rest());\napp.use('messages', { async find() { return [{ text: 'Hello Feathers' }]; } });\napp.listen(3030);\n"}, get: "/messages", want: "Hello Feathers"},
	{name: "ws", made: "app ws@8.23.0 -- node server.js", files: map[string]string{"server.js": "const server = require('http').createServer((q, r) => r.end('Hello ws'));\nnew (require('ws').WebSocketServer)({ server }).on('connection', (s) => s.send('something'));\nserver.listen(8080);\n"}, get: "/", want: "Hello ws"},
	{name: "redbird", made: "app redbird@1.0.2 -- node server.js", files: map[string]string{"server.js": "const http = require('http');\nhttp.createServer((q, r) => r.end('Hello from behind')).listen(3001, '127.0.0.1');\nconst proxy = new (require('redbird').Redbird)({ port: process.env.PORT });\nproxy.register('c-redbird.localhost', 'http://127.0.0.1:3001');\n"}, get: "/", want: "behind"},
	{name: "http-proxy", made: "app http-proxy@1.18.1 -- node balancer.js", files: map[string]string{"balancer.js": "const http = require('http'), httpProxy = require('http-proxy');\nconst addresses = [9001, 9002].map((port) => ({ host: '127.0.0.1', port }));\nfor (const { host, port } of addresses) http.createServer((q, r) => r.end('Hello from ' + port)).listen(port, host);\nconst proxy = httpProxy.createServer();\nhttp.createServer((req, res) => {\n  const target = { target: addresses.shift() };\n  proxy.web(req, res, target);\n  addresses.push(target.target);\n}).listen(process.env.PORT);\n"}, get: "/", want: "Hello from 900"},
	{name: "fastify-proxy", made: "app fastify@5.12.8 @fastify/http-proxy@11.6.3 -- node server.js", files: map[string]string{"server.js": "const back = require('fastify')();\nback.get('/', async () => 'Hello from upstream');\nconst server = require('fastify')();\nserver.register(require('@fastify/http-proxy'), { upstream: 'http://127.0.0.1:3001', prefix: '/api' });\nback.listen({ port: 3001 }).then(() => server.listen({ port: Number(process.env.PORT), host: '::' }));\n"}, get: "/api/", want: "Hello from upstream"},

	// Native addons, and TypeScript.
	{name: "sharp", made: "app sharp@0.34.4 -- node server.js", files: map[string]string{"server.js": "const sharp = require('sharp');\nrequire('http').createServer(async (q, r) => r.end((await sharp({ create: { width: 9, height: 9, channels: 3, background: 'red' } }).png().toBuffer()).length + ' bytes')).listen(3000);\n"}, get: "/", want: "bytes"},
	{name: "better-sqlite3", made: "app better-sqlite3@12.4.1 -- node server.js", files: map[string]string{"server.js": "const db = require('better-sqlite3')(':memory:');\nrequire('http').createServer((q, r) => r.end('SQLite ' + db.prepare('select sqlite_version() v').get().v)).listen(3000);\n"}, get: "/", want: "SQLite 3"},
	{name: "argon2", made: "app argon2@0.44.0 -- node server.js", files: map[string]string{"server.js": "const argon2 = require('argon2');\nrequire('http').createServer(async (q, r) => r.end(await argon2.hash('x', { memoryCost: 4096 }))).listen(3000);\n"}, get: "/", want: "argon2id"},
	{name: "bcrypt", made: "app bcrypt@6.0.0 -- node server.js", files: map[string]string{"server.js": "const bcrypt = require('bcrypt');\nrequire('http').createServer(async (q, r) => r.end(await bcrypt.hash('x', 4))).listen(3000);\n"}, get: "/", want: "$2b$04"},
	{name: "lmdb", made: "app lmdb@3.5.6 -- node server.js", files: map[string]string{"server.js": "const { open } = require('lmdb');\nconst db = open({ path: '/tmp/db' });\nrequire('http').createServer(async (q, r) => { await db.put('k', 'Hello lmdb'); r.end(db.get('k')); }).listen(3000);\n"}, get: "/", want: "Hello lmdb"},
	{name: "classic-level", made: "app classic-level@3.0.0 -- node server.js", files: map[string]string{"server.js": "const { ClassicLevel } = require('classic-level');\nconst db = new ClassicLevel('/tmp/level');\nrequire('http').createServer(async (q, r) => { await db.put('k', 'Hello level'); r.end(await db.get('k')); }).listen(3000);\n"}, get: "/", want: "Hello level"},
	{name: "sqlite3", made: "app sqlite3@6.0.1 -- node server.js", files: map[string]string{"server.js": "const db = new (require('sqlite3').Database)(':memory:');\nrequire('http').createServer((q, r) => db.get('select sqlite_version() v', (e, row) => r.end(e ? e.message : 'SQLite ' + row.v))).listen(3000);\n"}, get: "/", want: "SQLite 3"},
	{name: "zeromq", made: "app zeromq@6.8.0 -- node server.js", files: map[string]string{"server.js": "const zmq = require('zeromq');\nrequire('http').createServer((q, r) => r.end('ZeroMQ ' + zmq.version)).listen(3000);\n"}, get: "/", want: "ZeroMQ 4"},
	{name: "sodium", made: "app sodium-native@5.1.0 -- node server.js", files: map[string]string{"server.js": "const sodium = require('sodium-native');\nconst out = Buffer.alloc(sodium.crypto_generichash_BYTES);\nsodium.crypto_generichash(out, Buffer.from('x'));\nrequire('http').createServer((q, r) => r.end('BLAKE2b ' + out.toString('hex'))).listen(3000);\n"}, get: "/", want: "BLAKE2b "},
	{name: "drizzle", made: "app drizzle-orm@0.45.4 @libsql/client@0.18.0 -- node server.mjs", files: map[string]string{"server.mjs": drizzleApp}, get: "/", want: "1 notes"},
	{name: "tsx", made: "app tsx@4.20.5 express@5.1.0 -- tsx src/server.ts", files: map[string]string{"src/server.ts": "import express from 'express';\nconst app = express();\napp.get('/', (_q, r) => { r.send('Hello tsx' as string); });\napp.listen(3000);\n"}, get: "/", want: "Hello tsx"},
	{name: "types", made: "app express@5.1.0 -- node server.ts", files: map[string]string{"server.ts": "const express = require('express');\nconst greeting: string = 'Hello types';\nexpress().get('/', (_q: unknown, r: any) => r.send(greeting)).listen(3000);\n"}, get: "/", want: "Hello types"},
}

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

const drizzleApp = `import { createServer } from 'node:http';
import { count, sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/libsql';
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';
const notes = sqliteTable('notes', { id: integer().primaryKey(), text: text().notNull() });
const db = drizzle('file:/tmp/notes.db');
await db.run(sql.raw('CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL)'));
await db.insert(notes).values({ text: 'Hello' });
createServer(async (q, r) => r.end((await db.select({ n: count() }).from(notes))[0].n + ' notes')).listen(3000);
`
