package builder

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// bundledStarter is the starter express as an app that asks for a bundle.
func bundledStarter(t *testing.T) map[string]string {
	t.Helper()
	files := starter(t, "express")
	files["package.json"] = strings.Replace(files["package.json"], `"private": true,`, `"private": true, "nodeos": {"bundle": true},`, 1)
	return files
}

// TestBundle: Express and what it needs are put together once; a push that changes only code runs nothing, and its main
// file loads what there is.
func TestBundle(t *testing.T) {
	b := realBuilder(t)
	repo := newRepository(t)
	m, said, _, err := repo.build(b, "bundled", repo.commit(bundledStarter(t)))
	if err != nil || !strings.Contains(said, " packages, ") || !strings.Contains(said, "KiB, for server.js") {
		t.Fatalf("%v\n%s", err, said)
	}
	dir := unpacked(t, b, m)
	text, err := os.ReadFile(filepath.Join(dir, "server.js"))
	check(t, err)
	if want := `require("/app/node_modules/.nodeos/run.js"); const express`; !strings.HasPrefix(string(text), want) {
		t.Errorf("server.js begins %.80q, want %q", text, want)
	}
	const ask = `require('./node_modules/.nodeos/run.js'); const app = require('express')(); console.log(Object.keys(require.cache)
		.filter((f) => f.includes('.nodeos') || f.includes('/express/lib/')).length, typeof app.get, new Error().stack.includes('.nodeos'))`
	if got := inNode(t, b, dir, ask); got != "6 function false" {
		t.Errorf("Express in a bundle: %q", got)
	}

	files := bundledStarter(t)
	files["server.js"] = "// changed\n" + files["server.js"]
	again, said, _, err := repo.build(b, "bundled", repo.commit(files))
	if err != nil || again.Deps != m.Deps || again.App == m.App || strings.Contains(said, "npm ci") || !strings.Contains(said, "KiB, for server.js") {
		t.Errorf("a code-only push: %+v, %v\n%s", again, err, said)
	}
	other, said, _, err := repo.build(b, "unbundled", repo.commit(starter(t, "express")))
	if err != nil || other.Deps == m.Deps || strings.Contains(said, "bundled") {
		t.Errorf("without the word: %+v, %v\n%s", other, err, said)
	}
	repo = newRepository(t)
	_, said, _, err = repo.build(b, "nothing", repo.commit(map[string]string{
		"package.json": `{"main": "a.js", "nodeos": {"bundle": true}}`, "a.js": "",
	}))
	if err != nil || !strings.Contains(said, "nothing is bundled: none of its") {
		t.Errorf("an app without packages: %v\n%s", err, said)
	}
}
