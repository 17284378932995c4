package builder

import (
	"errors"
	"fmt"
	"io"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/nodeos-dev/gitd/internal/builder/objects"
	"github.com/nodeos-dev/gitd/internal/image"
)

// commit is what is read from a repository: the files of one commit.
type commit struct {
	store *objects.Store
	tree  *object.Tree
}

// openCommit opens the commit of src. The caller closes it.
func openCommit(src image.Source) (*commit, error) {
	store := objects.Open(src.Repo, src.Quarantine)
	c, err := object.GetCommit(store, plumbing.NewHash(src.Commit))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read commit %s of %s: %w", src.Commit, src.App, err), store.Close())
	}
	tree, err := c.Tree()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read the tree of commit %s: %w", src.Commit, err), store.Close())
	}
	return &commit{store: store, tree: tree}, nil
}

func (c *commit) close() error { return c.store.Close() }

// sizeOf is a blob's size in bytes. Of an object that is in another repository, go-git knows it only by reading it.
func (c *commit) sizeOf(h plumbing.Hash) (int64, error) {
	if size, err := c.store.EncodedObjectSize(h); err == nil {
		return size, nil
	}
	blob, err := object.GetBlob(c.store, h)
	if err != nil {
		return 0, err
	}
	return blob.Size, nil
}

// linkTarget is where a symlink leads. It is not checked here: see links.Judge. A target that is longer than that
// allows is cut off one byte later.
func linkTarget(blob *object.Blob) (string, error) {
	r, err := blob.Reader()
	if err != nil {
		return "", err
	}
	defer r.Close()
	target, err := io.ReadAll(io.LimitReader(r, maxPath+1))
	return string(target), err
}
