package command

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/nodeapp/shell"
)

// FuzzStartCommand: whatever a Procfile says, there is no panic; and of what is not refused, every word is in what
// runs, in what is built, or in what is known to have no effect.
func FuzzStartCommand(f *testing.F) {
	for _, s := range []string{"node server.js", "A=1 node $PORT", "a && b", "x '$y' \"${z}\"", "npm run x -- y", "npx -p serve serve dist",
		"npm start --prefix server", "npm start -w @acme/api", "tsc && node dist/main.js", "cd server && node api.js || node b; node c",
		"nodemon -w src --exec 'node -r x' server.js", "node --watch x.js", "cross-env A=1 B=2 npm start", "yarn workspace @acme/api start --x",
		"sh -c 'node a'", "export A=${B:-c}; node $A", "npm --loglevel warn -s start", "run-s start"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		w := finder().walker()
		tree, err := w.text(&scope{}, text)
		if err != nil {
			if _, ok := errors.AsType[*core.Rejection](err); !ok || strings.ContainsAny(err.Error(), "\n") {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		checkNext(t, tree)
		builds, start, err := split(tree)
		if err != nil {
			return
		}
		checkNext(t, start)
		noWordIsLost(t, text, w, append(builds, start))
	})
}

// finder is for a repository with two more packages.
func finder() Finder {
	repo := fstest.MapFS{}
	all := map[string]Package{
		"":             {Name: "shop", Scripts: map[string]string{"start": "node server.js", "build": "tsc"}},
		"server":       {Name: "backend", Scripts: map[string]string{"start": "node api.js"}},
		"packages/api": {Name: "@acme/api", Scripts: map[string]string{"start": "node api.js --own"}},
	}
	for dir := range all {
		repo[path.Join(dir, File)] = &fstest.MapFile{}
	}
	return Finder{Repo: repo, Read: func(dir string) (Package, error) {
		p, ok := all[dir]
		if !ok {
			return p, fs.ErrNotExist
		}
		return p, nil
	}}
}

// checkNext: a start only goes forward, and ends.
func checkNext(t *testing.T, tree *tree) {
	t.Helper()
	next := tree.next()
	if len(next) != len(tree.leaves()) {
		t.Fatalf("%d commands, %d ways on", len(tree.leaves()), len(next))
	}
	for i, n := range next {
		if n.OK <= i || n.Fail <= i || n.OK > len(next) || n.Fail > len(next) {
			t.Errorf("after command %d of %d: %+v", i, len(next), n)
		}
	}
}

// noWordIsLost looks for each word of a command line that is one without quotes.
func noWordIsLost(t *testing.T, text string, w *walker, trees []*tree) {
	t.Helper()
	kept := strings.Join(w.dropped, "\n") + "\n" + strings.Join(w.warnings, "\n") + "\n"
	for _, tree := range trees {
		kept += tree.script() + "\n"
		for _, l := range tree.leaves() {
			kept += l.dir + "\n" + l.text + "\n"
			for _, word := range l.words {
				kept += word.String() + "\n"
			}
			for _, a := range append(slices.Clone(l.set), l.own...) {
				kept += a.Name + "=" + a.Value.String() + "\n"
			}
		}
	}
	n, _, err := shell.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range plainWords(n) {
		if !strings.Contains(kept, word) && !understood(word) {
			t.Errorf("%q: %q is lost; there is\n%s", text, word, kept)
		}
	}
}

// plainWords are the words of a command line that stand for themselves.
func plainWords(n shell.Node) []string {
	switch n := n.(type) {
	case *shell.Pair:
		return append(plainWords(n.X), plainWords(n.Y)...)
	case *shell.Group:
		return plainWords(n.X)
	case *shell.Call:
		if name, ok := n.Words, len(n.Words) > 0; ok {
			first, _ := name[0].Literal()
			if first == "exit" || first == "true" || first == ":" || first == "false" {
				return nil // what they do is in how commands follow each other
			}
		}
		var all []string
		for i, w := range n.Words {
			if text, ok := w.Literal(); ok && text == n.Sources[i] {
				all = append(all, text)
			}
		}
		return all
	}
	return nil
}

// understood are the words that become something else: what they choose is in a command's folder, in its script or in
// what is said.
func understood(word string) bool {
	known := []string{"npm", "npx", "yarn", "pnpm", "pnpx", "bun", "bunx", "yarnpkg", "run", "run-script", "rum", "urn", "start", "test", "exec", "x", "dlx",
		"node", "nodejs", "cd", "export", "env", "cross-env", "sh", "bash", "/bin/sh", "/bin/bash", "-c", "-lc", "-ec", "--", "-p", "--package", "--call",
		"--prefix", "-C", "--cwd", "--dir", "-w", "--workspace", "--filter", "-F", "--workspace-root", "workspace", "install", "i", "ci",
		"clean-install", "install-clean", "--if-present", "--ignore-scripts", "nodemon", "ts-node-dev", "tsnd", "-x", "--exec", "run-s", "npm-run-all",
		"@acme/api", "api", "backend", "server", "dumb-init", "tini", "cross-env-shell"}
	name, _, _ := strings.Cut(word, "=")
	clean := path.Clean(word)
	return slices.Contains(known, word) || slices.Contains(known, name) || strings.HasPrefix(clean, "server") ||
		strings.HasPrefix(clean, "packages") || strings.Trim(word, "./") == "" || strings.HasPrefix(clean, "/app")
}
