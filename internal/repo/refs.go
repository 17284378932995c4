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

// Point implements deploy.Repos: it sets branch to commit and HEAD to branch, whatever they were before. It reads both
// first, without a process of git, because most of the time there is nothing to do.
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
	return r.run(ctx, dir, "symbolic-ref", "HEAD", "refs/heads/"+branch)
}

// Prepare implements deploy.Repos with a transaction of git. The new value is then on the disk, in the lock file of the
// branch, and to commit is to rename this file. If gitd ends before that, git notices and removes the lock. Git cannot
// move HEAD in the transaction, so HEAD is set before it: it names the app's branch, whether that moves or not.
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
	// The process is not tied to ctx: once the move is prepared, only the caller ends it.
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

// move is a transaction that a process of git holds open.
type move struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	said bytes.Buffer // what git has printed on its standard error
}

// tell sends commands to git and waits for its answer to each, except to updates, which git does not answer.
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

// end closes git's input and waits until git ends, which undoes what was not committed.
func (m *move) end() error {
	m.in.Close() // git has ended, or ends now
	if err := m.cmd.Wait(); err != nil {
		return fmt.Errorf("git update-ref: %w: %s", err, strings.TrimSpace(m.said.String()))
	}
	return nil
}

// Commit implements core.RefMove.
func (m *move) Commit() error { return errors.Join(m.tell("commit"), m.end()) }

// Abort implements core.RefMove.
func (m *move) Abort() { m.end() } //nolint:errcheck // the branch is where it was
