package nodeapp

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
)

// started is what a machine runs for a repository: a line for each command, "[dir] NAME=value … argv", and how they are
// joined if that is not by &&.
func started(t *testing.T, p Plan, files map[string]string) (string, error) {
	t.Helper()
	if p.Start.Built {
		return "what " + p.Start.From + " builds", nil
	}
	installed := Programs{}
	for _, name := range []string{"next", "serve", "prisma", "knex", "fastify", "pm2-runtime", "nest", "tsx", "tool-run"} {
		installed[name] = []string{NodeModules + "/" + name + "/bin.js"}
	}
	steps, err := p.Commands(repository(files), installed)
	if err != nil {
		return "", err
	}
	var all []string
	for i, s := range steps {
		line := ""
		if s.Dir != "" {
			line = "[" + s.Dir + "] "
		}
		for _, a := range append(slices.Clone(s.Set), s.Own...) {
			if !strings.HasPrefix(a.Name, "npm_") && a.Name != "PATH" {
				line += a.Name + "=" + a.Value.String() + " "
			}
		}
		line += strings.TrimPrefix(s.String(), "/usr/bin/")
		switch end := len(steps); s.Next {
		case core.Next{OK: i + 1, Fail: end}:
		default:
			line += fmt.Sprintf(" {%d %d}", s.OK, s.Fail)
		}
		all = append(all, line)
	}
	return strings.Join(all, " && "), nil
}

func hintOf(err error) string {
	r, ok := errors.AsType[*core.Rejection](err)
	if !ok {
		return ""
	}
	return r.Hint
}

// story is a repository and what becomes of its start command.
type story struct {
	web     string            // of the Procfile; "": scripts.start
	scripts map[string]string // start is "node server.js" if nothing else is said
	files   map[string]string
	pkg     string // more of package.json, such as `"dependencies": …`
	want    string
	builds  []string
	says    string // a warning
	refused string // why, and after a | a part of the hint
}

func (s story) repository() map[string]string {
	scripts := map[string]string{"start": "node server.js"}
	maps.Copy(scripts, s.scripts)
	var members []string
	for _, name := range slices.Sorted(maps.Keys(scripts)) {
		members = append(members, fmt.Sprintf("%q: %q", name, scripts[name]))
	}
	files := map[string]string{"server.js": "", "server/package.json": `{"name": "backend", "scripts": {"start": "node api.js"}}`,
		"packages/api/package.json": `{"name": "@acme/api", "scripts": {"start": "node api.js --own"}}`,
		"package.json":              fmt.Sprintf(`{"name": "shop", "version": "1.2.3", "scripts": {%s}%s}`, strings.Join(members, ", "), s.pkg)}
	if !strings.Contains(s.pkg, "ependencies") {
		files["package-lock.json"] = `{"lockfileVersion": 3, "packages": {"": {}, "node_modules/@acme/tool": {"bin": {"tool-run": "x"}},
			"node_modules/next": {"bin": {"next": "x"}}, "node_modules/serve": {"bin": "x"}, "node_modules/prisma": {"bin": {"prisma": "x"}},
			"node_modules/knex": {"bin": {"knex": "x"}}}}`
	}
	if s.web != "" {
		files[procfile] = "web: " + s.web
	}
	maps.Copy(files, s.files)
	return files
}

func (s story) check(t *testing.T) {
	t.Helper()
	files := s.repository()
	p, err := MakePlan(repository(files), "")
	got := ""
	if err == nil {
		got, err = started(t, p, files)
	}
	switch {
	case s.refused != "":
		reason, hint, _ := strings.Cut(s.refused, "|")
		rejected(t, err, reason)
		if !strings.Contains(hintOf(err), hint) {
			t.Errorf("the hint of %v: %q; want %q", err, hintOf(err), hint)
		}
	case err != nil || got != s.want || !slices.Equal(p.Steps, s.builds):
		t.Errorf("%q, %v, at build time %q\nwant %q, %q", got, err, p.Steps, s.want, s.builds)
	case !strings.Contains(strings.Join(p.Warnings, "\n"), s.says):
		t.Errorf("warnings: %q; want %q", p.Warnings, s.says)
	}
}

func tell(t *testing.T, stories map[string]story) {
	t.Helper()
	for name, s := range stories {
		t.Run(name, s.check)
	}
}

// TestCommands: what a shell does with words, init does too.
func TestCommands(t *testing.T) {
	tell(t, map[string]story{
		"plain":              {web: "node server.js", want: "node server.js"},
		"exec":               {web: "exec node server.js", want: "node server.js"},
		"variables":          {web: "A=1 B=\"two words\" node x", want: "A=1 B=two words node x"},
		"unset":              {web: "node $NODE_ARGS server.js", want: "node $NODE_ARGS server.js"},
		"default":            {web: "node x --port ${PORT:-3000}", want: "node x --port ${PORT:-3000}"},
		"of another one":     {web: "A=$B node x", want: "A=$B node x"},
		"quoted":             {web: "node '$PORT'", want: "node $PORT"},
		"cross-env":          {web: "cross-env A=1 B='x y' node x", want: "A=1 B=x y node x"},
		"env":                {web: "env A=1 node x", want: "A=1 node x"},
		"cross-env-shell":    {web: `cross-env-shell A=1 'node x $A'`, want: "A=1 node x $A"},
		"PORT":               {web: "PORT=1 node x", want: "node x", says: "PORT=1 in the start command is ignored"},
		"comment":            {web: "node a # comment", want: "node a"},
		"two outputs":        {web: "node a 2>&1", want: "node a", says: "2>&1 in the start command has no effect"},
		"&&":                 {web: "node migrate.js && node $ARGS server.js", want: "node migrate.js && node $ARGS server.js"},
		";":                  {web: "node a; node b", want: "node a {1 1} && node b"},
		"||":                 {web: "node a || node b; node c", want: "node a {2 1} && node b {2 2} && node c"},
		"|| in a script":     {web: "node a && npm run or && node d", scripts: map[string]string{"or": "node b || node c"}, want: "node a && node b {3 2} && node c && node d"},
		"|| true":            {web: "node a || true; node b", want: "node a {1 1} && node b"},
		"|| exit 1":          {web: "node a || exit 1; node b", want: "node a && node b"},
		"parentheses":        {web: "(cd server && node a) && node b", want: "[server] node a && node b"},
		"cd":                 {web: "cd server && node a && node b", want: "[server] node a && [server] node b"},
		"cd away":            {web: "cd server; cd ..; node b", want: "node b"},
		"cd to the app":      {web: "cd /app/server && node b", want: "[server] node b"},
		"export":             {web: "export A=1 && node $A", want: "A=1 node $A"},
		"echo":               {web: `echo "up on $PORT" && node x`, want: "echo up on $PORT && node x"},
		"sh -c":              {web: "sh -c 'node a && node b'", want: "node a && node b"},
		"dumb-init":          {web: "dumb-init -- node a", want: "node a", says: "dumb-init in the start command is left out"},
		"what exec cuts off": {web: "exec node a; node b", want: "node a {2 2} && node b"},

		"pipe":            {web: "node a | tee x", refused: "needs a shell for its pipe|log"},
		"background":      {web: "node w & node a", refused: "needs a shell for its &|one program"},
		"redirection":     {web: "node a > log", refused: "its redirection|logs"},
		"pattern":         {web: "node *.js", refused: "for its pattern"},
		"substitution":    {web: "node $(cat x)", refused: "for its substitutions"},
		"an argument":     {web: "node $1", refused: "for its variables"},
		"nothing":         {web: "A=1", refused: "sets a variable for no command"},
		"exec nothing":    {web: "exec", refused: "starts nothing"},
		"env nothing":     {web: "env A=1", refused: "starts nothing"},
		"env -i":          {web: "env -i node x", refused: "uses -i of env"},
		"a variable":      {web: "$CMD x", refused: "its program in a variable"},
		"cd out":          {web: "cd .. && node x", refused: "leaves the folder of the app"},
		"cd sometimes":    {web: "node a && cd server; node b", refused: "on a condition"},
		"cd or":           {web: "cd server || cd packages; node b", refused: "on a condition"},
		"cd to nothing":   {web: "cd nothing && node x", refused: `the folder "nothing", which is not in`},
		"set":             {web: "set -e; node x", refused: "needs a shell"},
		"a shell":         {web: "bash start.sh", refused: "needs a shell"},
		"no shell script": {web: "./start.sh", refused: "is no program that NodeOS can run"},
		"too many":        {web: strings.Repeat("node a;", 33), refused: "is one of more than 32"},
	})
}

// TestPackageManagers: options that choose another package are followed, and no word is dropped without being known.
func TestPackageManagers(t *testing.T) {
	scripts := map[string]string{"start:prod": "NODE_ENV=production node dist/main", "deep": "npm run start:prod -- --flag 'a b'",
		"serve": "node serve.js", "around": "node b", "prearound": "node a", "postaround": "node c"}
	with := func(web, want string) story { return story{web: web, scripts: scripts, want: want} }
	api := story{scripts: scripts, want: "[packages/api] node api.js --own"}
	other := func(web string) story { s := api; s.web = web; return s }
	no := func(web, refused string) story { return story{web: web, scripts: scripts, refused: refused} }
	tell(t, map[string]story{
		"npm start":                    with("npm start", "node server.js"),
		"npm start --prefix server":    with("npm start --prefix server", "[server] node api.js"),
		"npm --prefix=server start":    with("npm --prefix=server start", "[server] node api.js"),
		"npm --prefix ./server start":  with("npm --prefix ./server start", "[server] node api.js"),
		"npm -C server start":          with("npm -C server start", "[server] node api.js"),
		"npm start -- --prefix server": with("npm start -- --prefix server", "node server.js --prefix server"),
		"yarn --cwd server start":      with("yarn --cwd server start", "[server] node api.js"),
		"yarn start --cwd server":      with("yarn start --cwd server", "node server.js --cwd server"),
		"its dependencies": {web: "npm start --prefix server", files: map[string]string{"server/package.json": `{"scripts": {"start": "node api.js"}, "dependencies": {"ms": "2"}}`},
			want: "[server] node api.js", says: "the dependencies of server/package.json are not installed: add `npm ci --prefix server`"},
		"pnpm -C server start":                with("pnpm -C server start", "[server] node api.js"),
		"pnpm --dir=server run start":         with("pnpm --dir=server run start", "[server] node api.js"),
		"cd server && npm start":              with("cd server && npm start", "[server] node api.js"),
		"npm start -w api":                    no("npm start -w api", `chooses the workspace "api", which is not in the repository|-w takes the name`),
		"npm start -w @acme/api":              other("npm start -w @acme/api"),
		"npm -w packages/api start":           other("npm -w packages/api start"),
		"npm --workspace=@acme/api run start": other("npm --workspace=@acme/api run start"),
		"pnpm --filter api start":             other("pnpm --filter api start"),
		"pnpm --filter @acme/api start":       other("pnpm --filter @acme/api start"),
		"pnpm -F ./packages/api start":        other("pnpm -F ./packages/api start"),
		"pnpm --filter ...api start":          no("pnpm --filter ...api start", "which can be several"),
		"yarn workspace @acme/api start":      other("yarn workspace @acme/api start"),
		"yarn workspace @acme/api run start":  other("yarn workspace @acme/api run start"),
		"yarn workspaces foreach run start":   no("yarn workspaces foreach run start", "for more than to run"),
		"npm start -ws":                       no("npm start -ws", "uses -ws of npm|choose one workspace"),
		"npm start --frobnicate":              no("npm start --frobnicate", "uses --frobnicate of npm|npm start -- --flag"),
		"npm start --prefix":                  no("npm start --prefix", "uses --prefix of npm"),
		"npm start --prefix nothing":          no("npm start --prefix nothing", `"nothing", which is not in the repository`),
		"npm start --prefix ..":               no("npm start --prefix ..", "leaves the folder of the app"),
		"npm start --prefix $D":               no("npm start --prefix $D", "uses --prefix of npm"),
		"npm start $ARGS":                     no("npm start $ARGS", "may give npm more options|--"),
		"npm start -- $ARGS":                  with("npm start -- $ARGS", "node server.js $ARGS"),
		"npm -s run start:prod":               with("npm -s run start:prod", "NODE_ENV=production node dist/main"),
		"npm run deep":                        with("npm run deep", "NODE_ENV=production node dist/main --flag a b"),
		"npm run around":                      with("npm run around", "node a && node b && node c"),
		"npm run around --ignore-scripts":     with("npm run around --ignore-scripts", "node b"),
		"npm run none --if-present":           no("npm run none --if-present", "starts nothing: it only prepares"),
		"npm run none --if-present && node x": with("npm run none --if-present && node x", "node x"),
		"npm run none":                        no("npm run none", `the script "none", which is not in package.json`),
		"npm ci":                              no("npm ci", "starts nothing"),
		"npm ci && node x":                    {web: "npm ci && node x", want: "node x", says: "npm ci in the start command is left out"},
		"npm install pm2 && node x":           no("npm install pm2 && node x", "installs a package at each start"),
		"npm run":                             no("npm run", "for more than to run a script"),
		"npm publish":                         no("npm publish", "for more than to run a script"),
		"yarn serve":                          with("yarn serve", "node serve.js"),
		"yarn next start":                     with("yarn next start", "node node_modules/next/bin.js start"),
		"yarn run next start":                 with("yarn run next start", "node node_modules/next/bin.js start"),
		"yarn node x.js":                      with("yarn node x.js", "node x.js"),
		"yarn exec next start":                with("yarn exec next start", "node node_modules/next/bin.js start"),
		"yarn && yarn start":                  with("yarn && yarn start", "node server.js"),
		"yarn add x":                          no("yarn add x", "uses yarn for more than to run"),
		"pnpm exec next start":                with("pnpm exec next start", "node node_modules/next/bin.js start"),
		"pnpm next start -p $PORT":            with("pnpm next start -p $PORT", "node node_modules/next/bin.js start -p $PORT"),
		"bun run start":                       with("bun run start", "node server.js"),
		"npx next start":                      with("npx next start", "node node_modules/next/bin.js start"),
		"npx -p serve serve dist":             with("npx -p serve serve dist", "node node_modules/serve/bin.js dist"),
		"npx --package=serve -- serve dist":   with("npx --package=serve -- serve dist", "node node_modules/serve/bin.js dist"),
		"npx --yes serve@14 dist":             {web: "npx --yes serve@14 dist", want: "node node_modules/serve/bin.js dist", says: "serve@14 in the start command: the version in the lockfile"},
		"npx @acme/tool x":                    with("npx @acme/tool x", "node node_modules/tool-run/bin.js x"),
		"npx -c 'next start'":                 with("npx -c 'next start'", "node node_modules/next/bin.js start"),
		"npm exec -- serve -s dist":           with("npm exec -- serve -s dist", "node node_modules/serve/bin.js -s dist"),
		"npm exec serve dist":                 with("npm exec serve dist", "node node_modules/serve/bin.js dist"),
		"pnpm dlx serve dist":                 with("pnpm dlx serve dist", "node node_modules/serve/bin.js dist"),
		"yarn dlx -p serve serve dist":        with("yarn dlx -p serve serve dist", "node node_modules/serve/bin.js dist"),
		"npx --weird serve":                   no("npx --weird serve", "uses --weird of npm"),
		"npx":                                 no("npx", "for more than to run"),
		"a circle":                            {scripts: map[string]string{"start": "npm run b", "b": "npm start"}, refused: "in a circle: start → b → start"},
		"no circle": {scripts: map[string]string{"start": "npm run a1", "a1": "npm run a2", "a2": "npm run a3", "a3": "npm run a4", "a4": "npm run a5",
			"a5": "npm run a6", "a6": "npm run a7", "a7": "npm run a8", "a8": "node x"}, refused: "goes through more than 8 scripts"},
		"npm start of a server.js": {web: "npm start", scripts: map[string]string{"start": ""}, want: "node server.js"},
		"yarn 2 runs no prestart":  {scripts: map[string]string{"prestart": "node a"}, pkg: `, "packageManager": "yarn@4.1.0"`, want: "node server.js"},
		"run-s":                    {web: "run-s -s serve around", scripts: scripts, want: "node serve.js && node a && node b && node c"},
		"run-s of a pattern":       no("run-s 'start:*'", "uses start:* of run-s"),
	})
}

// TestBuildSteps: what only builds runs at build time, once, and nothing else does.
func TestBuildSteps(t *testing.T) {
	builds := func(want string, steps ...string) story { return story{want: want, builds: steps} }
	with := func(s story, pairs ...string) story {
		s.scripts = map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			s.scripts[pairs[i]] = pairs[i+1]
		}
		return s
	}
	const main = "node dist/main.js"
	tell(t, map[string]story{
		"npm run build &&":     with(builds(main), "start", "npm run build && node dist/main.js", "build", "tsc"),
		"prestart":             with(builds("node server.js"), "prestart", "npm run build", "build", "tsc"),
		"the same once more":   with(builds(main), "start", "tsc && node dist/main.js", "build", "tsc"),
		"tsc":                  with(builds(main, "tsc"), "start", "tsc && node dist/main.js"),
		"another script":       with(builds(main, "npm run build:api -- --x"), "start", "npm run build:api -- --x && node dist/main.js", "build:api", "a | b > c"),
		"in order":             with(builds(main, "rm -rf dist", "tsc -p ."), "start", "rm -rf dist && npx tsc -p . && node dist/main.js"),
		"its failure is no":    with(builds(main, "tsc || true"), "start", "tsc; node dist/main.js"),
		"|| true":              with(builds(main, "tsc || true"), "start", "(tsc || true) && node dist/main.js"),
		"with variables":       with(builds("A=1 "+main, "(export A='1' && tsc) || true"), "start", "export A=1; tsc; node dist/main.js"),
		"in a folder":          with(builds("[server] node x", `(cd 'server' && PATH="$PWD/node_modules/.bin:$PATH" && tsc)`), "start", "cd server && tsc && node x"),
		"install elsewhere":    with(builds("[server] node api.js", `(cd 'server' && PATH="$PWD/node_modules/.bin:$PATH" && npm install)`), "start", "npm --prefix server install && npm --prefix server start"),
		"prisma":               with(builds("node node_modules/prisma/bin.js migrate deploy && node x", "prisma generate"), "start", "prisma generate && prisma migrate deploy && node x"),
		"after a migration":    with(builds("node node_modules/knex/bin.js migrate && node x", "tsc"), "start", "knex migrate && tsc && node x"),
		"build that serves":    with(builds("node x", "tsc"), "start", "npm run build:serve", "build:serve", "tsc && node x"),
		"mkdir":                with(builds("node x", "mkdir -p logs"), "start", "mkdir -p logs && node x"),
		"only builds":          with(story{refused: "starts nothing: it only prepares"}, "start", "tsc", "build", "tsc"),
		"on a condition":       with(story{refused: "only on a condition|scripts.build"}, "start", "node check.js || tsc; node x"),
		"from what is made":    with(story{refused: "may build from what `node gen.js` has made"}, "start", "node gen.js && tsc && node x"),
		"out of the folder":    with(story{refused: `"mkdir", which is no program`}, "start", "mkdir -p /data/x && node x"),
		"watching is no build": with(story{refused: `"tsc"`}, "start", "tsc --watch"),
	})
}

// TestDevelopment: a start command for development gives way to the author's own for production, or is refused before
// anything is installed.
func TestDevelopment(t *testing.T) {
	dev := func(pkgs ...string) string {
		var all []string
		for _, p := range pkgs {
			all = append(all, fmt.Sprintf("%q: \"1\"", p))
		}
		return `, "devDependencies": {` + strings.Join(all, ", ") + "}"
	}
	scripts := func(pairs ...string) map[string]string {
		all := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			all[pairs[i]] = pairs[i+1]
		}
		return all
	}
	lock := func(s string) map[string]string {
		return map[string]string{"package-lock.json": `{"lockfileVersion": 3, "packages": {"": {}, ` + s + `}}`}
	}
	nest := lock(`"node_modules/@nestjs/cli": {"dev": true, "bin": {"nest": "bin/nest.js"}}`)
	tell(t, map[string]story{
		"nest":                   {scripts: scripts("start", "nest start", "start:prod", "node dist/main"), pkg: dev("@nestjs/cli"), want: "node dist/main", says: "`nest start` is for development: scripts.start:prod runs instead"},
		"nest with steps":        {scripts: scripts("prestart", "prisma generate", "start", "node migrate.js && nest start", "start:prod", "tsc && node dist/main"), pkg: dev("@nestjs/cli", "prisma", "typescript"), files: nest, want: "node dist/main", builds: []string{"prisma generate", "tsc"}, says: "scripts.start:prod runs instead of all of scripts.start"},
		"nodejs":                 {scripts: scripts("start", "nodejs server.js"), want: "node server.js"},
		"nest alone":             {scripts: scripts("start", "nest start"), pkg: dev("@nestjs/cli"), refused: `"nest", of the devDependency @nestjs/cli|"start:prod": "node dist/main"`},
		"nest by the lockfile":   {scripts: scripts("start", "nest start"), pkg: `, "devDependencies": {"x": "1"}`, files: nest, refused: `the devDependency @nestjs/cli`},
		"nest as a dependency":   {scripts: scripts("start", "nest start"), pkg: `, "dependencies": {"@nestjs/cli": "1"}`, files: lock(`"node_modules/@nestjs/cli": {"bin": {"nest": "x"}}`), refused: `"nest start" is for development|node dist/main`},
		"nx":                     {scripts: scripts("start", "nx serve api"), pkg: dev("nx"), refused: `"nx", of the devDependency nx|start:prod`},
		"next":                   {scripts: scripts("start", "next start"), pkg: dev("next"), refused: `"next", of the devDependency next|move next to "dependencies"`},
		"next that is missing":   {scripts: scripts("start", "hexo server"), refused: `"hexo", which is no program|npm install hexo`},
		"not in the lockfile":    {scripts: scripts("start", "next start"), pkg: `, "dependencies": {"x": "1"}`, files: lock(`"node_modules/x": {"bin": {"x": "x"}}`), refused: `"next", which is no program|npm install next`},
		"tsx":                    {scripts: scripts("start", "tsx src/index.ts"), pkg: dev("tsx"), refused: `"tsx", of the devDependency tsx|node dist/index.js`},
		"tsx that is there":      {scripts: scripts("start", "tsx src/index.ts"), pkg: `, "dependencies": {"tsx": "1"}`, files: lock(`"node_modules/tsx": {"bin": {"tsx": "x"}}`), want: "node node_modules/tsx/bin.js src/index.ts"},
		"ts-node":                {scripts: scripts("start", "ts-node src/a.ts", "start:production", "node dist/a.js"), pkg: dev("ts-node"), want: "node dist/a.js"},
		"serve:prod":             {scripts: scripts("start", "ts-node src/a.ts", "serve:prod", "node dist/a.js"), pkg: dev("ts-node"), want: "node dist/a.js"},
		"of the other package":   {web: "npm start --prefix server", files: map[string]string{"server/package.json": `{"scripts": {"start": "nodemon a.ts", "start:prod": "node a.js"}, "devDependencies": {"ts-node": "1"}}`}, want: "[server] node a.js", says: "scripts.start:prod of server runs instead"},
		"production is that too": {scripts: scripts("start", "nest start", "start:prod", "nest start"), pkg: dev("@nestjs/cli"), refused: "devDependency @nestjs/cli"},
		"nodemon":                {scripts: scripts("start", "nodemon server.js"), pkg: dev("nodemon"), want: "node server.js", says: "nodemon is left out, since no file changes in a machine: node server.js runs"},
		"nodemon with options":   {scripts: scripts("start", "nodemon -w src --ext js,json --inspect server.js a"), pkg: dev("nodemon"), want: "node --inspect server.js a"},
		"nodemon --exec":         {scripts: scripts("start", "nodemon --exec 'A=1 node -r x' server.js"), pkg: dev("nodemon"), want: "A=1 node -r x server.js"},
		"nodemon --exec ts-node": {scripts: scripts("start", "nodemon --exec ts-node src/a.ts"), pkg: dev("nodemon", "ts-node"), refused: "devDependency ts-node"},
		"nodemon of TypeScript":  {scripts: scripts("start", "nodemon src/a.ts"), pkg: dev("nodemon", "ts-node"), refused: "devDependency ts-node"},
		"nodemon's settings":     {scripts: scripts("start", "nodemon a.js"), pkg: dev("nodemon"), files: map[string]string{"nodemon.json": "{}"}, refused: "devDependency nodemon"},
		"node --watch":           {scripts: scripts("start", "node --watch-path src --watch -r x server.js"), want: "node -r x server.js", says: "node --watch is left out"},
		"--watch of the app":     {scripts: scripts("start", "node server.js --watch"), want: "node server.js --watch"},
		"ts-node-dev of JS":      {scripts: scripts("start", "ts-node-dev a.js b"), pkg: dev("ts-node-dev"), want: "node a.js b"},
		"vite":                   {scripts: scripts("start", "vite"), pkg: dev("vite"), want: "what Vite builds", builds: []string{"vite build"}, says: "`vite` is for development"},
		"a step that is missing": {scripts: scripts("start", "knex migrate:latest && node x"), pkg: dev("knex"), refused: "devDependency knex"},
	})
}

func TestStartFallsBack(t *testing.T) {
	for name, c := range map[string]struct {
		pkg   string
		files string
		want  string
		says  string
	}{
		"scripts.start":        {`"main": "b.js", "scripts": {"start": "node a"}`, "b.js", "node a", ""},
		"./app.js":             {`"main": "./app.js"`, "app.js index.js", "node app.js", ""},
		"without extension":    {`"main": "app"`, "app.js index.js", "node app.js", ""},
		"a folder":             {`"main": "app"`, "app/index.js index.js", "node app/index.js", ""},
		"a folder, with slash": {`"main": "./app/"`, "app/index.js index.js", "node app/index.js", ""},
		"a file first":         {`"main": "app"`, "app/index.js app.js", "node app.js", ""},
		"cjs":                  {`"main": "app.cjs"`, "app.cjs", "node app.cjs", ""},
		"a native addon":       {`"main": "app"`, "app.node", "node app.node", ""},
		"itself":               {`"main": "."`, "index.js", "node index.js", ""},
		"server.js":            {``, "server.js index.js", "node server.js", ""},
		"index.js":             {``, "index.js", "node index.js", ""},
		"release only":         {`"scripts": {"start": "node a"}`, "Procfile=release:node", "node a", ""},
		"procfile":             {`"scripts": {"start": "node a"}`, "procfile=web:x", "node a", "procfile is not read: it would have to be called Procfile"},
		"Procfile.txt":         {`"scripts": {"start": "node a"}`, "Procfile.txt=web:x", "node a", "Procfile.txt is not read"},
	} {
		files := map[string]string{"package.json": `{"name": "x"}`}
		if c.pkg != "" {
			files["package.json"] = `{"name": "x", ` + c.pkg + "}"
		}
		for f := range strings.FieldsSeq(c.files) {
			name, text, _ := strings.Cut(f, "=")
			files[name] = text
		}
		p, err := MakePlan(repository(files), "")
		check(t, err)
		got, err := started(t, p, files)
		if err != nil || got != c.want || !strings.Contains(strings.Join(p.Warnings, "\n"), c.says) {
			t.Errorf("%s: %q, %v, %q; want %q", name, got, err, p.Warnings, c.want)
		}
	}
	for pkg, refused := range map[string]string{
		`{"main": "app.js"}`:       `main is "app.js", and there is no such file|"main": "index.js" names the file that is there`,
		`{"main": "app"}`:          "and there is no such file",
		`{"main": "../index.js"}`:  "and there is no such file",
		`{"main": "/index.js"}`:    "and there is no such file",
		`{"main": "config.json"}`:  "there is no program in it",
		`{"main": "config"}`:       "there is no program in it",
		`{"main": "-x.js"}`:        "take for an option",
		`{"main": "empty/app.js"}`: "and there is no such file",
	} {
		_, err := MakePlan(repository(map[string]string{"package.json": pkg, "index.js": "", "config.json": "{}", "-x.js": "", "app.mjs": "", "empty/x": ""}), "")
		reason, hint, _ := strings.Cut(refused, "|")
		rejected(t, err, reason)
		if !strings.Contains(hintOf(err), hint) {
			t.Errorf("%s: the hint is %q", pkg, hintOf(err))
		}
	}
}

// TestMainOfABuild: what main names must be there when the build has ended, as Node finds it.
func TestMainOfABuild(t *testing.T) {
	built := map[string]string{"dist/a.js": "", "dist/b.mjs": "", "lib/index.js": "", "index.js": "", "package.json": "{}"}
	for main, want := range map[string]string{
		"dist/a.js": "node dist/a.js", "./dist/a.js": "node dist/a.js", "dist/a": "node dist/a.js", "lib": "node lib/index.js",
		"dist/b": "", "dist/c.js": "", "dist/c": "", "../a.js": "", "/dist/a.js": "", "dist/../../etc/passwd": "",
	} {
		p, err := MakePlan(repository(map[string]string{"index.js": "",
			"package.json": fmt.Sprintf(`{"main": %q, "scripts": {"build": "tsc"}}`, main)}), "")
		check(t, err)
		got, err := started(t, p, built)
		if want == "" {
			rejected(t, err, "there is no such file")
		} else if err != nil || got != want {
			t.Errorf("%s: %q, %v; want %s", main, got, err, want)
		}
	}
}

func TestProcfile(t *testing.T) {
	utf16 := func(order string) string {
		s := "\xff\xfe"
		if order == "big" {
			s = "\xfe\xff"
		}
		for _, c := range []byte("web: node b\r\n") {
			if order == "big" {
				s += string([]byte{0, c})
			} else {
				s += string([]byte{c, 0})
			}
		}
		return s
	}
	for text, want := range map[string]string{
		"web: node b":                          "node b",
		"\xef\xbb\xbfweb: node b\n":            "node b",
		utf16("little"):                        "node b",
		utf16("big"):                           "node b",
		"# words\n\nweb : node b\nx: node y\n": "node b",
		"release: node r\n":                    "node server.js",
	} {
		story{files: map[string]string{procfile: text}, want: want}.check(t)
	}
	for text, refused := range map[string]string{
		"worker: x\nweb node b\n": `Procfile, line 2 cannot be read: "web node b"`,
		"web:":                    "Procfile, line 1 cannot be read",
		"web: node b\nweb: x\n":   "Procfile, line 2: web is there twice",
		"web: node b\na: x\na: y": "Procfile, line 3: a is there twice",
		"web: node b\nMail: x\n":  `Procfile, line 2: "Mail" cannot be the name of a process: use 1 to 20|"mail-queue"`,
		"web: node b\nmail_q: x":  "cannot be the name of a process",
		"web: node b\nw: x\n":     `Procfile, w: the start command runs "x"`,
		"web: node b\nw: a | b":   "Procfile, w: ",
		manyTypes(17):             "the Procfile has more than 16 process types",
		"w\x00e\x00b":             "Procfile is not text in UTF-8",
		"web: \xff\xfe":           "Procfile is not text in UTF-8",
		"\xff\xfew":               "Procfile is not whole UTF-16",
	} {
		story{files: map[string]string{procfile: text}, refused: refused}.check(t)
	}
}

func manyTypes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "w%d: node w\n", i)
	}
	return b.String()
}

// TestProcesses: the other processes of a Procfile are found by the rules of web.
func TestProcesses(t *testing.T) {
	s := story{scripts: map[string]string{"jobs": "tsc && node jobs.js --all", "build": "tsc"}, files: map[string]string{
		procfile: "web: node b\nworker: npm run jobs\nrelease: prisma migrate deploy\nclock: nodemon clock.js $PORT\n"}}
	files := s.repository()
	p, err := MakePlan(repository(files), "")
	check(t, err)
	types, err := p.Processes.Types(repository(files), Programs{"prisma": {"prisma.js"}})
	check(t, err)
	var got []string
	for _, c := range types {
		got = append(got, c.Name+": "+c.Run[0].String())
	}
	want := []string{"clock: /usr/bin/node clock.js $PORT", "release: /usr/bin/node prisma.js migrate deploy", "worker: /usr/bin/node jobs.js --all"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	said := fmt.Sprint(p.Facts(), p.Warnings)
	for _, part := range []string{"{process worker: node jobs.js --all Procfile}", "{start node b Procfile}", "clock: nodemon is left out"} {
		if !strings.Contains(said, part) {
			t.Errorf("%q is not in %s", part, said)
		}
	}
	_, err = p.Processes.Types(repository(files), nil)
	rejected(t, err, `Procfile, release: the start command runs "prisma"`)
}

// TestWorkersOnly: an app of which the Procfile names workers and no web has no server, as on Heroku.
func TestWorkersOnly(t *testing.T) {
	files := story{files: map[string]string{procfile: "worker: node w\nrelease: node r\n"}}.repository()
	p, err := MakePlan(repository(files), "")
	check(t, err)
	web, err := p.Commands(repository(files), nil)
	check(t, err)
	said := fmt.Sprint(p.Facts(), p.Warnings)
	if web != nil || strings.Contains(said, "port") || strings.Contains(said, "GET") || !strings.Contains(said, "Procfile has no web: only workers run") {
		t.Errorf("%v, %s", web, said)
	}
}

// TestNPMVariables: what npm would tell the program of a script, and nothing to one that no script starts.
func TestNPMVariables(t *testing.T) {
	s := story{pkg: `, "config": {"colour": "blue", "a-b": "x"}`, scripts: map[string]string{"prestart": "npm run x", "x": "node a"}}
	files := s.repository()
	p, err := MakePlan(repository(files), "")
	check(t, err)
	steps, err := p.Commands(repository(files), nil)
	check(t, err)
	for i, event := range []string{"x", "start"} {
		vars := map[string]string{}
		for _, a := range steps[i].Set {
			vars[a.Name], _ = a.Value.Literal()
		}
		want := map[string]string{"npm_lifecycle_event": event, "npm_package_name": "shop", "npm_package_version": "1.2.3", "npm_package_config_colour": "blue"}
		if !maps.Equal(vars, want) {
			t.Errorf("%s: %q", event, vars)
		}
	}
}
