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
	"github.com/nodeos-dev/gitd/internal/nodeapp/command"
	"github.com/nodeos-dev/gitd/internal/nodeapp/mainfile"
	"github.com/nodeos-dev/gitd/internal/nodeapp/shell"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// Programs are the commands that installed packages bring: for each name what to hand to Node, relative to the app's
// folder.
type Programs map[string][]string

// FindPrograms reads node_modules/.bin in the app's folder dir, and in those above it; the nearest of a name counts.
// Programs that are not JavaScript are left out: NodeOS runs nothing but Node.
func FindPrograms(app fs.FS, dir string) (Programs, error) {
	found := Programs{}
	for at := path.Clean(dir); ; at = path.Dir(at) {
		if err := found.add(app, path.Join(at, NodeModules, ".bin")); err != nil {
			return nil, err
		}
		if at == "." {
			return found, nil
		}
	}
}

func (found Programs) add(app fs.FS, bin string) error {
	entries, err := fs.ReadDir(app, bin)
	if errors.Is(err, fs.ErrNotExist) || err != nil && (mainfile.IsLink(app, path.Dir(bin)) || mainfile.IsLink(app, bin)) {
		return nil // a link leads out of the app, where no machine finds anything
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", bin, err)
	}
	for _, e := range entries {
		if found[e.Name()] != nil {
			continue
		}
		target := path.Join(bin, e.Name())
		if link, err := fs.ReadLink(app, target); err == nil && !path.IsAbs(link) {
			target = path.Join(bin, link)
		}
		if args, ok := script(app, target); ok {
			found[e.Name()] = args
		}
	}
	return nil
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

// Commands are what a machine runs: Node, and scripts of the app or of packages. app is the app's folder as it will be
// packed. There are none in an app of workers only.
func (p Plan) Commands(app fs.FS, installed Programs) ([]core.StartStep, error) {
	if o, ok, err := p.Outcome(app); err != nil || ok {
		if err != nil {
			return nil, err
		}
		return commandOf(o, p.Dir, installed)
	}
	s := p.Start
	if s.None {
		return nil, nil
	}
	if s.main != "" {
		own := appFolder(app, p.Dir)
		name, _ := mainfile.Find(own, s.main)
		err := mainfile.Check(s.main, name, func(name string) bool { return mainfile.IsFile(own, name) })
		words := []core.Word{core.Plain(guest.Node), core.Plain(name)}
		return []core.StartStep{{Name: "node " + name, Words: words, Dir: p.Dir, Next: core.Next{OK: 1, Fail: 1}}}, err
	}
	return stepsOf(s.Found, app, installed)
}

func stepsOf(s command.Found, app fs.FS, installed Programs) (steps []core.StartStep, err error) {
	for _, l := range s.Leaves() {
		words, ok := l.Words, false
		if s.Shell {
			words, ok = byShell(l, app)
		}
		if !ok {
			if words, err = resolve(l, app, installed); err != nil {
				return nil, err
			}
		}
		steps = append(steps, core.StartStep{
			Name: progress.Printable(shorten(l.Text)), Set: l.Set, Words: words, Own: l.Own, Dir: l.Dir, Next: l.Next,
		})
	}
	return steps, nil
}

// byShell is a command as a machine with a shell runs it, if it is a program of the shell, or a file that says so in
// its first line. Such a file need not be executable: git may have lost that.
func byShell(l command.Leaf, app fs.FS) (words []core.Word, ok bool) {
	name, _ := l.Words[0].Literal()
	if shell.Has(name) && name != "echo" {
		return l.Words, true
	}
	file := path.Join(l.Dir, name)
	if !strings.Contains(name, "/") || path.IsAbs(name) || !mainfile.IsFile(app, file) {
		return nil, false
	}
	f, err := app.Open(file)
	if err != nil {
		return nil, false
	}
	defer f.Close()
	head := make([]byte, 64)
	n, _ := io.ReadFull(f, head) // a short file is as good
	line, _, _ := strings.Cut(string(head[:n]), "\n")
	by := strings.Fields(strings.TrimPrefix(line, "#!"))
	if len(by) == 0 || !strings.HasPrefix(line, "#!") || !slices.Contains([]string{"sh", "ash"}, path.Base(by[len(by)-1])) {
		return nil, false
	}
	return slices.Concat([]core.Word{core.Plain(shell.Sh)}, l.Words), true
}

// resolve finds the program of a command.
func resolve(l command.Leaf, app fs.FS, installed Programs) ([]core.Word, error) {
	name, _ := l.Words[0].Literal()
	if info, err := fs.Stat(app, path.Join(".", l.Dir)); err != nil || !info.IsDir() {
		return nil, core.Reject(fmt.Sprintf("the start command uses the folder %q, which is not there after the build", shorten(l.Dir)),
			"correct it, commit, and push again")
	}
	switch name {
	case "node", "nodejs", guest.Node:
		return append([]core.Word{core.Plain(guest.Node)}, l.Words[1:]...), nil
	case "echo":
		return l.Words, nil
	}
	if args, ok := findProgram(l, name, app, installed); ok {
		words := []core.Word{core.Plain(guest.Node)}
		for _, a := range args {
			words = append(words, core.Plain(a))
		}
		return append(words, l.Words[1:]...), nil
	}
	return nil, core.Reject(
		fmt.Sprintf("the start command runs %q, which is no program that NodeOS can run", shorten(name)),
		`NodeOS has Node, the app and its "dependencies" (not devDependencies), and no other programs; `+
			`start with node, or move the package to "dependencies"`)
}

// findProgram returns what to hand to Node for a program: of the app, of the node_modules of its folder, or of a folder
// above it.
func findProgram(l command.Leaf, name string, app fs.FS, installed Programs) (args []string, ok bool) {
	bin := strings.TrimPrefix(strings.TrimPrefix(name, "./"), NodeModules+"/.bin/")
	if strings.Contains(bin, "/") {
		args, ok = script(app, path.Join(l.Dir, name))
		return absolute(l.Dir, args), ok
	}
	for dir := l.Dir; dir != "" && dir != "." && !ok; dir = path.Dir(dir) {
		target := path.Join(dir, NodeModules, ".bin", bin)
		if link, err := fs.ReadLink(app, target); err == nil && !path.IsAbs(link) {
			target = path.Join(path.Dir(target), link)
		}
		args, ok = script(app, target)
	}
	if !ok {
		args, ok = installed[bin]
	}
	return absolute(l.Dir, args), ok
}

// absolute makes the last of args, a path below the app's folder, one that is right in another folder too.
func absolute(in string, args []string) []string {
	if in == "" || len(args) == 0 {
		return args
	}
	args = slices.Clone(args)
	args[len(args)-1] = path.Join(guest.AppDir, args[len(args)-1])
	return args
}
