package builder

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/storage/filesystem"

	"gitd/internal/core"
	"gitd/internal/image"
)

// commit is what is read from a repository: the files of one commit.
type commit struct {
	store *filesystem.Storage
	tree  *object.Tree
}

// openCommit opens the commit of src. The caller closes it.
func openCommit(src image.Source) (*commit, error) {
	store := filesystem.NewStorageWithOptions(osfs.New(src.Repo), cache.NewObjectLRUDefault(),
		filesystem.Options{
			KeepDescriptors: true,
			// Blobs above this size are streamed, not read into memory.
			LargeObjectThreshold: 1 << 20,
			// A repository that was cloned with --shared names another one.
			AlternatesFS: osfs.New("/"),
		})
	repo, err := git.Open(store, nil)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the repository of %s: %w", src.App, err), store.Close())
	}
	c, err := repo.CommitObject(plumbing.NewHash(src.Commit))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read commit %s: %w", src.Commit, err), store.Close())
	}
	tree, err := c.Tree()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read the tree of commit %s: %w", src.Commit, err), store.Close())
	}
	return &commit{store: store, tree: tree}, nil
}

func (c *commit) close() error { return c.store.Close() }

// file returns a file of the root folder, up to limit bytes. A file that is
// not there gives os.ErrNotExist.
func (c *commit) file(name string, limit int64) ([]byte, error) {
	e, err := c.tree.FindEntry(name)
	if errors.Is(err, object.ErrEntryNotFound) || (err == nil && !e.Mode.IsFile()) {
		return nil, os.ErrNotExist
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if e.Mode == filemode.Symlink {
		return nil, core.Reject(name+" is a symlink", "replace it by the file itself")
	}
	blob, err := object.GetBlob(c.store, e.Hash)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if blob.Size > limit {
		return nil, core.Reject(fmt.Sprintf("%s is larger than %d KiB", name, limit>>10), "")
	}
	r, err := blob.Reader()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	defer r.Close()
	return io.ReadAll(io.LimitReader(r, limit))
}

// has reports whether the root folder has an entry of this name.
func (c *commit) has(name string) bool {
	_, err := c.tree.FindEntry(name)
	return err == nil
}
