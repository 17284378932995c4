package nodeapp

import (
	"slices"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/nodeapp/shell"
)

// TestShell: an app with a shell has the parts of its start that need one run by it, as they are written. All other
// parts run as without one: npm's scripts are followed, and what builds runs at build time.
func TestShell(t *testing.T) {
	const with = `, "nodeos": {"shell": true}`
	tell(t, map[string]story{
		"no need":           {pkg: with, web: "node server.js", want: "node server.js"},
		"a pipe":            {pkg: with, web: "node a | tee x", want: "/bin/sh -c node a | tee x"},
		"variables":         {pkg: with, web: "A=1 node $(cat x)", want: "/bin/sh -c A=1 node $(cat x)"},
		"behind npm":        {pkg: with, web: "npm run x", scripts: map[string]string{"x": "node a > /tmp/log", "prex": "node b"}, want: "node b && /bin/sh -c node a > /tmp/log"},
		"in a folder":       {pkg: with, web: "cd sub && node a | cat", files: map[string]string{"sub/a.js": ""}, want: "/bin/sh -c cd sub && node a | cat"},
		"a build before it": {pkg: with, web: "npm run build && npm run x", scripts: map[string]string{"x": "node a & node b", "build": "tsc"}, want: "/bin/sh -c node a & node b"},
		"set":               {pkg: with, web: "set -e; node x", want: "/bin/sh -c set -e; node x"},
		"an applet":         {pkg: with, web: "sleep 1 && node x", want: "sleep 1 && node x"},
		"sh":                {pkg: with, web: "sh start.sh", want: "/bin/sh -c sh start.sh"},
		"a file of its own": {pkg: with, web: "./start.sh now", files: map[string]string{"start.sh": "#!/bin/sh\nnode x\n"}, want: "/bin/sh ./start.sh now"},
		"through env":       {pkg: with, web: "bin/start", files: map[string]string{"bin/start": "#!/usr/bin/env sh\n"}, want: "/bin/sh bin/start"},
		"with bash":         {pkg: `, "nodeos": {"shell": true, "packages": ["bash"]}`, web: "bash x.sh", want: "/bin/sh -c bash x.sh"},

		"bash":           {pkg: with, web: "bash x.sh", refused: `runs bash|add "bash" to nodeos.packages`},
		"a file of bash": {pkg: with, web: "./x", files: map[string]string{"x": "#!/bin/bash\n"}, refused: "is no program that NodeOS can run"},
		"npm in a pipe":  {pkg: with, web: "npm start | tee x", refused: "runs npm in a line that only a shell can run|what it runs"},
		"no program":     {pkg: with, web: "frobnicate --now", refused: "is no program that NodeOS can run"},
		"unreadable":     {pkg: with, web: "node 'x", refused: "cannot be read"},
		"no yes or no":   {pkg: `, "nodeos": {"shell": "bash"}`, refused: `nodeos.shell is "bash"|true or false`},
		"not asked for":  {pkg: `, "nodeos": {"shell": false}`, web: "node a | tee x", refused: `needs a shell for its pipe|"nodeos": {"shell": true}`},
		"a condition":    {web: "node a || cd x; node b", refused: `on a condition|"nodeos": {"shell": true}`},
	})
}

// TestShellPackage: a shell is a package of Debian like any other, and is not there where nobody asked for it.
func TestShellPackage(t *testing.T) {
	for text, want := range map[string]string{
		`{}`: "", `{"nodeos": {"shell": false}}`: "", `{"nodeos": {"shell": true}}`: shell.Busybox,
		`{"nodeos": {"shell": true, "packages": ["zlib1g", "busybox-static"]}}`: "busybox-static zlib1g",
		`{"nodeos": {"shell": true, "packages": ["zlib1g"]}}`:                   "busybox-static zlib1g",
	} {
		m, err := ParsePackageJSON([]byte(text))
		check(t, err)
		if got := strings.Join(m.Settings.Packages, " "); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	if all := shell.Applets(); !slices.Contains(all, "sh") || slices.Contains(all, "node") || slices.Contains(all, "mount") {
		t.Errorf("%q", all)
	}
}
