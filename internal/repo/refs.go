package repo

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
)

// Point sets branch to commit and HEAD to branch, whatever they were. It
// reads them first, which costs no process of git: mostly nothing is to do.
func (r *Repos) Point(ctx context.Context, app, branch, commit string) error {
	dir := r.state.Repo(app)
	head, at := stands(dir, branch, commit)
	if !at {
		if err := r.run(ctx, dir, "update-ref", "refs/heads/"+branch, commit); err != nil {
			return err
		}
	}
	return r.setHead(ctx, dir, branch, head)
}

// stands reports whether HEAD is branch, and whether branch is at commit.
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

// setHead makes HEAD branch, unless it is.
func (r *Repos) setHead(ctx context.Context, dir, branch string, is bool) error {
	if is {
		return nil
	}
	return r.run(ctx, dir, "symbolic-ref", "HEAD", "refs/heads/"+branch)
}

// Prepare implements deploy.Repos with a transaction of git's: the new value
// is on the disk, in the lock of the branch, and to commit is to rename it. A
// git that loses us takes the lock away. HEAD, which git cannot move in it, is
// set before: a branch is the same app's whether it moves or not.
func (r *Repos) Prepare(ctx context.Context, app, branch, commit string) (core.RefMove, error) {
	dir := r.state.Repo(app)
	head, at := stands(dir, branch, commit)
	if err := r.setHead(ctx, dir, branch, head); err != nil {
		return nil, disk.ExplainBySpace(err, dir)
	}
	if at {
		return core.NoMove{}, nil
	}
	m := &move{}
	// Not tied to ctx: once it is prepared, it ends at the word of the caller.
	m.cmd = exec.Command(r.git, "update-ref", "--stdin")
	m.cmd.Dir, m.cmd.Env, m.cmd.Stderr = dir, Env(), &m.said
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, inErr := m.cmd.StdinPipe()
	out, outErr := m.cmd.StdoutPipe()
	if err := errors.Join(ctx.Err(), inErr, outErr); err != nil {
		return nil, err
	}
	m.in, m.out = in, bufio.NewReader(out)
	if err := m.cmd.Start(); err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() {
		syscall.Kill(-m.cmd.Process.Pid, syscall.SIGTERM) //nolint:errcheck // it may have ended; upon this one git takes its lock away
	})()
	if err := m.tell("start", "update refs/heads/"+branch+" "+commit, "prepare"); err != nil {
		err = errors.Join(fmt.Errorf("make %s ready to move: %w", branch, err), m.end())
		return nil, disk.ExplainBySpace(err, dir) // git says "couldn't write" and not why
	}
	return m, nil
}

// move is a transaction that git holds.
type move struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	said bytes.Buffer // on its standard error
}

// tell gives commands to git, and waits for its answer to each but updates.
func (m *move) tell(commands ...string) error {
	if _, err := io.WriteString(m.in, strings.Join(commands, "\n")+"\n"); err != nil {
		return err
	}
	for _, c := range commands {
		if strings.HasPrefix(c, "update ") {
			continue
		}
		answer, err := m.out.ReadString('\n')
		if err != nil || answer != c+": ok\n" {
			return fmt.Errorf("git answers %q to %q", answer, c)
		}
	}
	return nil
}

// end lets git go, which takes back what was not committed.
func (m *move) end() error {
	m.in.Close() // git has ended, or does now
	if err := m.cmd.Wait(); err != nil {
		return fmt.Errorf("git update-ref: %w: %s", err, strings.TrimSpace(m.said.String()))
	}
	return nil
}

// Commit implements core.RefMove.
func (m *move) Commit() error { return errors.Join(m.tell("commit"), m.end()) }

// Abort implements core.RefMove.
func (m *move) Abort() { m.end() } //nolint:errcheck // the branch is where it was
