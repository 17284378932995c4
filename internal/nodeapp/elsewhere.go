package nodeapp

import (
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
)

// noPackage is the answer to a repository without a package.json at its root. If there are some in its folders, it
// names them, and the line that pushes the first of these folders as a repository of its own.
func noPackage(repo fs.FS) error {
	const what = "no package.json at the root of the repository"
	folders := packageFolders(repo)
	if len(folders) == 0 {
		return core.Reject(what, "`npm init` makes one; commit it, and push again")
	}
	var names []string
	for _, f := range folders {
		names = append(names, shorten(f+"/"+PackageFile))
	}
	return core.Reject(fmt.Sprintf("%s; there is %s", what, strings.Join(names, ", ")),
		"to deploy that folder: git subtree push --prefix "+quoted(folders[0])+" REMOTE main")
}

// packageFolders are up to three folders that have a package.json: those near the root first, and then by name. It
// reads a bounded part of a large repository.
func packageFolders(repo fs.FS) []string {
	const most, deepest = 3, 4
	reads := 500 // folders
	var found []string
	level := []string{"."}
	for depth := 0; depth < deepest && len(found) < most; depth++ {
		var below []string
		for _, dir := range level {
			entries, err := fs.ReadDir(repo, dir)
			if reads--; err != nil || reads < 0 {
				continue
			}
			for _, e := range entries {
				switch {
				case e.Name() == PackageFile && e.Type().IsRegular():
					found = append(found, dir)
				case e.IsDir() && e.Name() != NodeModules && !strings.HasPrefix(e.Name(), "."):
					below = append(below, path.Join(dir, e.Name()))
				}
			}
		}
		level = below
	}
	return found[:min(most, len(found))]
}

// quoted is a word of a shell.
func quoted(word string) string {
	if strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/") == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
