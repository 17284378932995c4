package nodeapp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
)

// Programs are the commands that installed packages bring: for each name what to hand to Node, relative to the app's
// folder.
type Programs map[string][]string

// FindPrograms reads node_modules/.bin in the app's folder. Programs that are not JavaScript are left out: NodeOS runs
// nothing but Node.
func FindPrograms(app fs.FS) (Programs, error) {
	const bin = NodeModules + "/.bin"
	entries, err := fs.ReadDir(app, bin)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", bin, err)
	}
	found := Programs{}
	for _, e := range entries {
		target := path.Join(bin, e.Name())
		if link, err := fs.ReadLink(app, target); err == nil && !path.IsAbs(link) {
			target = path.Join(bin, link)
		}
		if args, ok := script(app, target); ok {
			found[e.Name()] = args
		}
	}
	return found, nil
}

// script returns what to hand to Node to run a file, if it is JavaScript: by its first line, or else by its name.
func script(app fs.FS, name string) (args []string, ok bool) {
	name = path.Clean(name)
	info, err := fs.Stat(app, name)
	if err != nil || !info.Mode().IsRegular() {
		return nil, false
	}
	f, err := app.Open(name)
	if err != nil {
		return nil, false
	}
	defer f.Close()
	head := make([]byte, 256)
	n, _ := io.ReadFull(f, head) // a short file is as good
	line, _, _ := bytes.Cut(head[:n], []byte("\n"))
	if interpreter, ok := strings.CutPrefix(string(line), "#!"); ok {
		flags, ok := nodeFlags(strings.Fields(interpreter))
		return append(flags, name), ok
	}
	return []string{name}, slices.Contains([]string{".js", ".cjs", ".mjs"}, path.Ext(name))
}

// nodeFlags reads the words after "#!": what comes after node goes to node.
func nodeFlags(words []string) (flags []string, ok bool) {
	if len(words) > 0 && path.Base(words[0]) == "env" {
		words = slices.DeleteFunc(slices.Clone(words[1:]), func(w string) bool { return w == "-S" })
	}
	if len(words) == 0 || path.Base(words[0]) != "node" || strings.ContainsRune(strings.Join(words, ""), '$') {
		return nil, false
	}
	return slices.Clone(words[1:]), true
}

// Argv is the command that a machine runs: Node, and a script of the app or of a package. app is the app's folder as
// it will be packed.
func (p Plan) Argv(app fs.FS, installed Programs) ([]string, error) {
	if s := p.Start; s.From == p.Package.Main && s.From != "" && !runnable(app, s.From) {
		return nil, core.Reject(fmt.Sprintf("package.json: main is %q, and there is no such file", shorten(s.From)),
			`correct it, or add "scripts": {"start": "node server.js"}`)
	}
	return p.Start.resolve(app, installed)
}

// runnable reports whether "node name" would find a file.
func runnable(app fs.FS, name string) bool {
	for _, try := range []string{name, name + ".js", name + ".cjs", name + ".mjs", path.Join(name, "index.js")} {
		info, err := fs.Stat(app, path.Clean(try))
		if err == nil && (info.Mode().IsRegular() || try == name) {
			return true
		}
	}
	return false
}

func (s StartCommand) resolve(app fs.FS, installed Programs) ([]string, error) {
	name, rest := s.args[0], s.args[1:]
	switch name {
	case "node", "nodejs", guest.Node:
		return append([]string{guest.Node}, rest...), nil
	}
	name = strings.TrimPrefix(name, "./")
	if p, ok := installed[strings.TrimPrefix(name, NodeModules+"/.bin/")]; ok {
		return slices.Concat([]string{guest.Node}, p, rest), nil
	}
	if strings.Contains(name, "/") {
		if p, ok := script(app, name); ok {
			return slices.Concat([]string{guest.Node}, p, rest), nil
		}
	}
	return nil, core.Reject(
		fmt.Sprintf("the start command runs %q, which is no program that NodeOS can run", shorten(name)),
		`NodeOS has Node, the app and its "dependencies" (not devDependencies), and no other programs; `+
			`start with node, or move the package to "dependencies"`)
}
