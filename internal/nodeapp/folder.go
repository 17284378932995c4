package nodeapp

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/nodeapp/framework"
	"github.com/nodeos-dev/gitd/internal/nodeapp/shell"
	"github.com/nodeos-dev/gitd/internal/nodeapp/workspace"
)

// ByServer says of a folder that it was chosen on the server, and not in the repository.
const ByServer = "apps:config"

// Folder is where in its repository an app is.
type Folder struct {
	Dir  string // "": the root
	From string // what says so, for people
	// Lone: the rest of the repository is no part of the app, and is left alone, as if the folder were the repository.
	// It is false where packages are installed at the root for all its folders: npm's workspaces and their like.
	Lone bool
}

// readPackages finds the app's folder, and reads its package.json and the root's. chosen is the folder that was set on
// the server; "": none. It returns what is, for the rest of the plan, the whole repository: that of a lone folder is
// the folder.
func readPackages(p *Plan, repo fs.FS, chosen string) (whole fs.FS, err error) {
	text, err := readFile(repo, PackageFile, packageLimit)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	root := PackageJSON{all: object{}}
	if text != nil {
		if root, err = ParsePackageJSON(text); err != nil {
			return nil, err
		}
	}
	if p.Folder, err = chooseFolder(root, chosen); err != nil {
		return nil, err
	}
	if p.Folder.Dir == "" {
		if text == nil {
			if err := checkNoPackage(repo); err != nil {
				return nil, err
			}
			root, err = ParsePackageJSON([]byte("{}"))
		}
		p.Package, p.Root = root, root
		return repo, err
	}
	return readFolder(p, repo, root)
}

func chooseFolder(root PackageJSON, chosen string) (f Folder, err error) {
	f = Folder{Dir: chosen, From: ByServer}
	if chosen == "" && root.Settings.Dir != "" {
		f = Folder{Dir: root.Settings.Dir, From: "nodeos.dir"}
	}
	if f.Dir == "" {
		return f, nil
	}
	if f.Dir, err = core.CleanFolder(f.Dir); err != nil {
		return f, err
	}
	if f.Dir == "." {
		f.Dir = ""
	}
	return f, nil
}

// readFolder reads the package of a folder, and decides whether it stands for itself.
func readFolder(p *Plan, repo fs.FS, root PackageJSON) (fs.FS, error) {
	if err := p.Folder.check(repo); err != nil {
		return nil, err
	}
	own, err := fs.Sub(repo, p.Folder.Dir)
	if err != nil {
		return nil, err
	}
	text, err := readFile(own, PackageFile, packageLimit)
	if errors.Is(err, fs.ErrNotExist) {
		text, err = []byte("{}"), p.Folder.noPackage(own)
	}
	if err != nil {
		return nil, p.Folder.named(err)
	}
	if p.Package, err = parsePackage(text, root.all["nodeos"]); err != nil {
		return nil, p.Folder.named(err)
	}
	if p.Package.Settings.Dir != "" {
		warn(p, "nodeos.dir in %s is ignored: that of the root counts", shorten(path.Join(p.Folder.Dir, PackageFile)))
	}
	for _, name := range []string{procfile, appJSONFile} {
		if exists(repo, name) && !exists(own, name) {
			warn(p, "%s at the root is not read: the app is in %s, and may have one there", name, shorten(p.Folder.Dir))
		}
	}
	named, err := workspaces(repo, root)
	if err != nil {
		return nil, err
	}
	if p.Folder.Lone = !named.Match(p.Folder.Dir) || (lockIn(repo) == "" && lockIn(own) != ""); p.Folder.Lone {
		p.Root = p.Package
		return own, p.Folder.checkInside(p.Package)
	}
	p.Dir, p.Root = p.Folder.Dir, root
	return repo, planWorkspace(p, repo, named)
}

// named says of an error whose package.json it is about.
func (f Folder) named(err error) error {
	r, ok := errors.AsType[*core.Rejection](err)
	if !ok || !strings.HasPrefix(r.Reason, PackageFile) {
		return err
	}
	return &core.Rejection{Reason: shorten(f.Dir) + "/" + r.Reason, Hint: r.Hint, Err: r.Err}
}

// check refuses a folder that is not there, or that is reached through a symlink.
func (f Folder) check(repo fs.FS) error {
	at := ""
	for part := range strings.SplitSeq(f.Dir, "/") {
		at = path.Join(at, part)
		info, err := fs.Lstat(repo, at)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return f.missing(repo)
		case err != nil:
			return fmt.Errorf("read %s: %w", at, err)
		case info.Mode().Type() == fs.ModeSymlink:
			return core.Reject(fmt.Sprintf("%s says %q, and %q is a symlink", f.From, shorten(f.Dir), shorten(at)), "name the folder itself")
		case !info.IsDir():
			return core.Reject(fmt.Sprintf("%s says %q, which is no folder", f.From, shorten(f.Dir)), "name a folder with a package.json")
		}
	}
	return nil
}

// missing names the folders that may be meant.
func (f Folder) missing(repo fs.FS) error {
	reason := fmt.Sprintf("%s says %q, and there is no such folder in the repository", f.From, shorten(f.Dir))
	near := shortened(workspace.Near(repo, f.Dir))
	if len(near) == 0 {
		return core.Reject(reason, "no folder of the repository has a package.json")
	}
	return core.Reject(reason, "these have a package.json: "+strings.Join(near, ", "))
}

// chooseWorkspace refuses the root of a monorepo that starts nothing itself, and names those of its folders that do.
func chooseWorkspace(p *Plan, repo fs.FS) error {
	if p.Folder.Dir != "" || p.Framework.Name != "" || !p.Root.Workspaces() && !exists(repo, pnpmWorkspace) {
		return nil
	}
	var apps []string
	for _, dir := range workspace.Folders(repo) {
		if m, err := readOther(repo, path.Join(dir, PackageFile)); err == nil && m.Scripts["start"] != "" {
			apps = append(apps, dir)
		}
	}
	if len(apps) == 0 {
		return nil
	}
	return core.Reject("no start command at the root of this monorepo; there is one in "+strings.Join(shortened(apps), ", "),
		fmt.Sprintf(`to deploy that folder: apps:config %s --dir %s, and push again; or "nodeos": {"dir": %q} in package.json`,
			AnyApp, shell.Quoted(apps[0]), apps[0]))
}

// noPackage refuses a folder with nothing to start.
func (f Folder) noPackage(own fs.FS) error {
	if framework.Site(own, false).Name != "" {
		return nil
	}
	reason := fmt.Sprintf("%s says %q, and there is no package.json in it", f.From, shorten(f.Dir))
	if name := path.Base(f.Dir); exists(own, "project.json") {
		return core.Reject(reason, fmt.Sprintf("a project of Nx without a package.json is built from the root: "+
			"leave the folder out, with \"scripts\": {\"build\": \"nx build %s\", \"start\": \"node dist/%s/main.js\"} in package.json",
			shorten(name), shorten(f.Dir)))
	}
	return core.Reject(reason, "`npm init` makes one; commit it, and push again")
}

// checkInside refuses a lone folder that needs its neighbours.
func (f Folder) checkInside(m PackageJSON) error {
	for _, kind := range []string{"dependencies", "devDependencies", "optionalDependencies"} {
		deps := m.all.texts(kind)
		for _, name := range slices.Sorted(maps.Keys(deps)) {
			at := deps[name]
			for _, scheme := range []string{"file:", "link:", "portal:", "workspace:"} {
				at = strings.TrimPrefix(at, scheme)
			}
			if at = path.Clean(at); at != ".." && !strings.HasPrefix(at, "../") {
				continue
			}
			return core.Reject(
				fmt.Sprintf("%s needs %s (%q), outside of its folder, and is no workspace of the root", shorten(f.Dir), shorten(at), shorten(name)),
				fmt.Sprintf("make both workspaces: \"workspaces\": [%q, %q] in the package.json of the root, and `npm install` there; "+
					"commit its lockfile, and push again", shorten(f.Dir), shorten(path.Join(f.Dir, at))))
		}
	}
	return nil
}

// inherit is the settings of a folder, with those of the root where the folder says nothing.
func inherit(own, root json.RawMessage) json.RawMessage {
	under, _, err := parseObject(root)
	if err != nil {
		return own
	}
	delete(under, "dir")
	if len(under) == 0 {
		return own
	}
	over, _, err := parseObject(own)
	if len(own) > 0 && err != nil {
		return own
	}
	maps.Copy(under, over)
	b, err := json.Marshal(under)
	if err != nil {
		return own
	}
	return b
}
