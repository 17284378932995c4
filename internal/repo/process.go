package repo

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/nodeos-dev/gitd/internal/walls"
)

// limits are those of each process of git. git reads every object of a stranger's push: a blob above
// core.bigFileThreshold piece by piece, and anything else as a whole. A pack has 2 GiB at most (maxInput), and one that
// git repacks is as large as the repository.
var limits = walls.Limits{Memory: 1 << 30, File: 64 << 30, CPU: 30 * time.Minute}

// right is what a process of git may write of its app's repository. It sees nothing else of the state folder: what
// takes a process of git over, by an object that its parser does not expect, has the repository of that app, and no
// other app's, nor the ledger, nor a key.
type right int

const (
	reads      right = iota
	movesRefs        // all but objects, settings and what gitd says of the app
	receives         // the same, and the objects of one push
	everything       // to be tidied
)

// task is one process of git on a repository.
type task struct {
	dir  string // of the repository
	may  right
	args []string

	quarantine string // a sealed one whose objects it reads too, or for receives: what it fills; empty: none
}

// command is the process as it is without walls.
func (r *Repos) command(ctx context.Context, t task) *exec.Cmd {
	cmd := exec.CommandContext(ctx, r.git, t.args...)
	cmd.Dir, cmd.Env = t.dir, Env()
	walls.Together(cmd)
	stored := filepath.Join(t.dir, "objects")
	switch {
	case t.may == receives:
		cmd.Env = append(cmd.Env, "GIT_OBJECT_DIRECTORY="+filepath.Join(t.quarantine, incoming), "GIT_ALTERNATE_OBJECT_DIRECTORIES="+stored)
	case t.quarantine != "":
		cmd.Env = append(cmd.Env, "GIT_ALTERNATE_OBJECT_DIRECTORIES="+filepath.Join(t.quarantine, "objects"))
	}
	return cmd
}

// room is what the process sees. The parts of a repository that it may not write are mounts of their own, which it can
// neither remove nor rename.
func (r *Repos) room(t task) walls.Room {
	room := walls.Room{Limits: limits}
	for _, path := range r.programs {
		room.Mounts = append(room.Mounts, walls.Mount{Path: path})
	}
	room.Mounts = append(room.Mounts, walls.Mount{Path: t.dir, Writable: t.may != reads})
	if t.may == movesRefs || t.may == receives {
		for _, name := range []string{"objects", "config", ".gitd.json", quarantines} {
			room.Mounts = append(room.Mounts, walls.Mount{Path: filepath.Join(t.dir, name), Optional: true})
		}
	}
	if t.may == receives {
		room.Mounts = append(room.Mounts, walls.Mount{Path: filepath.Join(t.quarantine, incoming), Writable: true})
		for _, path := range r.hook {
			room.Mounts = append(room.Mounts, walls.Mount{Path: path})
		}
		if path := libvirt(); path != "" {
			room.Mounts = append(room.Mounts, walls.Mount{Path: path, Hidden: true})
		}
	}
	return room
}

// libvirt is libvirt's library, or "". gitd loads it at its start, as a hook too, and 96 libraries with it, which took
// half of a hook's time: it goes on where it does not find it.
var libvirt = sync.OnceValue(func() string {
	found, err := filepath.Glob("/usr/lib*/libvirt.so.0")
	if more, moreErr := filepath.Glob("/usr/lib/*/libvirt.so.0"); err == nil && moreErr == nil {
		found = append(found, more...)
	}
	if len(found) == 0 {
		return ""
	}
	path, err := filepath.EvalSymlinks(found[0])
	if err != nil {
		return ""
	}
	return path
})

// run runs one short git command for its effect.
func (r *Repos) run(ctx context.Context, dir string, may right, args ...string) error {
	_, err := r.feed(ctx, "", task{dir: dir, may: may, args: args})
	return err
}

// feed runs one short git command with stdin as its standard input, and returns what it printed. When ctx ends, git's
// own children end too.
func (r *Repos) feed(ctx context.Context, stdin string, t task) (string, error) {
	cmd := r.command(ctx, t)
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := r.walls.Run(cmd, r.room(t)); err != nil {
		return "", fmt.Errorf("git %s: %w: %s", t.args[0], err, strings.TrimSpace(stderr.String()))
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

// programsOf are the folders of git that are not below /usr, which everybody behind walls sees.
func programsOf(git string) ([]string, error) {
	cmd := exec.Command(git, "--exec-path")
	cmd.Env = Env()
	path, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("git --exec-path: %w", err)
	}
	var folders []string
	for _, dir := range []string{filepath.Dir(git), strings.TrimSpace(string(path))} {
		if dir = filepath.Clean(dir); !strings.HasPrefix(dir, "/usr/") && !strings.HasPrefix(dir, "/bin") {
			folders = append(folders, dir)
		}
	}
	return folders, nil
}
