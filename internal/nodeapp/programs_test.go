package nodeapp

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/nodeapp/command"
)

func TestPrograms(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"node_modules/next/dist/bin/next": "#!/usr/bin/env node\n", "node_modules/nest/bin/nest.js": "'use strict'",
		"node_modules/flag/cli": "#!/usr/bin/env -S node --no-warnings\n", "node_modules/sh/run": "#!/bin/sh\n",
		"node_modules/native/tool": "\x7fELF", "bin/www": "#!/usr/bin/env node\n", "run.sh": "#!/bin/sh\n",
	} {
		check(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755))
		check(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
	check(t, os.Mkdir(filepath.Join(dir, "node_modules/.bin"), 0o755))
	for name, target := range map[string]string{
		"next": "../next/dist/bin/next", "nest": "../nest/bin/nest.js", "flag": "../flag/cli", "sh": "../sh/run",
		"native": "../native/tool", "out": "../../../../../../etc/passwd", "abs": "/etc/passwd", "gone": "../gone",
	} {
		check(t, os.Symlink(target, filepath.Join(dir, "node_modules/.bin", name)))
	}
	root, err := os.OpenRoot(dir)
	check(t, err)
	defer root.Close()
	installed, err := FindPrograms(root.FS(), "")
	check(t, err)
	for text, want := range map[string]string{
		"node x": "/usr/bin/node x", "next start": "/usr/bin/node node_modules/next/dist/bin/next start",
		"nest": "/usr/bin/node node_modules/nest/bin/nest.js", "flag a": "/usr/bin/node --no-warnings node_modules/flag/cli a",
		"./node_modules/.bin/next start": "/usr/bin/node node_modules/next/dist/bin/next start",
		"./bin/www":                      "/usr/bin/node bin/www",
		"sh":                             "", "native": "", "out": "", "abs": "", "gone": "", "./run.sh": "", "python3 x": "", "../../bin/sh": "",
	} {
		l := command.Leaf{}
		for w := range strings.FieldsSeq(text) {
			l.Words = append(l.Words, core.Plain(w))
		}
		words, err := resolve(l, root.FS(), installed)
		args := core.StartStep{Words: words}.String()
		if want == "" {
			rejected(t, err, "is no program that NodeOS can run")
		} else if err != nil || args != want {
			t.Errorf("%s: %q, %v; want %s", text, args, err, want)
		}
	}
}
