package contents

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
)

const (
	appDir       = guest.AppDir
	nodeModules  = "node_modules"
	manifestName = "package.json"
)

// Limits of what is read of packages.
const (
	manifestLimit = 4 << 20 // bytes of one package.json; of a larger one, only the folder's name is known
	lockLimit     = 32 << 20
	maxPackages   = 100_000
	maxText       = 1024 // bytes of a name, a version or a licence
)

// Package is one npm package in an image.
type Package struct {
	Name, Version string
	Licence       string   // an SPDX expression or a name; "": it does not say
	Path          string   // its folder in a machine
	Local         bool     // a folder of the repository, and not from a registry
	Needs         []string // names of its dependencies, sorted
	Integrity     string   // of the lockfile, e.g. "sha512-…"; "": none
}

// ID is what makes two packages the same.
func (p Package) ID() string { return p.Name + "@" + p.Version }

// Packages are what package.json files say, and where links lead.
type Packages struct {
	App  Package   // the app itself; its name may be ""
	List []Package // sorted by their folders

	links map[string]string // folder in a node_modules → where it leads
	at    map[string]int    // folder → index in List
}

// Packages are those in the image m: the folders of all node_modules, and the folders of the repository to which links
// in them lead. What a bundler has put into one file cannot be seen.
func (r Reader) Packages(ctx context.Context, m core.Manifest) (*Packages, error) {
	c := &collector{Packages: &Packages{links: map[string]string{}, at: map[string]int{}}, inside: map[string]Package{}}
	for _, layer := range []string{Deps, App} {
		for f, err := range r.Files(ctx, m, layer, false) {
			if err == nil {
				err = c.see(f)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	c.finish()
	return c.Packages, nil
}

// collector gathers packages while files go by.
type collector struct {
	*Packages
	inside map[string]Package // by folder: what has a package.json outside of node_modules
	locks  locks
}

func (c *collector) see(f File) error {
	dir, name := path.Split(f.Path)
	dir = strings.TrimSuffix(dir, "/")
	switch {
	case f.Mode.Type() == fs.ModeSymlink:
		if isPackage(f.Path) && len(c.links) < maxPackages {
			c.links[f.Path] = path.Join(dir, f.Link)
		}
		return nil
	case !f.Mode.IsRegular():
		return nil
	case dir == appDir && isLock(name):
		b, err := f.head(lockLimit)
		c.locks.read(name, b)
		return err
	case name != manifestName:
		return nil
	}
	if len(c.List)+len(c.inside) >= maxPackages {
		return fmt.Errorf("more than %d packages", maxPackages)
	}
	p, err := readPackage(f, dir)
	switch {
	case err != nil:
		return err
	case isPackage(dir):
		c.List = append(c.List, p)
	case !strings.Contains(dir, "/"+nodeModules+"/"):
		c.inside[dir] = p
	}
	return nil
}

// finish adds what links lead to, sorts, and looks up what the lockfile says.
func (c *collector) finish() {
	c.App = c.inside[appDir]
	added := map[string]bool{}
	for _, to := range c.links {
		if p, ok := c.inside[to]; ok && to != appDir && !added[to] {
			added[to], p.Local = true, true
			c.List = append(c.List, p)
		}
	}
	slices.SortFunc(c.List, func(a, b Package) int { return cmp.Compare(a.Path, b.Path) })
	for i, p := range c.List {
		c.at[p.Path] = i
		if !p.Local {
			c.List[i].Integrity = c.locks.integrity[p.ID()]
		}
	}
}

// Resolve finds the package that the one in the folder from gets when it asks for name, as Node does: in the
// node_modules beside it, then in those above.
func (p *Packages) Resolve(from, name string) (Package, bool) {
	for dir := from; ; dir = path.Dir(dir) {
		if path.Base(dir) != nodeModules {
			at := path.Join(dir, nodeModules, name)
			if to, ok := p.links[at]; ok {
				at = to
			}
			if i, ok := p.at[at]; ok {
				return p.List[i], true
			}
		}
		if len(dir) <= 1 {
			return Package{}, false
		}
	}
}

// Versions are the versions of each package, by name.
func (p *Packages) Versions() map[string][]string {
	all := map[string][]string{}
	for _, one := range p.List {
		if !slices.Contains(all[one.Name], one.Version) {
			all[one.Name] = append(all[one.Name], one.Version)
		}
	}
	for _, versions := range all {
		slices.Sort(versions)
	}
	return all
}

// isPackage reports whether dir is that of a package: node_modules/ms, node_modules/@a/b.
func isPackage(dir string) bool {
	parent, name := path.Split(dir)
	parent = strings.TrimSuffix(parent, "/")
	if strings.HasPrefix(path.Base(parent), "@") {
		parent = path.Dir(parent)
	}
	return path.Base(parent) == nodeModules && !strings.HasPrefix(name, ".") && !strings.HasPrefix(name, "@")
}

// readPackage reads a package.json. A file that cannot be understood leaves what the folder is called.
func readPackage(f File, dir string) (Package, error) {
	p := Package{Path: dir, Name: folderName(dir)}
	if f.Size > manifestLimit {
		return p, nil
	}
	b, err := f.head(manifestLimit)
	if err != nil {
		return p, err
	}
	var doc struct {
		Name, Version, License, Licenses                     json.RawMessage
		Dependencies, OptionalDependencies, PeerDependencies json.RawMessage
	}
	if json.Unmarshal(b, &doc) != nil {
		return p, nil //nolint:nilerr // see above
	}
	p.Name, p.Version, p.Licence = cmp.Or(text(doc.Name), p.Name), text(doc.Version), licence(doc.License, doc.Licenses)
	needs := map[string]bool{}
	for _, raw := range []json.RawMessage{doc.Dependencies, doc.OptionalDependencies, doc.PeerDependencies} {
		var list map[string]json.RawMessage
		if json.Unmarshal(raw, &list) != nil {
			continue
		}
		for name := range list {
			if len(name) <= maxText && fs.ValidPath(name) {
				needs[name] = true
			}
		}
	}
	p.Needs = slices.Sorted(maps.Keys(needs))
	return p, nil
}

// folderName is what a package's folder is called.
func folderName(dir string) string {
	_, name, _ := strings.Cut(dir[max(0, strings.LastIndex(dir, nodeModules)):], "/")
	return name
}

// licence reads "license" in its present form, and in the two that it had before.
func licence(now, list json.RawMessage) string {
	if s := text(now); s != "" {
		return s
	}
	var one struct{ Type json.RawMessage }
	if json.Unmarshal(now, &one) == nil && text(one.Type) != "" {
		return text(one.Type)
	}
	var many []json.RawMessage
	if json.Unmarshal(list, &many) != nil {
		return ""
	}
	var names []string
	for _, raw := range many[:min(len(many), 10)] {
		if s := licence(raw, nil); s != "" {
			names = append(names, s)
		}
	}
	if len(names) > 1 {
		return "(" + strings.Join(names, " OR ") + ")"
	}
	return strings.Join(names, "")
}

// text is a JSON string; "" for what is none, or too long to be meant.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil || len(s) > maxText {
		return ""
	}
	return strings.TrimSpace(s)
}
