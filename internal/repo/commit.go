package repo

import (
	"context"
	"fmt"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/units"
)

const (
	// maxMessage is the largest tag or commit that is read, in bytes: one is a message and some lines.
	maxMessage = 1 << 20
	// maxTags is how many tags may stand between a ref and its commit.
	maxTags = 10
	// maxDeltas is how many objects one may be stored as a change of, one of the other. git makes 50 at most.
	maxDeltas = 64
)

// Commit implements deploy.Repos: it follows tags from an object to a commit. It asks for kind and size before it reads
// anything: 1 MB of a push can be a tag of 1 GiB of zeros, or a commit with a message of that size.
func (r *Repos) Commit(ctx context.Context, app, objectName string) (core.Commit, error) {
	if err := core.CheckObjectName(objectName); err != nil {
		return core.Commit{}, err
	}
	g, err := git.PlainOpen(r.state.Repo(app))
	if err != nil {
		return core.Commit{}, fmt.Errorf("repository of %s: %w", app, err)
	}
	for hash, n := plumbing.NewHash(objectName), 0; n <= maxTags; n++ {
		if err := r.readable(ctx, app, hash.String()); err != nil {
			return core.Commit{}, err
		}
		switch o, err := g.Object(plumbing.AnyObject, hash); o := o.(type) {
		case *object.Tag:
			hash = o.Target
		case *object.Commit:
			return core.Commit{ID: o.Hash.String(), Subject: subject(o.Message)}, nil
		default:
			return core.Commit{}, fmt.Errorf("object %s: %w", objectName, err)
		}
	}
	return core.Commit{}, core.Reject(fmt.Sprintf("%.7s is a tag of a tag, more than %d of them", objectName, maxTags), "push a tag of the commit itself")
}

// readable refuses what is neither a tag nor a commit, and what takes much memory to read: it, or what it is stored as
// a change of.
func (r *Repos) readable(ctx context.Context, app, name string) error {
	for n, of := 0, name; n <= maxDeltas; n++ {
		o, err := r.ask(ctx, app, of)
		switch {
		case err != nil:
			return fmt.Errorf("object %s: %w", name, err)
		case o.kind != "tag" && o.kind != "commit":
			return core.Reject(fmt.Sprintf("%.7s is a %s, not a commit", name, o.kind), "push a branch, or a tag of a commit")
		case o.size > maxMessage:
			return core.Reject(fmt.Sprintf("the %s %.7s has %s, and gitd reads %s at most", o.kind, name, units.Bytes(o.size),
				units.Bytes(maxMessage)), "make it again with a shorter message")
		case core.Zero(o.base):
			return nil
		}
		of = o.base
	}
	return core.Reject(fmt.Sprintf("%.7s is stored as a change of too many others", name), "`git repack -adf`, and push again")
}

// asked is what git says of an object without reading it.
type asked struct {
	kind string
	size int64  // bytes
	base string // what it is stored as a change of; zeros: it is stored as a whole
}

func (r *Repos) ask(ctx context.Context, app, name string) (o asked, err error) {
	said, err := r.feed(ctx, r.state.Repo(app), name+"\n", "cat-file", "--batch-check=%(objecttype) %(objectsize) %(deltabase)")
	if err != nil {
		return o, err
	}
	if _, err := fmt.Sscanf(said, "%s %d %s", &o.kind, &o.size, &o.base); err != nil {
		return o, core.ErrNotFound // git says "NAME missing"
	}
	return o, nil
}
