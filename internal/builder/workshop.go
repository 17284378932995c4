package builder

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/nodeos-dev/gitd/internal/builder/sandbox"
	"github.com/nodeos-dev/gitd/internal/builder/tools"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/guest"
)

// Where things are inside the sandbox. The app is where it will be in the
// guest, so that paths which a build writes down stay true.
const (
	insideApp   = guest.AppDir
	insideNode  = "/opt/node"
	insideNPM   = "/opt/npm"
	insideTool  = "/opt/manager"
	insideBin   = "/opt/bin"
	insideHome  = "/home/build"
	insideCache = "/var/cache/npm"
	insideKept  = "/opt/kept"
)

// workshop is the folder of one build on the host.
type workshop struct {
	dir string
	own func(path string) error // gives a path to the build's user
}

// newWorkshop makes the folders of a build. Its name cannot be guessed, and
// nobody but the build's user (and root) may enter it.
func (b *Builder) newWorkshop(t tools.Toolchain) (*workshop, error) {
	dir, err := os.MkdirTemp(b.cfg.State.Builds(), "build-")
	if err != nil {
		return nil, err
	}
	w := &workshop{dir: dir, own: b.own}
	err = b.own(dir)
	for _, name := range []string{"app", "layer", "home", "tmp", "shm", "bin", "etc"} {
		err = errors.Join(err, w.mkdir(name))
	}
	err = errors.Join(err, w.settings(b.registry.URL(), b.box != nil), w.link(t, b.box != nil))
	if err != nil {
		return nil, errors.Join(err, w.remove())
	}
	return w, nil
}

// link makes the commands that a build finds. npm's own starter scripts look for a whole Node installation, so the
// links lead to the programs themselves.
func (w *workshop) link(t tools.Toolchain, boxed bool) error {
	npm, tool := t.NPMDir, t.Manager.Dir
	if boxed {
		npm, tool = insideNPM, insideTool
	}
	links := map[string]string{"npm": npm + "/bin/npm-cli.js", "npx": npm + "/bin/npx-cli.js"}
	for name, file := range t.Manager.Bins {
		links[name] = tool + "/" + file
	}
	var errs []error
	for name, target := range links {
		path := w.path("bin/" + name)
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
		errs = append(errs, os.Symlink(target, path))
	}
	return errors.Join(errs...)
}

// settings writes the few files that programs look for in a system. The registry is in the user settings of each
// package manager (pnpm reads npm's), where a repository's own settings outrank it; in a variable it would outrank the
// repository.
func (w *workshop) settings(registry *url.URL, boxed bool) error {
	proxy := ""
	if boxed {
		proxy = sandbox.ProxyURL
	}
	return errors.Join(
		w.write("etc/passwd", fmt.Sprintf("root:x:0:0:root:/:/bin/false\nbuild:x:%d:%d:build:%s:/bin/sh\n",
			sandbox.UID, sandbox.UID, insideHome)),
		w.write("etc/group", fmt.Sprintf("root:x:0:\nbuild:x:%d:\n", sandbox.UID)),
		w.write("etc/hosts", "127.0.0.1 localhost build\n"),
		w.write("home/.npmrc", "registry="+registry.String()+"\n"),
		w.write("home/.yarnrc", fmt.Sprintf("registry %q\n", registry)),
		w.write("home/.yarnrc.yml", tools.YarnSettings(registry, proxy)),
	)
}

func (w *workshop) path(name string) string { return filepath.Join(w.dir, name) }

func (w *workshop) mkdir(name string) error {
	if err := os.Mkdir(w.path(name), 0o700); err != nil {
		return err
	}
	return w.own(w.path(name))
}

func (w *workshop) write(name, text string) error {
	if err := os.WriteFile(w.path(name), []byte(text), 0o644); err != nil {
		return err
	}
	return w.own(w.path(name))
}

func (w *workshop) remove() error { return disk.RemoveAll(w.dir) }

// own gives a path to the user that builds run as.
func (b *Builder) own(path string) error {
	uid, gid := b.owner()
	return os.Lchown(path, uid, gid)
}

func (b *Builder) owner() (uid, gid int) {
	if b.box == nil {
		return os.Getuid(), os.Getgid()
	}
	return b.box.Owner()
}
