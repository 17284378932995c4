// Package sandbox runs one command of an untrusted repository, by bubblewrap:
// a read-only system, only the named folders writable, namespaces of its own
// for users, processes, IPC, host name and network, limits, and a clean
// environment.
//
// It owns the walls and what gets through them. It does not own what is run,
// nor where the network may lead: that is the Egress handler of the caller.
package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/nodeos-dev/gitd/internal/guest"
)

const (
	// hostUID is who a build is on the host when gitd runs as root: without
	// it, a build would be root (without capabilities) to every check of file
	// ownership, those of /proc/sys among them. 30000-59999 is reserved by
	// Debian's policy, and used neither by adduser nor by systemd's dynamic
	// users.
	hostUID = 58420
	// UID is who a build is inside: who its app will be in a machine.
	UID = guest.AppUID

	probeTime = 10 * time.Second
)

// ErrUnavailable says that this host cannot run the sandbox.
var ErrUnavailable = errors.New("builds cannot be sandboxed on this host")

// Sandbox runs commands. It is safe for concurrent use.
type Sandbox struct {
	bwrap string
	self  []string
	cred  *syscall.Credential // nil: as this process
	proc  []string            // what is at /proc inside: ownProc, or outerProc if Probe finds that it must be

	groups *groups // nil: what processes take is counted
}

// Mount shows a folder or file of the host inside.
type Mount struct {
	Host, Inside string
	Writable     bool
}

// Spec is one command and what it may see.
type Spec struct {
	Args   []string // Args[0] is an absolute path inside
	Env    []string // complete
	Dir    string   // inside
	Mounts []Mount  // in order
	Shm    string   // folder of the host that becomes /dev/shm; empty: none
	Output io.Writer
	Egress http.Handler // an HTTP proxy at ProxyURL inside; nil: no network at all

	Memory int64        // bytes that all processes together may have; 0: no limit
	Check  func() error // called every half second; its error ends the command; nil: nothing is called
}

// New finds bubblewrap. self is the argv prefix that runs Main in this
// program.
func New(self []string) (*Sandbox, error) {
	path, err := exec.LookPath("bwrap")
	if err != nil {
		return nil, fmt.Errorf("%w: bubblewrap is not installed (apt install bubblewrap)", ErrUnavailable)
	}
	s := &Sandbox{bwrap: path, self: self, proc: ownProc, groups: findGroups()}
	if os.Geteuid() == 0 {
		s.cred = &syscall.Credential{Uid: hostUID, Gid: hostUID}
	}
	return s, nil
}

// Probe builds a sandbox that shows dir and does nothing in it, and so finds out what can be at /proc inside. It comes
// before the first Run. The error wraps ErrUnavailable and ends with bubblewrap's own words.
func (s *Sandbox) Probe(ctx context.Context, dir string) error {
	err := s.probe(ctx, dir)
	if err == nil {
		return nil
	}
	s.proc = outerProc
	if s.probe(ctx, dir) == nil {
		return nil
	}
	s.proc = ownProc
	return err
}

// Grouped reports whether builds have control groups. Without one, what their processes take is counted.
func (s *Sandbox) Grouped() bool { return s.groups != nil }

// SharesProc reports whether builds see the names and command lines of the processes outside; Probe has found out.
func (s *Sandbox) SharesProc() bool { return slices.Equal(s.proc, outerProc) }

func (s *Sandbox) probe(ctx context.Context, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	args := append(s.wallArgs(), mountArgs(Spec{Mounts: []Mount{{Host: dir, Inside: guest.AppDir}}})...)
	cmd := exec.CommandContext(ctx, s.bwrap, append(args, "--", "/usr/bin/true")...)
	cmd.Env = []string{}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.cred}
	var out bytes.Buffer
	cmd.Stderr = &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%w: %w: %s", ErrUnavailable, err, strings.TrimSpace(out.String()))
	}
	return nil
}

// Owner is the host's user and group that a build runs as: what it shall
// write must belong to them.
func (s *Sandbox) Owner() (uid, gid int) {
	if s.cred != nil {
		return int(s.cred.Uid), int(s.cred.Gid)
	}
	return os.Getuid(), os.Getgid()
}
