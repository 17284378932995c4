package sandbox

import (
	"strconv"

	"github.com/nodeos-dev/gitd/internal/walls"
)

const (
	// ProxyURL is where Egress answers inside. The network namespace is the
	// build's own, so the port is always free.
	ProxyURL  = "http://" + proxyAddr
	proxyAddr = "127.0.0.1:3128"
)

// ownProc is a /proc of the build's own, which shows nobody else's processes. Bubblewrap's part of the wall against
// nested user namespaces is beside it, because it writes a number below /proc/sys; the filter has the other part.
var ownProc = []string{"--disable-userns", "--proc", "/proc"}

// outerProc shows the /proc that is there, read-only. The kernel allows a user namespace no other one where parts of
// /proc are covered, as they are in a container. Then a build sees the names and command lines of the container's
// processes. Their environments, files and memory belong to another user namespace, and stay closed.
var outerProc = []string{"--ro-bind", "/proc", "/proc"}

// wallArgs are the walls that every sandbox has.
func (s *Sandbox) wallArgs() []string {
	id := strconv.Itoa(UID)
	args := []string{
		"--unshare-user", "--unshare-all",
		"--uid", id, "--gid", id, "--hostname", "build",
		"--die-with-parent", "--new-session",
	}
	args = append(args, s.proc...)
	args = append(append(args, "--dev", "/dev"), walls.System()...)
	// What compilers, the loader and TLS need of /etc. Host names are resolved
	// by the egress proxy, so there is no resolv.conf.
	for _, path := range []string{"/etc/alternatives", "/etc/ssl/certs", "/etc/ca-certificates"} {
		args = append(args, "--ro-bind-try", path, path)
	}
	return args
}

func mountArgs(spec Spec) []string {
	var args []string
	for _, m := range spec.Mounts {
		how := "--ro-bind"
		if m.Writable {
			how = "--bind"
		}
		args = append(args, how, m.Host, m.Inside)
	}
	// The tmpfs below / and /dev would be memory without a limit.
	if spec.Shm != "" {
		args = append(args, "--bind", spec.Shm, "/dev/shm")
	}
	return append(args, "--remount-ro", "/dev", "--remount-ro", "/")
}

// argv is bubblewrap's whole command line for spec. Secrets have no place in
// it: the build can read it.
//
// This program is started inside by its descriptor: where its file is, the
// build's user may not be allowed to look.
func (s *Sandbox) argv(spec Spec) []string {
	args := append(s.wallArgs(), "--json-status-fd", strconv.Itoa(statusFD), "--block-fd", strconv.Itoa(blockFD))
	args = append(args, mountArgs(spec)...)
	args = append(args, "--chdir", spec.Dir, "--", "/proc/self/fd/"+strconv.Itoa(selfFD))
	args = append(args, s.self[1:]...)
	mode := modeOffline
	if spec.Egress != nil {
		mode = modeProxy
	}
	return append(append(args, mode), spec.Args...)
}
