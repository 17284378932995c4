package repo

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"

	"github.com/nodeos-dev/gitd/internal/core"
)

// Bundles copy repositories as a whole, in git's own form: `git clone FILE` reads it. git takes care that what a push
// brings meanwhile is in one as a whole or not at all.
type Bundles struct{ repos *Repos }

// NewBundles makes Bundles of r.
func NewBundles(r *Repos) Bundles { return Bundles{r} }

// ErrEmpty says that there is nothing in a repository that a bundle could hold.
var ErrEmpty = errors.New("the repository is empty")

// Empty reports whether Write has found nothing.
func (Bundles) Empty(err error) bool { return errors.Is(err, ErrEmpty) }

const (
	shallowFile = "shallow" // of a repository: commits whose parents it does not have
	mostShallow = 1 << 20   // bytes of it
	// A bundle begins with its refs, each on a line.
	mostRefs = 1 << 20
	mostLine = 8 << 10
)

// Write writes all of app to the file to: what its refs lead to, and commits. It returns which commits have no parents
// here, in the form of git's file. It may return ErrEmpty.
func (b Bundles) Write(ctx context.Context, app string, commits []string, to *os.File) (shallow []byte, err error) {
	dir := b.repos.state.Repo(app)
	done := b.repos.gates.of(app).push() // nothing is tidied away meanwhile
	defer func() { err = errors.Join(err, done()) }()
	revisions, err := revisionsOf(dir, commits)
	if err != nil {
		return nil, err
	}
	t := task{dir: dir, may: reads, args: append([]string{"bundle", "create", "--quiet", "-", "--all"}, revisions...)}
	cmd := b.repos.command(ctx, t)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = to, &said
	if err := b.repos.walls.Run(cmd, b.repos.room(t)); err != nil {
		return nil, fmt.Errorf("git bundle: %w: %s", err, strings.TrimSpace(said.String()))
	}
	shallow, err = os.ReadFile(filepath.Join(dir, shallowFile))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return shallow, err
}

// revisionsOf are those of commits that are there; or ErrEmpty.
func revisionsOf(dir string, commits []string) (there []string, err error) {
	g, err := git.PlainOpen(dir)
	if errors.Is(err, git.ErrRepositoryNotExists) {
		return nil, ErrEmpty
	}
	if err != nil {
		return nil, err
	}
	for _, c := range commits {
		if _, err := g.CommitObject(plumbing.NewHash(c)); err == nil {
			there = append(there, c)
		}
	}
	refs, err := g.References()
	if err != nil {
		return nil, err
	}
	any := false
	err = refs.ForEach(func(ref *plumbing.Reference) error {
		any = any || ref.Type() == plumbing.HashReference
		return nil
	})
	if err == nil && !any {
		err = ErrEmpty
	}
	return there, err
}

// Read makes the repository of app from what Write has written. All of it is hostile.
func (b Bundles) Read(ctx context.Context, app string, shallow []byte, from io.Reader) error {
	if err := core.CheckName(app); err != nil {
		return err
	}
	if err := b.repos.Ensure(ctx, app); err != nil {
		return err
	}
	in := bufio.NewReaderSize(from, mostLine)
	updates, err := readRefs(in)
	if err != nil {
		return fmt.Errorf("the bundle of %s: %w", app, err)
	}
	dir := b.repos.state.Repo(app)
	if err := writeShallow(dir, shallow); err != nil {
		return fmt.Errorf("the bundle of %s: %w", app, err)
	}
	if err := b.unpack(ctx, dir, in); err != nil {
		return fmt.Errorf("the bundle of %s: %w", app, err)
	}
	_, err = b.repos.feed(ctx, updates, task{dir: dir, may: movesRefs, args: []string{"update-ref", "--stdin"}})
	return err
}

// unpack takes the pack of a bundle in. git checks every object, as at a push.
func (b Bundles) unpack(ctx context.Context, dir string, pack io.Reader) error {
	t := task{dir: dir, may: everything, args: []string{"index-pack", "--stdin", "--fix-thin", "--strict", "--threads=1"}}
	cmd := b.repos.command(ctx, t)
	var said bytes.Buffer
	cmd.Stdin, cmd.Stderr = pack, &said
	if err := b.repos.walls.Run(cmd, b.repos.room(t)); err != nil {
		return fmt.Errorf("git index-pack: %w: %s", err, strings.TrimSpace(said.String()))
	}
	return nil
}

// readRefs reads the head of a bundle, up to its pack, and returns the commands for git update-ref that make its refs.
func readRefs(in *bufio.Reader) (string, error) {
	first, err := line(in)
	if err != nil || first != "# v2 git bundle" {
		return "", errors.New("it is no bundle of git's")
	}
	var updates strings.Builder
	for range mostRefs {
		l, err := line(in)
		if err != nil {
			return "", err
		}
		if l == "" {
			return updates.String(), nil
		}
		object, ref, _ := strings.Cut(l, " ")
		if ref == "HEAD" { // it follows what is live
			continue
		}
		if err := errors.Join(core.CheckObjectName(object), core.CheckRefName(ref)); err != nil {
			return "", fmt.Errorf("%.80q: %w", l, err)
		}
		fmt.Fprintf(&updates, "create %s %s\n", ref, object)
	}
	return "", errors.New("it has too many refs")
}

// line reads one line of at most mostLine bytes.
func line(in *bufio.Reader) (string, error) {
	l, err := in.ReadSlice('\n')
	if err != nil {
		return "", fmt.Errorf("its head is cut off, or too long: %w", err)
	}
	return string(l[:len(l)-1]), nil
}

// writeShallow says which commits have no parents.
func writeShallow(dir string, shallow []byte) error {
	if len(shallow) == 0 {
		return nil
	}
	if len(shallow) > mostShallow {
		return errors.New("it has too many commits without parents")
	}
	for l := range strings.Lines(string(shallow)) {
		if err := core.CheckObjectName(strings.TrimSuffix(l, "\n")); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, shallowFile), shallow, 0o600)
}
