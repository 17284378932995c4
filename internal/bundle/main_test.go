package bundle

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
)

// TestWithLine: the line comes before the first statement, in the same line, and after what must stay first.
func TestWithLine(t *testing.T) {
	const require, imports = `require("/app/node_modules/.nodeos/run.js"); `, `import "/app/node_modules/.nodeos/run.js"; `
	for name, c := range map[string]struct {
		text string
		kind kind
		want string // | is where the line comes; "": it is refused
	}{
		"plain":                {"a()", commonJS, "|a()"},
		"of no kind":           {"a()\n// import x", unknown, "|a()\n// import x"},
		"module":               {"// x\nimport a from 'a'", module, "// x\n|import a from 'a'"},
		"perhaps a module":     {"import a from 'a'", unknown, ""},
		"perhaps, by meta":     {"a(import.meta.url)", unknown, ""},
		"no JavaScript":        {"{}", neither, ""},
		"strict":               {"'use strict'\n\nconst a = 1", commonJS, "'use strict'\n\n|const a = 1"},
		"strict, a semicolon":  {`"use strict"; const a`, commonJS, `"use strict"; |const a`},
		"many":                 {"#!/usr/bin/env node\r\n/* a\n */ 'use strict' // x\n'use asm'; // y\nf()", commonJS, "#!/usr/bin/env node\r\n/* a\n */ 'use strict' // x\n'use asm'; // y\n|f()"},
		"a text that goes on":  {"'a,b'.split(',')", commonJS, "|'a,b'.split(',')"},
		"and in the next line": {"'a,b'\n.split(',')", commonJS, ""},
		"a word that goes on":  {"'a'\nin b", commonJS, ""},
		"a call":               {"'a'\n(b)", commonJS, ""},
		"an escape":            {`'use \x73trict'; a()`, commonJS, ""},
		"only a directive":     {"'use strict'", commonJS, ""},
		"an open text":         {"'use strict", commonJS, ""},
		"an open comment":      {"/* a", commonJS, ""},
		"empty":                {"", commonJS, "|"},
		"a mark":               {"\ufeffa()", commonJS, "\ufeff|a()"},
		"there already":        {require + "a()", commonJS, require + "a()"},
	} {
		line := require
		if c.kind == module {
			line = imports
		}
		got, why := withLine([]byte(c.text), c.kind)
		if want := strings.Replace(c.want, "|", line, 1); string(got) != want || (why == "") != (c.want != "" || c.text == "") {
			t.Errorf("%s: %q (%s), want %q", name, got, why, want)
		}
	}
}

// FuzzWithLine: whatever a file has in it, the line is added to it, and nothing else changes.
func FuzzWithLine(f *testing.F) {
	for _, text := range []string{"'use strict'\na", "#!x\n/**/'a';b", `"\`, "//", "/*", "'a'\n'b'\nc"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, why := withLine([]byte(text), commonJS)
		if why == "" && strings.Replace(string(got), `require("`+Runner+`"); `, "", 1) != text && string(got) != text {
			t.Errorf("%q became %q", text, got)
		}
	})
}

// TestLead: which files of an app load the bundle, and what is said of the others.
func TestLead(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"server.js": "a()", "sub/package.json": `{"type": "module"}`, "sub/w.js": "b()", "lib/index.js": "c()", "data.json": "{}",
		"node_modules/x/cli.js": "d()", "old.js": "import x from 'x'", "package.json": `{"type": 1}`,
	} {
		write(t, filepath.Join(dir, name), []byte(text))
	}
	check(t, os.Symlink("/etc/hostname", filepath.Join(dir, "link.js")))
	check(t, unix.Mkfifo(filepath.Join(dir, "pipe.js"), 0o600))
	check(t, os.MkdirAll(filepath.Join(dir, "p"), 0o755))
	check(t, unix.Mkfifo(filepath.Join(dir, "p/package.json"), 0o600))
	write(t, filepath.Join(dir, "p/a.js"), nil)
	check(t, os.Symlink("server.js", filepath.Join(dir, "inner.js")))
	for name, c := range map[string]struct{ in, words, led, not string }{
		"by its name":       {"", "server.js a", "server.js", ""},
		"without an ending": {"", "./server", "server.js", ""},
		"a folder":          {"", "lib", "lib/index.js", ""},
		"in a folder":       {"sub", "w.js", "sub/w.js", ""},
		"by its whole path": {"sub", "/app/server.js", "server.js", ""},
		"options":           {"", "--enable-source-maps --max-old-space-size=60 server.js", "server.js", ""},
		"another option":    {"", "-r ./x server.js", "", "it has the option -r before its file"},
		"a long one":        {"", "--import ./x server.js", "", "it has the option --import before its file"},
		"a package's":       {"", "node_modules/x/cli.js", "", "it is a program of a package"},
		"outside":           {"", "../x.js", "", "its file is not one of the app's"},
		"a link out":        {"", "link.js", "", "its file is not one of the app's"},
		"a link":            {"", "inner.js", "inner.js", ""},
		"a pipe":            {"", "pipe.js", "", "its file is not one of the app's"},
		"beside a pipe":     {"p", "a.js", "p/a.js", ""},
		"missing":           {"", "nothing.js", "", "its file is not one of the app's"},
		"data":              {"", "data.json", "", "its file is no JavaScript"},
		"perhaps a module":  {"", "old.js", "", `"type": "module" or "type": "commonjs" in package.json says it`},
		"nothing":           {"", "--no-warnings", "", "it has no file to run"},
	} {
		step := core.StartStep{Dir: c.in, Words: []core.Word{core.Plain(guest.Node)}}
		for word := range strings.FieldsSeq(c.words) {
			step.Words = append(step.Words, core.Plain(word))
		}
		types := []core.ProcessType{{Name: "worker", Run: []core.StartStep{step, step}}}
		led, not, err := Lead(dir, core.Manifest{Types: types})
		if err != nil || strings.Join(led, " ") != c.led || (c.not == "") != (len(not) == 0) || !strings.Contains(strings.Join(not, " "), c.not) {
			t.Errorf("%s: %q %q %v", name, led, not, err)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "sub/w.js"))
	if check(t, err); string(text) != `import "/app/node_modules/.nodeos/run.js"; b()` {
		t.Errorf("%q", text)
	}
	if _, not, err := Lead(dir, core.Manifest{Run: []core.StartStep{{Words: []core.Word{core.Plain("/bin/sh")}}}}); err != nil || len(not) != 1 {
		t.Errorf("of another program: %q %v", not, err)
	}
}
