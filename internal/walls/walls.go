// Package walls keeps programs that read strangers' bytes (git, mkfs.erofs, and what builds run) from everything that
// is not theirs, by bubblewrap: namespaces of their own for users, processes, mounts, IPC and the network, a read-only
// system, a filter of system calls, and limits.
//
// It owns the walls. It does not own what runs behind them, nor what that may see; and what builds need beside that (a
// way to the network, memory of all processes together) is in internal/builder/sandbox.
package walls

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// ErrUnavailable says that this host cannot have walls.
var ErrUnavailable = errors.New("programs cannot be kept behind walls on this host")

const probeTime = 10 * time.Second

// Walls start programs. They are safe for concurrent use.
type Walls struct {
	bwrap   string // empty: programs run without walls
	refused error  // why no program is started at all; nil: they are
}

// New finds bubblewrap, and tries it. The error wraps ErrUnavailable, and ends with bubblewrap's own words.
func New(ctx context.Context) (*Walls, error) {
	path, err := exec.LookPath("bwrap")
	if err != nil {
		return nil, fmt.Errorf("%w: bubblewrap is not installed (apt install bubblewrap)", ErrUnavailable)
	}
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	w := &Walls{bwrap: path}
	cmd := exec.CommandContext(ctx, "/usr/bin/true")
	cmd.Env = []string{}
	var out bytes.Buffer
	cmd.Stderr = &out
	if err := w.Run(cmd, Room{}); err != nil {
		return nil, fmt.Errorf("%w: %w: %s", ErrUnavailable, err, strings.TrimSpace(out.String()))
	}
	return w, nil
}

// None are no walls: programs run as children of this process, with the limits alone.
func None() *Walls { return &Walls{} }

// Missing start no program: each is answered with why.
func Missing(why error) *Walls { return &Walls{refused: why} }

// Up reports whether there are walls.
func (w *Walls) Up() bool { return w.bwrap != "" }

// Room is what a program sees beside the system, and how much it may take.
type Room struct {
	Mounts []Mount // in order
	Limits Limits
}

// Mount shows a file or a folder at the path that it has outside.
type Mount struct {
	Path     string
	Writable bool
	Optional bool // it need not be there
	Hidden   bool // it is a file of the system, and empty inside
}

func (m Mount) args() []string {
	if m.Hidden {
		return []string{"--ro-bind", "/dev/null", m.Path}
	}
	how := "--ro-bind"
	if m.Writable {
		how = "--bind"
	}
	if m.Optional {
		how += "-try"
	}
	return []string{how, m.Path, m.Path}
}

// args is bubblewrap's command line, as far as the program's own.
//
// There is no /proc: none of these programs needs one. What is below /proc/sys belongs to root, and gitd may be root.
// And where a container covers parts of /proc, no other way is needed (docs/decisions/0013-proc-in-a-container.md).
//
// The user inside is not 0, so that bubblewrap's capabilities end with it. Outside it is gitd's own: the files are.
func (r Room) args(info, block, filter int) []string {
	args := []string{
		"--unshare-user", "--unshare-all", "--uid", "1000", "--gid", "1000", "--hostname", "gitd",
		"--die-with-parent", "--new-session", "--as-pid-1", "--cap-drop", "ALL",
		"--info-fd", fmt.Sprint(info), "--block-fd", fmt.Sprint(block), "--seccomp", fmt.Sprint(filter),
		"--dev-bind", "/dev/null", "/dev/null", "--dev-bind", "/dev/urandom", "/dev/urandom",
	}
	args = append(args, System()...)
	for _, m := range r.Mounts {
		args = append(args, m.args()...)
	}
	return append(args, "--remount-ro", "/")
}

// System are bubblewrap's arguments for a read-only system: programs, their libraries, and where these are.
func System() []string {
	args := []string{"--ro-bind", "/usr", "/usr"}
	for _, dir := range []string{"/bin", "/sbin", "/lib", "/lib32", "/lib64"} {
		args = append(args, systemDir(dir)...)
	}
	return append(args, "--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache")
}

// systemDir shows a folder of the root as the host has it: a link on a merged
// /usr, a folder before that.
func systemDir(dir string) []string {
	if target, err := os.Readlink(dir); err == nil {
		return []string{"--symlink", target, dir}
	}
	return []string{"--ro-bind-try", dir, dir}
}

// MostProcesses is how many processes a program may have; threads are counted too. Tools that build side by side start
// one process for each core, of a dozen threads.
func MostProcesses() uint64 { return 512 + 128*uint64(runtime.NumCPU()) }
