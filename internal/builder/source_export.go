package builder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/nodeos-dev/gitd/internal/builder/links"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/nodeapp"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/units"
)

// Limits of what a commit may hold.
const (
	maxFiles = 50_000
	maxBytes = 1 << 30
	maxDepth = 64
)

// exported tells what became of the files.
type exported struct {
	files int
	bytes int64
	lfs   []string // files that are only pointers to Git LFS
}

// export writes the commit's files below dir, which is empty, as uid and gid.
// A node_modules folder at the root is left out: dependencies are installed
// from the lockfile. What should not be written is a *core.Rejection.
func (c *commit) export(ctx context.Context, dir string, uid, gid int) (exported, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return exported{}, err
	}
	defer root.Close()
	x := exporter{ctx: ctx, commit: c, links: links.New(repoFS{c}), root: root, uid: uid, gid: gid}
	if err := x.count("", c.tree, 0); err != nil { // nothing is written of what is too much
		return exported{}, err
	}
	x.done.files = 0
	err = x.folder("", c.tree, 0)
	return x.done, err
}

// count adds up the files and folders, as folder does.
func (x *exporter) count(dir string, tree *object.Tree, depth int) error {
	if depth > maxDepth {
		return nil // folder says it, and where
	}
	for _, e := range tree.Entries {
		if dir == "" && e.Name == nodeapp.NodeModules {
			continue
		}
		if x.done.files++; x.done.files > maxFiles {
			return core.Reject(fmt.Sprintf("the repository has more than %d files", maxFiles),
				"leave out what the app does not need to run")
		}
		if e.Mode != filemode.Dir {
			continue
		}
		sub, err := object.GetTree(x.commit.store, e.Hash)
		if err != nil {
			return fmt.Errorf("read %s: %w", progress.Shorten(e.Name), err)
		}
		if err := x.count(e.Name, sub, depth+1); err != nil {
			return err
		}
	}
	return x.ctx.Err()
}

type exporter struct {
	ctx      context.Context // one export's
	commit   *commit
	links    links.Judge
	root     *os.Root
	uid, gid int
	done     exported
}

func (x *exporter) folder(dir string, tree *object.Tree, depth int) error {
	if depth > maxDepth {
		return core.Reject(fmt.Sprintf("folders are nested more than %d deep", maxDepth), "")
	}
	for _, e := range tree.Entries {
		if err := x.ctx.Err(); err != nil {
			return err
		}
		name, err := checkEntry(dir, e.Name)
		if err != nil {
			return err
		}
		if name == nodeapp.NodeModules {
			continue
		}
		x.done.files++
		if err := x.entry(name, e, depth); err != nil {
			return err
		}
	}
	return nil
}

func (x *exporter) entry(name string, e object.TreeEntry, depth int) error {
	switch e.Mode {
	case filemode.Dir:
		sub, err := object.GetTree(x.commit.store, e.Hash)
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		if err := x.made(name, x.root.Mkdir(name, 0o755)); err != nil {
			return err
		}
		return x.folder(name, sub, depth+1)
	case filemode.Regular, filemode.Deprecated:
		return x.file(name, e.Hash, 0o644)
	case filemode.Executable:
		return x.file(name, e.Hash, 0o755)
	case filemode.Symlink:
		return x.link(name, e.Hash)
	case filemode.Submodule:
		return core.Reject(fmt.Sprintf("%q is a git submodule, which a push does not contain", progress.Shorten(name)),
			"make it a dependency in package.json, or commit its files")
	default:
		return core.Reject(fmt.Sprintf("%q has the unknown mode %s", progress.Shorten(name), e.Mode), "")
	}
}

// made gives the new file name to the build's user. A name that is there
// already is a folder with two entries of one name, which git never makes.
func (x *exporter) made(name string, err error) error {
	if errors.Is(err, os.ErrExist) {
		return core.Reject(fmt.Sprintf("the file name %q is there twice", progress.Shorten(name)),
			"the repository was not made by git; make the commit again")
	}
	if err != nil {
		return err
	}
	return x.root.Lchown(name, x.uid, x.gid)
}

func (x *exporter) blob(name string, h plumbing.Hash) (*object.Blob, error) {
	blob, err := object.GetBlob(x.commit.store, h)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if x.done.bytes += blob.Size; x.done.bytes > maxBytes {
		return nil, core.Reject("the repository's files are more than "+units.Bytes(maxBytes),
			"leave out what the app does not need to run")
	}
	return blob, nil
}

func (x *exporter) link(name string, h plumbing.Hash) error {
	blob, err := x.blob(name, h)
	if err != nil {
		return err
	}
	target, err := linkTarget(blob)
	if err != nil {
		return err
	}
	if err := x.links.Check(name, target); err != nil {
		return err
	}
	return x.made(name, x.root.Symlink(target, name))
}

func (x *exporter) file(name string, h plumbing.Hash, mode os.FileMode) error {
	blob, err := x.blob(name, h)
	if err != nil {
		return err
	}
	r, err := blob.Reader()
	if err != nil {
		return err
	}
	defer r.Close()
	f, err := x.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err := x.made(name, err); err != nil {
		return err
	}
	defer f.Close()
	head := &prefix{}
	if _, err := io.Copy(f, io.TeeReader(r, head)); err != nil {
		return err
	}
	if head.isLFS() {
		x.done.lfs = append(x.done.lfs, name)
	}
	return f.Close()
}

// prefix keeps the first bytes that are written to it.
type prefix struct{ b []byte }

const lfsHeader = "version https://git-lfs.github.com/spec/v1\n"

func (p *prefix) Write(b []byte) (int, error) {
	p.b = append(p.b, b[:min(len(b), len(lfsHeader)-len(p.b))]...)
	return len(b), nil
}

func (p *prefix) isLFS() bool { return bytes.Equal(p.b, []byte(lfsHeader)) }
