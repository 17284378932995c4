package builder

import (
	"fmt"

	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/units"
)

// What a build may need beside the repository's own files. These are estimates, rather too large than too small. A
// build that needs more still fails cleanly.
const (
	reserve      = 32 << 20  // bytes that a build leaves for the ledger, logs and machines
	toolchainUse = 400 << 20 // a Node: its download, its base while it is made, and after
	packageUse   = 256 << 10 // an npm package: unpacked, in npm's cache, and in the layer
	packageFiles = 30
	modulesRatio = 5        // node_modules and npm's cache of it against the packed layer
	blockUse     = 4096     // the least that a file takes
	plenty       = 16 << 30 // bytes that no build needs, so nothing has to be added up
	plentyFiles  = 2_000_000
)

// need is the most that will be written.
type need struct{ bytes, files int64 }

// checkRoom refuses a build of what the plan says that will not fit on the disk, with the numbers, before anything is
// written.
func (j *job) checkRoom(c *commit) error {
	has, err := disk.SpaceOf(string(j.b.cfg.State))
	if err != nil || has.Free > plenty && has.Files > plentyFiles {
		return err
	}
	n, err := j.estimate(c)
	if err != nil {
		return err
	}
	return n.checkIn(has, "this build")
}

// checkIn refuses what needs n and does not fit into what a file system has.
func (n need) checkIn(has disk.Space, what string) error {
	switch {
	case n.bytes+reserve > has.Free:
		return core.Reject(fmt.Sprintf("the server's disk is too full for %s: it needs about %s, and %s of %s are free",
			what, units.Bytes(n.bytes+reserve), units.Bytes(has.Free), units.Bytes(has.Size)), disk.FreeRoom)
	case n.files > has.Files:
		return core.Reject(
			fmt.Sprintf("the server's disk has too few inodes for %s: it needs about %d, and %d are free",
				what, n.files, has.Files), disk.FreeRoom)
	}
	return nil
}

// estimate adds up the export, what a build script may make of it, the app's
// layer, and the dependencies.
func (j *job) estimate(c *commit) (need, error) {
	tree, err := c.size()
	if err != nil {
		return need{}, err
	}
	n := need{2 * tree.bytes, tree.files}
	if j.plan.Build {
		n.bytes += tree.bytes
		n.files += tree.files
	}
	if !j.plan.Install {
		return n, nil
	}
	m := j.modules()
	return need{n.bytes + m.bytes, n.files + m.files}, nil
}

// modules is what node_modules will take. It is known if the app has installed these dependencies before; else it is
// estimated from the number of packages.
func (j *job) modules() need {
	count := int64(j.plan.Packages())
	n := need{count * packageUse, count * packageFiles}
	if j.plan.Fresh != "" || j.tools.Node == "" || j.src.Fresh {
		return n
	}
	key, err := installKey(j.plan, j.tools)
	if err != nil {
		return n
	}
	i := j.b.storeOf(j.src.App).install(key)
	if !i.load(j.b.cfg.State, j.src.Hold) || i.Layer.Digest == "" {
		return n
	}
	if !j.plan.Build {
		return need{}
	}
	return need{modulesRatio * i.Layer.Size, n.files}
}

// checkToolRoom refuses the download of a Node that the disk has no room for.
func (b *Builder) checkToolRoom(what string) error {
	has, err := disk.SpaceOf(string(b.cfg.State))
	if err != nil {
		return err
	}
	return need{bytes: toolchainUse}.checkIn(has, what)
}

// size adds up the files of a commit as they will be on the disk, without
// reading them.
func (c *commit) size() (need, error) {
	var n need
	err := c.addUp(c.tree, 0, &n)
	return n, err
}

func (c *commit) addUp(tree *object.Tree, depth int, n *need) error {
	for _, e := range tree.Entries {
		if n.files++; n.files > maxFiles || depth > maxDepth {
			return nil // the export will refuse it, and say so better
		}
		n.bytes += blockUse
		switch e.Mode {
		case filemode.Dir:
			sub, err := object.GetTree(c.store, e.Hash)
			if err != nil {
				return fmt.Errorf("read %s: %w", progress.Shorten(e.Name), err)
			}
			if err := c.addUp(sub, depth+1, n); err != nil {
				return err
			}
		case filemode.Regular, filemode.Deprecated, filemode.Executable:
			size, err := c.sizeOf(e.Hash)
			if err != nil {
				return fmt.Errorf("read %s: %w", progress.Shorten(e.Name), err)
			}
			n.bytes += size / blockUse * blockUse
		}
	}
	return nil
}
