package repo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/storage/filesystem"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/units"
	"github.com/nodeos-dev/gitd/internal/walls"
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
func (r *Repos) Commit(ctx context.Context, p core.Push, objectName string) (core.Commit, error) {
	if err := core.CheckObjectName(objectName); err != nil {
		return core.Commit{}, err
	}
	asked, err := r.ask(ctx, p)
	if err != nil {
		return core.Commit{}, err
	}
	defer asked.end()
	for hash, n := plumbing.NewHash(objectName), 0; n <= maxTags; n++ {
		if err := asked.readable(hash.String()); err != nil {
			return core.Commit{}, err
		}
		switch o, err := r.object(p, hash); o := o.(type) {
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

// object reads an object from what the push has brought, or from the repository.
func (r *Repos) object(p core.Push, hash plumbing.Hash) (o object.Object, err error) {
	for _, dir := range []string{p.Quarantine, r.state.Repo(p.App)} {
		if dir == "" {
			continue
		}
		store := filesystem.NewStorage(osfs.New(dir), cache.NewObjectLRUDefault())
		if o, err = object.GetObject(store, hash); err == nil {
			return o, store.Close()
		}
		store.Close()
	}
	return nil, err
}

// inquiry is a process of git that says what objects are without reading them.
type inquiry struct {
	git  *walls.Process
	in   io.WriteCloser
	out  *bufio.Reader
	stop context.CancelFunc
}

func (r *Repos) ask(ctx context.Context, p core.Push) (*inquiry, error) {
	ctx, stop := context.WithCancel(ctx)
	t := task{dir: r.state.Repo(p.App), may: reads, quarantine: p.Quarantine,
		args: []string{"cat-file", "--batch-check=%(objecttype) %(objectsize) %(deltabase)"}}
	cmd := r.command(ctx, t)
	in, inErr := cmd.StdinPipe()
	out, outErr := cmd.StdoutPipe()
	git, err := r.walls.Start(cmd, r.room(t))
	if err = errors.Join(inErr, outErr, err); err != nil {
		stop()
		return nil, fmt.Errorf("git cat-file: %w", err)
	}
	return &inquiry{git: git, in: in, out: bufio.NewReader(out), stop: stop}, nil
}

func (q *inquiry) end() {
	q.in.Close()
	q.git.Wait() //nolint:errcheck // it has answered
	q.stop()
}

// readable refuses what is neither a tag nor a commit, and what takes much memory to read: it, or what it is stored as
// a change of.
func (q *inquiry) readable(name string) error {
	for n, of := 0, name; n <= maxDeltas; n++ {
		o, err := q.about(of)
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

// known is what git says of an object.
type known struct {
	kind string
	size int64  // bytes
	base string // what it is stored as a change of; zeros: it is stored as a whole
}

func (q *inquiry) about(name string) (o known, err error) {
	if _, err := io.WriteString(q.in, name+"\n"); err != nil {
		return o, err
	}
	said, err := q.out.ReadString('\n')
	if err != nil {
		return o, err
	}
	if _, err := fmt.Sscanf(said, "%s %d %s", &o.kind, &o.size, &o.base); err != nil {
		return o, core.ErrNotFound // git says "NAME missing"
	}
	return o, nil
}
