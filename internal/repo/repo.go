// Package repo owns the apps' bare git repositories: how they are made and
// configured, which environment git runs in, and the transport commands
// (receive-pack, upload-pack).
//
// It reads objects with go-git and lets the system's git do what go-git's
// server side lacks (side-band, thin packs, compare-and-set on refs). What a
// push means is not decided here: git asks the hooks, the hooks ask the core.
package repo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// maxInput bounds the pack of one push, in bytes.
const maxInput = 2 << 30

// Repos are the apps' repositories below a state folder. They implement engine.Repos.
type Repos struct {
	state core.StateDir
	git   string
	gates gates
}

// Open finds git and returns the repositories below state. It removes what was being received when an earlier gitd
// ended, and the locks that killed processes of git have left.
func Open(state core.StateDir) (*Repos, error) {
	path, err := exec.LookPath("git")
	if err != nil {
		return nil, fmt.Errorf("git is not installed (apt-get install git): %w", err)
	}
	r := &Repos{state: state, git: path}
	r.gates.sweep = r.sweep
	if err := r.sweepAll(); err != nil {
		return nil, fmt.Errorf("tidy the repositories: %w", err)
	}
	return r, nil
}

// settings returns the settings of every repository. Ensure checks them each time, so that older repositories get new
// settings. The reasons:
//   - procReceiveRefs: our hook gives the verdict for every ref
//   - fsckObjects: objects come from anyone with a key
//   - shallowUpdate: a shallow clone may push its branch
//   - advertisePushOptions: without it, `git push -o` is fatal at the client
//   - autogc: git must not start work of its own behind a push
//   - bigFileThreshold: larger blobs are never read as a whole (maxMemory)
//   - hideRefs: refs below refs/gitd are gitd's own
func (r *Repos) settings() []string {
	return []string{
		"core.hooksPath=" + r.state.Hooks(),
		"receive.procReceiveRefs=refs",
		"receive.fsckObjects=true",
		fmt.Sprintf("receive.maxInputSize=%d", maxInput),
		"receive.shallowUpdate=true",
		"receive.autogc=false",
		"receive.advertisePushOptions=true",
		"receive.denyCurrentBranch=ignore",
		"transfer.hideRefs=refs/gitd",
		"gc.auto=0",
		"core.bigFileThreshold=32m",
	}
}

// Ensure makes the bare repository of app, or brings its settings up to date.
func (r *Repos) Ensure(ctx context.Context, app string) error {
	dir := r.state.Repo(app)
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		// The object format is named because git's own default will not stay: see core.CheckObjectName.
		if err := r.run(ctx, "", "init", "--quiet", "--bare", "--object-format=sha1", "--initial-branch=main", "--template=", dir); err != nil {
			return err
		}
	}
	return r.configure(ctx, dir)
}

// configure writes the settings that a repository does not have yet. It reads all settings at once and most of the time
// writes none: a process of git for each of them took 11 of the 47 ms that a push spent in "receive".
func (r *Repos) configure(ctx context.Context, dir string) error {
	have, err := r.output(ctx, dir, "config", "--local", "--list", "--null")
	if err != nil {
		return err
	}
	current := map[string]string{}
	for entry := range strings.SplitSeq(have, "\x00") {
		key, value, _ := strings.Cut(entry, "\n")
		current[key] = value
	}
	for _, s := range r.settings() {
		key, value, _ := strings.Cut(s, "=")
		// git lists its keys in lower case.
		if got, ok := current[strings.ToLower(key)]; ok && got == value {
			continue
		}
		if err := r.run(ctx, dir, "config", key, value); err != nil {
			return err
		}
	}
	return nil
}

// subject is the first line of a commit's message, safe to print.
func subject(message string) string {
	first, _, _ := strings.Cut(strings.TrimSpace(message), "\n")
	first = progress.Printable(first)
	if len(first) > 72 {
		first = strings.ToValidUTF8(first[:72], "") + "…"
	}
	return first
}

// run runs one short git command for its effect.
func (r *Repos) run(ctx context.Context, dir string, args ...string) error {
	_, err := r.output(ctx, dir, args...)
	return err
}

// output runs one short git command and returns what it printed.
func (r *Repos) output(ctx context.Context, dir string, args ...string) (string, error) {
	return r.feed(ctx, dir, "", args...)
}

// feed runs one short git command with stdin as its standard input, and returns what it printed. When ctx ends, git's
// own children end too.
func (r *Repos) feed(ctx context.Context, dir, stdin string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, r.git, args...)
	cmd.Dir = dir
	cmd.Env = Env()
	cmd.Stdin = strings.NewReader(stdin)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// Env is the environment that git runs in. It has nothing from the client, only PATH from the daemon, and no
// configuration except the repository's own.
func Env() []string {
	return []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=/nonexistent",
		"LC_ALL=C.UTF-8",
		"GIT_CONFIG_NOSYSTEM=1",
		"GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_TERMINAL_PROMPT=0",
		// The state folder may belong to another user than the daemon's (a restored backup, a volume). Git would refuse
		// its repositories then.
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*",
	}
}
