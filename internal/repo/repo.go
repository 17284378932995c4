// Package repo owns the apps' bare git repositories: how they are made and
// configured, which environment git runs in, and the transport commands
// (receive-pack, upload-pack).
//
// It reads objects with go-git and lets the system's git do what go-git's
// server side lacks (side-band, thin packs, compare-and-set on refs). What a
// push means is not decided here: git asks the hooks, the hooks ask the core.
package repo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/format/config"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/walls"
)

// maxInput bounds the pack of one push, in bytes.
const maxInput = 2 << 30

// Repos are the apps' repositories below a state folder. They implement engine.Repos.
type Repos struct {
	state    core.StateDir
	walls    *walls.Walls
	git      string
	programs []string // folders of git's
	hook     []string // what the hooks of a push need: their folder, their program, their socket
	gates    gates
}

// Open finds git and returns the repositories below state. It removes what was being received when an earlier gitd
// ended, and the locks that killed processes of git have left. Every process of git runs behind w; a push shows its
// hooks the files of hook besides.
func Open(state core.StateDir, w *walls.Walls, hook ...string) (*Repos, error) {
	path, err := exec.LookPath("git")
	if err != nil {
		return nil, fmt.Errorf("git is not installed (apt-get install git): %w", err)
	}
	programs, err := programsOf(path)
	if err != nil {
		return nil, err
	}
	r := &Repos{state: state, walls: w, git: path, programs: programs, hook: hook}
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
//   - unpackLimit: what a push brings is one pack, which is in a repository as a whole or not at all (Quarantine)
//   - autogc: git must not start work of its own behind a push
//   - bigFileThreshold: larger blobs are never read as a whole (maxMemory)
//   - hideRefs: refs below refs/gitd are gitd's own
func (r *Repos) settings() []string {
	return []string{
		"core.hooksPath=" + r.state.Hooks(),
		"receive.procReceiveRefs=refs",
		"receive.fsckObjects=true",
		fmt.Sprintf("receive.maxInputSize=%d", maxInput),
		"receive.unpackLimit=1",
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
	if _, err := os.Stat(filepath.Join(dir, "HEAD")); errors.Is(err, os.ErrNotExist) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		// The object format is named because git's own default will not stay: see core.CheckObjectName.
		err := r.run(ctx, dir, everything, "init", "--quiet", "--bare", "--object-format=sha1", "--initial-branch=main", "--template=", ".")
		if err != nil {
			return err
		}
	}
	return errors.Join(r.configure(ctx, dir), mkdir(filepath.Join(dir, quarantines)))
}

// mkdir makes a folder unless it is there. A link to one is none.
func mkdir(path string) error {
	err := os.Mkdir(path, 0o700)
	if info, statErr := os.Lstat(path); statErr == nil && info.IsDir() {
		return nil
	}
	return err
}

// configure writes the settings that a repository does not have yet. It reads them without a process of git, because
// most of the time there is nothing to write.
func (r *Repos) configure(ctx context.Context, dir string) error {
	f, err := os.Open(filepath.Join(dir, "config"))
	if err != nil {
		return err
	}
	defer f.Close()
	have := config.New()
	if err := config.NewDecoder(f).Decode(have); err != nil {
		have = config.New() // git says it better
	}
	for _, s := range r.settings() {
		key, value, _ := strings.Cut(s, "=")
		section, option, _ := strings.Cut(key, ".")
		if have.Section(section).Option(option) == value {
			continue
		}
		if err := r.run(ctx, dir, everything, "config", key, value); err != nil {
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
