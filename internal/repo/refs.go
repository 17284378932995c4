package repo

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/walls"
)

// Point implements deploy.Repos: it sets branch to commit and HEAD to branch, whatever they were before. It reads both
// first, without a process of git, because most of the time there is nothing to do.
func (r *Repos) Point(ctx context.Context, app, branch, commit string) error {
	dir := r.state.Repo(app)
	head, at := stands(dir, branch, commit)
	if !at {
		if err := r.run(ctx, dir, movesRefs, "update-ref", "refs/heads/"+branch, commit); err != nil {
			return err
		}
	}
	return r.setHead(ctx, dir, branch, head)
}

// stands reports whether HEAD points to branch, and whether branch is at commit.
func stands(dir, branch, commit string) (head, at bool) {
	g, err := git.PlainOpen(dir)
	if err != nil {
		return false, false
	}
	name := plumbing.NewBranchReferenceName(branch)
	h, err := g.Reference(plumbing.HEAD, false)
	head = err == nil && h.Target() == name
	ref, err := g.Reference(name, false)
	return head, err == nil && ref.Hash().String() == commit
}

// setHead points HEAD to branch, unless it does already.
func (r *Repos) setHead(ctx context.Context, dir, branch string, is bool) error {
	if is {
		return nil
	}
	return r.run(ctx, dir, movesRefs, "symbolic-ref", "HEAD", "refs/heads/"+branch)
}

// Tags implements deploy.Repos.
func (r *Repos) Tags(_ context.Context, app string) (map[string]string, error) {
	g, err := git.PlainOpen(r.state.Repo(app))
	if err != nil {
		return nil, fmt.Errorf("repository of %s: %w", app, err)
	}
	refs, err := g.References()
	if err != nil {
		return nil, err
	}
	tags := map[string]string{}
	err = refs.ForEach(func(ref *plumbing.Reference) error {
		if ref.Name().IsTag() {
			tags[ref.Name().String()] = ref.Hash().String()
		}
		return nil
	})
	return tags, err
}

// Prepare implements deploy.Repos with a transaction of git's: the new values
// are on the disk, in the locks of the refs, and to commit is to rename them. A
// git that loses us takes the locks away. HEAD, which git cannot move in it, is
// set before: a branch is the same app's whether it moves or not.
func (r *Repos) Prepare(ctx context.Context, app string, c core.RefChange) (core.RefMove, error) {
	undo, err := r.accept(app, c.Quarantine)
	if err != nil {
		return nil, disk.ExplainBySpace(err, r.state.Repo(app))
	}
	m, err := r.prepareRefs(ctx, app, c)
	if err != nil {
		undo()
		return nil, err
	}
	return brought{m, undo}, nil
}

func (r *Repos) prepareRefs(ctx context.Context, app string, c core.RefChange) (core.RefMove, error) {
	dir := r.state.Repo(app)
	updates, err := tagUpdates(c.Tags)
	if err != nil {
		return nil, err
	}
	if c.Branch != "" {
		head, at := stands(dir, c.Branch, c.Commit)
		if err := r.setHead(ctx, dir, c.Branch, head); err != nil {
			return nil, disk.ExplainBySpace(err, dir)
		}
		if !at {
			updates = append(updates, "update refs/heads/"+c.Branch+" "+c.Commit)
		}
	}
	if len(updates) == 0 {
		return core.NoMove{}, nil
	}
	m, err := r.prepare(ctx, dir, updates)
	if err != nil {
		return nil, disk.ExplainBySpace(err, dir) // git says "couldn't write" and not why
	}
	return m, nil
}

// tagUpdates are commands for git update-ref. The names were checked when the
// push was judged; they are checked again where a line break in one would be
// another command.
func tagUpdates(tags []core.Command) ([]string, error) {
	var lines []string
	for _, c := range tags {
		err := core.CheckRefName(c.Ref)
		if err = errors.Join(err, core.CheckObjectName(c.Old), core.CheckObjectName(c.New)); err != nil {
			return nil, fmt.Errorf("%.80q: %w", c.Ref, err)
		}
		if core.Zero(c.New) {
			lines = append(lines, "delete "+c.Ref+" "+c.Old)
		} else {
			lines = append(lines, "update "+c.Ref+" "+c.New+" "+c.Old)
		}
	}
	return lines, nil
}

// prepare begins a transaction of updates, which are commands for git
// update-ref, and returns it when git has all the locks.
func (r *Repos) prepare(ctx context.Context, dir string, updates []string) (*move, error) {
	m := &move{}
	t := task{dir: dir, may: movesRefs, args: []string{"update-ref", "--stdin"}}
	// The process is not tied to ctx: once the move is prepared, only the caller ends it.
	cmd := r.command(context.WithoutCancel(ctx), t)
	cmd.Stderr = &m.said
	in, inErr := cmd.StdinPipe()
	out, outErr := cmd.StdoutPipe()
	if err := errors.Join(ctx.Err(), inErr, outErr); err != nil {
		return nil, err
	}
	m.in, m.out = in, bufio.NewReader(out)
	var err error
	if m.git, err = r.walls.Start(cmd, r.room(t)); err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { in.Close() })() // upon this git takes its locks away
	if err := m.tell(slices.Concat([]string{"start"}, updates, []string{"prepare"})...); err != nil {
		return nil, errors.Join(fmt.Errorf("make refs ready to move: %w", err), m.end())
	}
	return m, nil
}

// move is a transaction that a process of git holds open.
type move struct {
	git  *walls.Process
	in   io.WriteCloser
	out  *bufio.Reader
	said bytes.Buffer // what git has printed on its standard error
}

// tell gives commands to git, and waits for its answer to each but updates and deletions.
func (m *move) tell(commands ...string) error {
	if _, err := io.WriteString(m.in, strings.Join(commands, "\n")+"\n"); err != nil {
		return err
	}
	for _, c := range commands {
		if strings.HasPrefix(c, "update ") || strings.HasPrefix(c, "delete ") {
			continue
		}
		answer, err := m.out.ReadString('\n')
		if err != nil || answer != c+": ok\n" {
			return fmt.Errorf("git answers %q to %q", answer, c)
		}
	}
	return nil
}

// end closes git's input and waits until git ends, which undoes what was not committed.
func (m *move) end() error {
	m.in.Close() // git has ended, or ends now
	if err := m.git.Wait(); err != nil {
		return fmt.Errorf("git update-ref: %w: %s", err, strings.TrimSpace(m.said.String()))
	}
	return nil
}

// Commit implements core.RefMove.
func (m *move) Commit() error { return errors.Join(m.tell("commit"), m.end()) }

// Abort implements core.RefMove.
func (m *move) Abort() { m.end() } //nolint:errcheck // the branch is where it was
