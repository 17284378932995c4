package builder

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// sameBytes are the apps that TestSameBytes builds: each package manager alone, and with a workspace, and one with a
// bundle.
var sameBytes = []string{"npm", bundled, "yarn1", "berry", "pnpm", "ws-npm", "ws-yarn1", "ws-berry", "ws-pnpm"}

// TestSameBytes: the same commit gives the same layers, whatever package manager it has: with another state folder and
// empty caches, as another user, and more than a year later, by the clock of everything that runs in the sandbox.
//
// What this test found: pnpm writes the hour of its last clean-up into node_modules/.modules.yaml and the moment of the
// installation into .pnpm-workspace-state-v1.json, and yarn 1 the registry's address into .yarn-integrity.
func TestSameBytes(t *testing.T) {
	b := realBuilder(t)
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user: make test runs it")
	}
	here, there := map[string]string{}, map[string]string{}
	t.Run("both", func(t *testing.T) {
		t.Run("here", func(t *testing.T) {
			t.Parallel()
			for _, name := range sameBytes {
				here[name] = digestsOf(t, b, name, nil)
			}
		})
		t.Run("there", func(t *testing.T) {
			t.Parallel()
			there = elsewhere(t)
		})
	})
	if !maps.Equal(here, there) {
		for _, name := range slices.Sorted(maps.Keys(here)) {
			if here[name] != there[name] {
				t.Errorf("%s: here %s, there %q", name, here[name], there[name])
			}
		}
	}
}

// bundled is the app npm, when it asks for a bundle.
const bundled = "bundled"

func digestsOf(t *testing.T, b *Builder, name string, vars map[string]string) string {
	t.Helper()
	repo := newRepository(t)
	from := name
	if name == bundled {
		from = "npm"
	}
	files := fixture(t, from)
	if name == bundled {
		files["package.json"] = strings.Replace(files["package.json"], `"private": true,`, `"private": true, "nodeos": {"bundle": true},`, 1)
	}
	m, said, err := repo.buildWith(b, "same-"+name, repo.commit(files), vars)
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, said)
	}
	if strings.Contains(said, "KiB, for server.js") != (name == bundled) {
		t.Errorf("%s: it says of a bundle:\n%s", name, said)
	}
	return m.Deps.Digest + " " + m.App.Digest
}

// elsewhere builds the same apps as nobody, with a clock that goes 400 days ahead.
func elsewhere(t *testing.T) map[string]string {
	t.Helper()
	fake, err := filepath.Glob("/usr/lib/*/faketime/libfaketime.so.1")
	check(t, err)
	if len(fake) == 0 {
		t.Fatal("no libfaketime: scripts/setup test installs it")
	}
	home, cmd := asNobody(t, "^TestDigestsForAnother$")
	check(t, os.CopyFS(filepath.Join(cmd.Dir, "testdata/managers"), os.DirFS("testdata/managers")))
	result := filepath.Join(home, "digests.json")
	cmd.Env = append(cmd.Env, "GITD_TEST_DIGESTS="+result, "GITD_TEST_CLOCK="+fake[0])
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(result)
	check(t, err)
	there := map[string]string{}
	check(t, json.Unmarshal(text, &there))
	return there
}

// TestDigestsForAnother is the other side of TestSameBytes. It checks that its builds have another year.
func TestDigestsForAnother(t *testing.T) {
	result := os.Getenv("GITD_TEST_DIGESTS")
	if result == "" {
		return // TestSameBytes runs it
	}
	b := realBuilder(t)
	repo := newRepository(t)
	// gitd gives a build a clean environment, and its clock is the kernel's: the app's own config for builds has the
	// other one. The paths of this machine's libraries are in the sandbox too.
	clock := map[string]string{"LD_PRELOAD": os.Getenv("GITD_TEST_CLOCK"), "FAKETIME": "+400d", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
	_, said, err := repo.buildWith(b, "clock", repo.commit(map[string]string{
		"package.json": `{"main": "a.js", "scripts": {"build": "node -p 'new Date().getFullYear()'"}}`, "a.js": "",
	}), clock)
	check(t, err)
	if year := time.Now().AddDate(0, 0, 400).Format("2006"); !strings.Contains(said, year+"\n") {
		t.Errorf("it is not %s in the sandbox:\n%s", year, said)
	}
	there := map[string]string{}
	for _, name := range sameBytes {
		there[name] = digestsOf(t, b, name, clock)
	}
	text, err := json.Marshal(there)
	check(t, err)
	check(t, os.WriteFile(result, text, 0o644))
}
