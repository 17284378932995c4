package nodeapp

import (
	"errors"
	"fmt"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
)

// TestPackageElsewhere: a repository whose app is in a folder was told to make a new package.json with npm init.
func TestPackageElsewhere(t *testing.T) {
	many := map[string]string{}
	for i := range 2000 {
		many[fmt.Sprintf("d%04d/x.js", i)] = ""
	}
	many["z/package.json"] = "{}"
	for name, c := range map[string]struct {
		files        map[string]string
		reason, hint string
	}{
		"one": {map[string]string{"README.md": "", "server/package.json": "{}"},
			"no package.json at the root of the repository; there is server/package.json",
			`to deploy that folder: apps:config APP --dir server, and push again; or a package.json at the root with {"nodeos": {"dir": "server"}}`},
		"the near ones first": {map[string]string{"a/b/c/package.json": "", "web/package.json": "", "api/package.json": "", "z/y/package.json": ""},
			"no package.json at the root of the repository; there is api/package.json, web/package.json, z/y/package.json",
			`to deploy that folder: apps:config APP --dir api, and push again; or a package.json at the root with {"nodeos": {"dir": "api"}}`},
		"a strange name": {map[string]string{"it's mine/package.json": ""},
			"no package.json at the root of the repository; there is it's mine/package.json",
			`to deploy that folder: apps:config APP --dir 'it'\''s mine', and push again; or a package.json at the root with {"nodeos": {"dir": "it's mine"}}`},
		"not what is installed or hidden": {map[string]string{"node_modules/ms/package.json": "", "a/node_modules/x/package.json": "", ".github/package.json": ""},
			"no package.json at the root of the repository", "`npm init` makes one; commit it, and push again"},
		"a link":     {map[string]string{"a/package.json": "-> ../b"}, "no package.json at the root of the repository", "`npm init` makes one; commit it, and push again"},
		"a folder":   {map[string]string{"a/package.json/x": ""}, "no package.json at the root of the repository", "`npm init` makes one; commit it, and push again"},
		"far down":   {map[string]string{"a/b/c/d/e/f/g/package.json": ""}, "no package.json at the root of the repository", "`npm init` makes one; commit it, and push again"},
		"very large": {many, "no package.json at the root of the repository", "`npm init` makes one; commit it, and push again"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := MakePlan(repository(c.files), "")
			r, ok := errors.AsType[*core.Rejection](err)
			if !ok || r.Reason != c.reason || r.Hint != c.hint {
				t.Errorf("got  %v\nwant %s (%s)", err, c.reason, c.hint)
			}
		})
	}
}
