package nodeapp

import (
	"fmt"
	"io/fs"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/nodeapp/shell"
	"github.com/nodeos-dev/gitd/internal/nodeapp/workspace"
)

// noPackage is the answer to a repository without a package.json at its root. If there are some in its folders, it
// names them, and both ways to say which of them is the app.
func noPackage(repo fs.FS) error {
	const what = "no package.json at the root of the repository"
	folders := workspace.Folders(repo)
	if len(folders) == 0 {
		return core.Reject(what, "`npm init` makes one; commit it, and push again")
	}
	const most = 3
	var names []string
	for _, f := range folders[:min(most, len(folders))] {
		names = append(names, shorten(f+"/"+PackageFile))
	}
	return core.Reject(fmt.Sprintf("%s; there is %s", what, strings.Join(names, ", ")), fmt.Sprintf(
		`to deploy that folder: apps:config %s --dir %s, and push again; or a package.json at the root with {"nodeos": {"dir": %q}}`,
		AnyApp, shell.Quoted(folders[0]), folders[0]))
}

// AnyApp stands in hints for the name of the app, which is not known here.
const AnyApp = "APP"
