// Package worktree takes the files of a folder as a commit that can be built, without a push.
//
// It owns which files those are: those of the commit that is checked out, or the files as they are. It does not own
// what is built of them. The folder's own git configuration has no part in it, because it can name programs.
package worktree

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/nodeos-dev/gitd/internal/progress"
)

// Options say what is taken.
type Options struct {
	Dirty  bool     // the files as they are, though the folder has commits
	Ignore []string // paths in the folder that are not of the app, relative to it
}

// Snapshot is the files that were taken.
type Snapshot struct {
	Repo    string   // a bare repository, which is removed by Close
	Commit  string   // full object name
	Known   bool     // the commit is one of the folder's own
	Changed []string // files that differ from that commit, and were not taken; with git's letters before each
}

// Close removes the snapshot.
func (s Snapshot) Close() error { return os.RemoveAll(s.Repo) }

// Take takes the files of dir.
func Take(ctx context.Context, dir string, o Options) (s Snapshot, err error) {
	if dir, err = filepath.Abs(dir); err != nil {
		return s, err
	}
	if s.Repo, err = os.MkdirTemp("", "gitd-files-"); err != nil {
		return s, err
	}
	t := taking{ctx: ctx, dir: dir, repo: s.Repo}
	if err = t.prepare(o.Ignore); err == nil {
		err = t.take(&s, o)
	}
	if err != nil {
		err = errors.Join(err, s.Close())
	}
	return s, err
}

// taking is one Take.
type taking struct {
	ctx       context.Context // of one call
	dir, repo string
}

func (t taking) prepare(ignore []string) error {
	if _, err := t.run(noSettings, "init", "--quiet", "--bare", "--template=", t.repo); err != nil {
		return err
	}
	// Dependencies are installed from the lockfile; to read them all would only take time.
	lines := []string{"/node_modules\n"}
	for _, path := range ignore {
		lines = append(lines, "/"+escape(filepath.ToSlash(path))+"\n")
	}
	info := filepath.Join(t.repo, "info")
	if err := os.MkdirAll(info, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(info, "exclude"), []byte(strings.Join(lines, "")), 0o600)
}

// escape makes a path a pattern of .gitignore that matches it alone.
func escape(path string) string {
	var b strings.Builder
	for _, r := range path {
		if strings.ContainsRune(`\*?[!# `, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

func (t taking) take(s *Snapshot, o Options) (err error) {
	_, err = os.Lstat(filepath.Join(t.dir, ".git"))
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && o.Dirty:
		s.Commit, err = t.files()
	case err == nil:
		s.Known = true
		s.Commit, s.Changed, err = t.head()
	}
	return err
}

// files makes a commit of the files as they are. Its name depends on them alone.
func (t taking) files() (commit string, err error) {
	if _, err := t.git("add", "--all", "."); err != nil {
		return "", err
	}
	tree, err := t.git("write-tree")
	if err != nil {
		return "", err
	}
	return t.git("commit-tree", "-m", "files as they are", tree)
}

// head finds the commit that is checked out, and which files differ from it.
func (t taking) head() (commit string, changed []string, err error) {
	// This asks the folder's own repository; it runs no program that the configuration there names.
	out, err := t.run("GIT_PAGER=", "-C", t.dir, "rev-parse", "--path-format=absolute", "--git-common-dir", "--verify", "--end-of-options", "HEAD^{commit}")
	if err != nil {
		return "", nil, fmt.Errorf("%w; commit something, or take the files as they are with --dirty", err)
	}
	common, commit, _ := strings.Cut(out, "\n")
	objects := filepath.Join(common, "objects")
	info := filepath.Join(t.repo, "objects", "info")
	err = errors.Join(os.MkdirAll(info, 0o700), os.WriteFile(filepath.Join(info, "alternates"), []byte(objects+"\n"), 0o600))
	if err != nil {
		return "", nil, err
	}
	if _, err := t.git("read-tree", commit); err != nil {
		return "", nil, err
	}
	// Without a HEAD of its own, git would call all files new.
	if _, err := t.git("update-ref", "--no-deref", "HEAD", commit); err != nil {
		return "", nil, err
	}
	status, err := t.git("status", "--porcelain", "-z", "--no-renames")
	for entry := range strings.SplitSeq(status, "\x00") {
		if entry != "" {
			changed = append(changed, entry)
		}
	}
	return commit, changed, err
}

// noSettings keeps out what the user's own configuration says.
const noSettings = "GIT_CONFIG_GLOBAL=/dev/null"

// git runs git on t.repo with the folder as its files. Nobody's settings have a part in it: a filter would take other
// bytes than those of the files.
func (t taking) git(args ...string) (string, error) {
	return t.run(noSettings, append([]string{"--git-dir=" + t.repo, "--work-tree=" + t.dir}, args...)...)
}

func (t taking) run(setting string, args ...string) (string, error) {
	cmd := exec.CommandContext(t.ctx, "git", args...)
	cmd.Dir = t.dir
	const who, nobody, epoch = "gitd", "gitd@localhost", "@0 +0000"
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "SUDO_UID=" + os.Getenv("SUDO_UID"), "LC_ALL=C",
		"GIT_CONFIG_NOSYSTEM=1", setting, "GIT_AUTHOR_NAME=" + who, "GIT_AUTHOR_EMAIL=" + nobody, "GIT_AUTHOR_DATE=" + epoch,
		"GIT_COMMITTER_NAME=" + who, "GIT_COMMITTER_EMAIL=" + nobody, "GIT_COMMITTER_DATE=" + epoch,
	}
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("git: %w: %s", errors.Join(t.ctx.Err(), err), progress.Printable(strings.TrimSpace(said.String())))
	}
	return strings.TrimRight(out.String(), "\n"), nil
}
