package builder

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"gitd/internal/core"
	"gitd/internal/guest"
)

// programs are the commands that installed packages bring: for each name what
// to hand to Node, relative to the app's folder.
type programs map[string][]string

// findPrograms reads node_modules/.bin below root. Programs that are not
// JavaScript are left out: NodeOS runs nothing but Node.
func findPrograms(root *os.Root) (programs, error) {
	const bin = nodeModules + "/.bin"
	entries, err := fs.ReadDir(root.FS(), bin)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", bin, err)
	}
	found := programs{}
	for _, e := range entries {
		target := path.Join(bin, e.Name())
		if link, err := root.Readlink(target); err == nil && !path.IsAbs(link) {
			target = path.Join(bin, link)
		}
		if args, ok := script(root, target); ok {
			found[e.Name()] = args
		}
	}
	return found, nil
}

// script returns what to hand to Node to run a file, if it is JavaScript: by
// its first line, or else by its name.
func script(root *os.Root, name string) (args []string, ok bool) {
	info, err := root.Stat(name)
	if err != nil || !info.Mode().IsRegular() {
		return nil, false
	}
	f, err := root.Open(name)
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

// resolve makes the argv that the guest can run: Node, and a script of the
// app or of a package. root is the app as it will be packed.
func (s startCommand) resolve(root *os.Root, installed programs) ([]string, error) {
	name, rest := s.args[0], s.args[1:]
	switch name {
	case "node", "nodejs", guest.Node:
		return append([]string{guest.Node}, rest...), nil
	}
	name = strings.TrimPrefix(name, "./")
	if p, ok := installed[strings.TrimPrefix(name, nodeModules+"/.bin/")]; ok {
		return slices.Concat([]string{guest.Node}, p, rest), nil
	}
	if strings.Contains(name, "/") {
		if p, ok := script(root, name); ok {
			return slices.Concat([]string{guest.Node}, p, rest), nil
		}
	}
	return nil, core.Reject(
		fmt.Sprintf("the start command runs %q, which is no program that NodeOS can run", shorten(name)),
		`NodeOS has Node, the app and its "dependencies" (not devDependencies), and no other programs; start with node, or move the package to "dependencies"`)
}
