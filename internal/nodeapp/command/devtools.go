package command

import (
	"path"
	"slices"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/nodeapp/shell"
)

// nodeValues are Node's options whose value is a word of its own.
var nodeValues = []string{"-r", "--require", "--import", "--loader", "--experimental-loader", "-C", "--conditions",
	"--env-file", "--title", "--watch-path", "-e", "--eval", "-p", "--print"}

// followNode leaves out Node's --watch: no file of a machine changes.
func followNode(w *walker, sc *scope, c *shell.Call) (*tree, error) {
	n := &shell.Call{Set: c.Set, Text: c.Text}
	i, watches := 0, false
	for i < len(c.Words) {
		word, ok := c.Words[i].Literal()
		if i > 0 && (!ok || !strings.HasPrefix(word, "-") || word == "-" || word == "--") {
			break
		}
		name, _, equals := strings.Cut(word, "=")
		end := i + 1
		if !equals && slices.Contains(nodeValues, name) {
			end = min(i+2, len(c.Words))
		}
		if strings.HasPrefix(name, "--watch") {
			watches = true
			w.dropped = append(w.dropped, c.Sources[i:end]...)
		} else {
			n.Words, n.Sources = append(n.Words, c.Words[i:end]...), append(n.Sources, c.Sources[i:end]...)
		}
		i = end
	}
	n.Words, n.Sources = append(n.Words, c.Words[i:]...), append(n.Sources, c.Sources[i:]...)
	if watches {
		w.warn("node --watch is left out: no file changes in a machine")
		n.Text = strings.Join(n.Sources, " ")
	}
	return w.program(sc, n)
}

func (w *walker) drop(source string) { w.dropped = append(w.dropped, source) }

// nodemonFlags are options of nodemon that have no effect without changes of files; true: the next word is its value.
var nodemonFlags = map[string]bool{
	"-w": true, "--watch": true, "-e": true, "--ext": true, "-i": true, "--ignore": true, "-d": true, "--delay": true,
	"--signal": true, "-s": true, "--polling-interval": true,
	"-L": false, "--legacy-watch": false, "-q": false, "--quiet": false, "-V": false, "--verbose": false, "-I": false,
	"--no-stdin": false, "-C": false, "--on-change-only": false, "--no-colours": false, "--no-colors": false,
}

// followNodemon runs what nodemon would run. It would run ts-node for TypeScript.
func followNodemon(w *walker, sc *scope, c *shell.Call) (*tree, error) {
	program, chosen := "node", false
	var args []string
	for i := 1; i < len(c.Words); i++ {
		word, ok := c.Words[i].Literal()
		name, value, equals := strings.Cut(word, "=")
		two, flag := nodemonFlags[name]
		switch {
		case ok && len(args) == 0 && flag:
			w.drop(c.Sources[i])
			if two && !equals && i+1 < len(c.Words) {
				i++
				w.drop(c.Sources[i])
			}
		case ok && (name == "-x" || name == "--exec" || name == "--config"):
			if !equals && i+1 < len(c.Words) {
				i++
				value, ok = c.Words[i].Literal()
			}
			if !ok || value == "" || name == "--config" || chosen {
				return nil, refused(c.Text, "uses "+name+" of nodemon", "start with node itself")
			}
			program, chosen = value, true
		default:
			args = append(args, c.Sources[i])
		}
	}
	if program == "node" && slices.ContainsFunc(args, func(a string) bool { return isTypeScript(a) }) {
		program = "ts-node"
	}
	if program == "node" && (len(args) == 0 || nodemonConfigured(w, sc)) {
		return w.program(sc, c) // what it runs is in its own settings
	}
	text := strings.Join(append([]string{program}, args...), " ")
	w.warn("nodemon is left out, since no file changes in a machine: %s runs", shorten(text))
	return w.text(sc.within(c), text)
}

func nodemonConfigured(w *walker, sc *scope) bool {
	m, err := w.packages.at(w.packages.nearest(sc.dir))
	return err != nil || m.Nodemon || exists(w.packages.repo, path.Join(sc.dir, "nodemon.json"))
}

func isTypeScript(name string) bool {
	return slices.Contains([]string{".ts", ".mts", ".cts", ".tsx"}, path.Ext(name))
}

// followTsNodeDev runs JavaScript with node; TypeScript is a case for start:prod.
func followTsNodeDev(w *walker, sc *scope, c *shell.Call) (*tree, error) {
	words, ok := literals(c, 1)
	if !ok || len(words) == 0 || strings.HasPrefix(words[0], "-") ||
		!slices.Contains([]string{".js", ".cjs", ".mjs"}, path.Ext(words[0])) {
		return w.program(sc, c)
	}
	w.warn("%s is left out, since no file changes in a machine: node %s runs", c.Sources[0], shorten(words[0]))
	n := rest(c, 1)
	n.Words = append([]core.Word{core.Plain("node")}, n.Words...)
	n.Sources = append([]string{"node"}, n.Sources...)
	n.Text = strings.Join(n.Sources, " ")
	return w.program(sc, n)
}

// followRunSequence is npm-run-all, one script after the other.
func followRunSequence(w *walker, sc *scope, c *shell.Call) (*tree, error) {
	names, ok := literals(c, 1)
	if !ok || len(names) == 0 {
		return nil, refused(c.Text, "starts nothing that is known here", prepare)
	}
	all := known(succeeds)
	for _, name := range names {
		switch {
		case name == "-s" || name == "--silent" || name == "--sequential" || name == "--serial":
			w.drop(name)
			continue
		case strings.HasPrefix(name, "-") || strings.ContainsAny(name, "*{ "):
			return nil, refused(c.Text, "uses "+shorten(name)+" of "+c.Sources[0], "name one script after the other, or use `npm run a && npm run b`")
		}
		t, err := w.script(sc.within(c), ask{tool: "npm", name: name, text: c.Text})
		if err != nil {
			return nil, err
		}
		all = pair(shell.And, all, t)
	}
	return all, nil
}

// builders are programs that make or check files, and what of them does: nil is all.
var builders = map[string][]string{
	"tsc": nil, "tsc-alias": nil, "vue-tsc": nil, "tsup": nil, "esbuild": nil, "rollup": nil, "babel": nil, "swc": nil, "ncc": nil,
	"gulp": nil, "grunt": nil, "webpack": nil, "rimraf": nil, "mkdirp": nil, "copyfiles": nil, "cpx": nil, "cpy": nil, "shx": nil,
	"del-cli": nil, "sass": nil, "node-sass": nil, "tailwindcss": nil, "postcss": nil, "eslint": nil, "prettier": nil,
	"graphql-codegen": nil, "patch-package": nil, "husky": nil,
	"vite": {"build"}, "next": {"build"}, "nuxt": {"build", "generate", "prepare"}, "nuxi": {"build", "generate", "prepare"},
	"nest": {"build"}, "ng": {"build"}, "astro": {"build", "check", "sync"}, "remix": {"build", "vite:build"},
	"react-router": {"build"}, "svelte-kit": {"sync"}, "react-scripts": {"build"}, "vue-cli-service": {"build"},
	"prisma": {"generate"}, "strapi": {"build"}, "medusa": {"build"}, "nx": {"build"}, "turbo": {"build"}, "parcel": {"build"},
	// Programs of the system, which are there at build time.
	"mkdir": nil, "cp": nil, "rm": nil, "mv": nil, "ln": nil, "touch": nil, "chmod": nil, "test": nil, "[": nil, "cat": nil, "ls": nil,
}

// onlyBuilds reports whether a command prepares files, so that it can run at build time. One that goes on, to watch or
// to serve, does not; nor does one that reaches out of the app's folder.
func onlyBuilds(name string, words []string) bool {
	of, ok := builders[name]
	if !ok || (of != nil && (len(words) == 0 || !slices.Contains(of, words[0]))) {
		return false
	}
	return !slices.ContainsFunc(words, func(w string) bool {
		w = strings.TrimLeft(w, "-")
		return w == "w" || strings.HasPrefix(w, "watch") || strings.HasPrefix(w, "serve") ||
			strings.HasPrefix(w, "/") || strings.HasPrefix(w, "../")
	})
}

// devServers are programs that are for development, and what of them is: nil is all. A machine cannot do what they do
// beside serving: they build, watch files, or start Node through a shell.
var devServers = map[string][]string{
	"nest": {"start"}, "ng": {"serve"}, "nx": {"serve"}, "vite": {"", "dev", "serve"}, "next": {"dev"}, "nuxt": {"dev"},
	"nuxi": {"dev"}, "astro": {"dev"}, "remix": {"dev", "vite:dev"}, "react-router": {"dev"}, "react-scripts": {"start"},
	"vue-cli-service": {"serve"}, "webpack": {"serve"}, "webpack-dev-server": nil, "strapi": {"develop", "dev"},
	"medusa": {"develop"}, "ts-node-dev": nil, "tsnd": nil, "nodemon": nil, "wrangler": {"dev"}, "vinxi": {"dev"},
	"gatsby": {"develop"}, "docusaurus": {"start"}, "vitepress": {"", "dev"}, "eleventy": {""}, "hexo": {"server", "s"},
	"rspress": {"dev"}, "rsbuild": {"dev"}, "rspack": {"dev", "serve"}, "ember": {"serve", "s"}, "quasar": {"dev"},
	"parcel": {"", "serve"}, "craco": {"start"}, "preact": {"watch"}, "umi": {"dev"}, "max": {"dev"},
}

// ofNoFramework are the development servers that say nothing about what else could be served.
var ofNoFramework = map[string]bool{"nodemon": true, "ts-node-dev": true, "tsnd": true, "wrangler": true, "nx": true}

func isDevServer(name string, words []string) bool {
	of, ok := devServers[name]
	first := ""
	if len(words) > 0 && !strings.HasPrefix(words[0], "-") {
		first = words[0]
	}
	return ok && (of == nil || slices.Contains(of, first))
}
