// Package mainfile finds the file that package.json's main names, by Node's rules.
//
// It owns what main may name, and the words for what it may not. It is pure. It does not own when main decides what
// starts (package nodeapp).
package mainfile

import (
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// Find finds the file that package.json's main names, as Node does: the file itself, with .js, .json or .node, or
// the index of a folder. Node then takes the index.js of the package, which its author has not named; gitd does not.
func Find(app fs.FS, main string) (name string, ok bool) {
	clean := path.Clean(main)
	if !fs.ValidPath(clean) {
		return "", false
	}
	for _, base := range []string{clean, path.Join(clean, "index")} {
		for _, ext := range []string{"", ".js", ".json", ".node"} {
			if (ext != "" || base == clean) && IsFile(app, base+ext) {
				return base + ext, true
			}
		}
	}
	return "", false
}

// IsFile reports whether there is a file of this name, or a link, which leads to one or not.
func IsFile(app fs.FS, name string) bool {
	info, err := fs.Lstat(app, name)
	if err != nil {
		return false
	}
	if info.Mode().Type() == fs.ModeSymlink {
		target, err := fs.Stat(app, name)
		return err != nil || target.Mode().IsRegular()
	}
	return info.Mode().IsRegular()
}

// Check refuses a main that nothing can be started by. name is what it stands for; "": there is no such file.
func Check(main, name string, has func(string) bool) error {
	says := fmt.Sprintf("package.json: main is %q", progress.Shorten(main))
	const start = `or add "scripts": {"start": "node server.js"}`
	switch {
	case name == "":
		hint := "correct it, " + start
		for _, other := range Usual {
			if has(other) {
				hint = fmt.Sprintf(`"main": %q names the file that is there; %s`, other, strings.Replace(start, "server.js", other, 1))
				break
			}
		}
		return core.Reject(says+", and there is no such file", hint)
	case path.Ext(name) == ".json":
		return core.Reject(fmt.Sprintf("%s, which is %s: there is no program in it", says, progress.Shorten(name)), "name a file of the app, "+start)
	case strings.HasPrefix(name, "-"):
		return core.Reject(says+", which Node would take for an option", "call the file something else")
	}
	return nil
}

// Usual are started when package.json names nothing.
var Usual = []string{"server.js", "index.js"}

// ThroughLink reports whether a folder on the way to a file is a link, which git does not follow.
func ThroughLink(repo fs.FS, name string) bool {
	for dir := path.Dir(path.Clean(name)); fs.ValidPath(dir) && dir != "."; dir = path.Dir(dir) {
		if info, err := fs.Lstat(repo, dir); err == nil && info.Mode().Type() == fs.ModeSymlink {
			return true
		}
	}
	return false
}

// IsLink reports whether name is a symlink.
func IsLink(repo fs.FS, name string) bool {
	info, err := fs.Lstat(repo, name)
	return err == nil && info.Mode().Type() == fs.ModeSymlink
}
