package jail

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/nodeos-dev/gitd/internal/admit"
	"github.com/nodeos-dev/gitd/internal/fds"
	"golang.org/x/sys/unix"
)

// Network carries the frames of a machine's network card, and takes connections at its doors, until ctx ends or QEMU
// does.
type Network func(ctx context.Context, frames net.Conn, d Doors) error

// Doors are where gitd reaches a machine. Each may be nil.
type Doors struct {
	App     net.Listener // the app's port
	Ports   net.Listener // any port
	Control net.Listener // the network's policy
}

// Supervise is the second stage: it starts QEMU behind the walls, gives away its rights, and carries QEMU's network
// until QEMU ends. It returns QEMU's exit code. In it, this process is the root of the machine's user namespace, if
// there is one.
//
// It is QEMU's parent, and the process that libvirt knows: QEMU ends with it, and libvirt's signals go on to QEMU.
func Supervise(s *Spec, self string, args []string, network Network) (int, error) {
	runtime.LockOSThread() // QEMU ends with the thread that started it
	// What libvirt meant for QEMU: this process has opened nothing yet that a program after it may have.
	inherited, err := fds.Inheritable()
	if err != nil {
		return 0, err
	}
	doors, err := s.listen()
	if err != nil {
		return 0, err
	}
	if err := s.admitQEMU(); err != nil {
		return 0, err
	}
	var frames net.Conn
	if s.Bridged {
		network = func(ctx context.Context, _ net.Conn, _ Doors) error { <-ctx.Done(); return ctx.Err() }
	} else {
		var theirs int
		if frames, theirs, err = framesPair(); err != nil {
			return 0, err
		}
		defer frames.Close()
		inherited = append(inherited, theirs)
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, unix.SIGTERM, unix.SIGINT)
	pid, err := s.start(self, args)
	for _, fd := range inherited {
		unix.Close(fd)
	}
	if err != nil {
		return 0, err
	}
	if err := s.dropRights(); err != nil {
		return 0, errors.Join(err, unix.Kill(pid, unix.SIGKILL))
	}
	go func() {
		for sig := range signals {
			unix.Kill(pid, sig.(syscall.Signal)) //nolint:errcheck // it may have ended
		}
	}()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- network(ctx, frames, doors) }()
	code, err := wait(pid)
	stop()
	if netErr := <-done; netErr != nil && !errors.Is(netErr, context.Canceled) {
		fmt.Fprintf(os.Stderr, "gitd-machine: the network ended: %v\n", netErr)
	}
	return code, err
}

// framesPair returns both ends of the wire between QEMU's network card and this process. QEMU's is at FramesFD.
func framesPair() (ours net.Conn, theirs int, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, 0, fmt.Errorf("the machine's network: %w", err)
	}
	defer unix.Close(fds[1])
	if err := unix.Dup3(fds[1], FramesFD, 0); err != nil {
		unix.Close(fds[0])
		return nil, 0, fmt.Errorf("the machine's network: %w", err)
	}
	file := os.NewFile(uintptr(fds[0]), "frames")
	defer file.Close() // FileConn has a copy
	ours, err = net.FileConn(file)
	return ours, FramesFD, err
}

// start runs the third stage in namespaces of its own. Descriptors from libvirt go along: they are not closed at an
// exec.
func (s *Spec) start(self string, args []string) (int, error) {
	attr := &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS}
	if s.Single() {
		attr.Cloneflags |= unix.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}}
		attr.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN}
	}
	env := environ(StageInside)
	pid, err := syscall.ForkExec(self, append([]string{self}, args...), &syscall.ProcAttr{
		Env: env, Files: []uintptr{0, 1, 2}, Sys: attr,
	})
	if err != nil {
		return 0, fmt.Errorf("the machine's namespaces: %w", err)
	}
	return pid, nil
}

// listen opens the doors of the machine's network, while this process still has the rights to.
func (s *Spec) listen() (d Doors, err error) {
	if d.App, err = s.door(s.App); err != nil {
		return d, err
	}
	if d.Ports, err = s.door(s.Ports); err != nil {
		return d, err
	}
	d.Control, err = s.door(s.Control)
	return d, err
}

func (s *Spec) door(name string) (net.Listener, error) {
	if name == "" {
		return nil, nil // a machine to which nobody connects has no door
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("the machine's door: %w", err)
	}
	if name[0] == '@' {
		return &onlyPeer{UnixListener: l, uid: s.Peer}, nil
	}
	l.SetUnlinkOnClose(false)
	return l, os.Chmod(name, 0o600)
}

// onlyPeer lets in one user and root. An abstract name has no owner and no mode, and every process of the host sees it.
type onlyPeer struct {
	*net.UnixListener
	uid int
}

// Accept implements net.Listener.
func (l *onlyPeer) Accept() (net.Conn, error) {
	for {
		c, err := l.AcceptUnix()
		if err != nil {
			return nil, err
		}
		if uid, err := admit.PeerUID(c); err == nil && (uid == 0 || uid == l.uid) {
			return c, nil
		}
		c.Close()
	}
}

// wait returns the exit code of QEMU, as a shell would.
func wait(pid int) (int, error) {
	var ws unix.WaitStatus
	for {
		_, err := unix.Wait4(pid, &ws, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return 0, fmt.Errorf("the machine's end: %w", err)
		case ws.Signaled():
			return 128 + int(ws.Signal()), nil
		}
		return ws.ExitStatus(), nil
	}
}
