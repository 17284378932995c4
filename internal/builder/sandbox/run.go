package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/net/netutil"
	"golang.org/x/sys/unix"

	"github.com/nodeos-dev/gitd/internal/walls"
)

// The files a sandbox inherits, as exec.Cmd.ExtraFiles numbers them.
const (
	controlFD = 3 // a socket that takes the proxy's listener out
	statusFD  = 4 // a pipe on which bubblewrap tells its child's pid
	selfFD    = 5 // this program
	envFD     = 6 // the command's environment: see sealEnv
	blockFD   = 7 // a pipe on which bubblewrap waits until its control group holds it
)

const (
	maxConns  = 64               // of one build through the proxy at once
	killGrace = 10 * time.Second // for the pipes of a killed build
)

// Run runs spec's command to its end. When it returns, every process of the
// sandbox is gone. The error is an *exec.ExitError when the command failed,
// and wraps the cause of ctx when that ended first.
func (s *Sandbox) Run(ctx context.Context, spec Spec) error {
	// Bubblewrap dies with its parent, and to the kernel that is the thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	self, err := os.Open(s.self[0])
	if err != nil {
		return fmt.Errorf("preparing the sandbox: %w", err)
	}
	defer self.Close()
	p, err := newPipes()
	if err != nil {
		return fmt.Errorf("preparing the sandbox: %w", err)
	}
	defer p.close()
	env, err := sealEnv(spec.Env)
	if err != nil {
		return fmt.Errorf("preparing the sandbox: %w", err)
	}
	defer env.Close()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	cmd := exec.CommandContext(ctx, s.bwrap, s.argv(spec)...)
	// Bubblewrap's own environment can be read inside, as /proc/1/environ: it gets none, and not --clearenv on top of
	// the daemon's.
	cmd.Env = []string{}
	cmd.Stdout, cmd.Stderr = spec.Output, spec.Output
	cmd.ExtraFiles = []*os.File{p.controlIn, p.statusIn, self, env, p.goIn}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.cred}
	walls.Together(cmd)
	cmd.WaitDelay = killGrace
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting the sandbox: %w", err)
	}
	p.controlIn.Close()
	p.statusIn.Close()
	p.goIn.Close()
	return s.supervise(ctx, cmd, p, spec, end)
}

func (s *Sandbox) supervise(ctx context.Context, cmd *exec.Cmd, p *pipes, spec Spec, end context.CancelCauseFunc) error {
	open, shut := context.WithCancel(context.Background())
	served := make(chan struct{})
	go func() {
		defer close(served)
		p.serveEgress(open, spec.Egress)
	}()
	init := walls.OpenInit(p.status)
	g := s.group(spec, init.PID)
	defer g.remove()
	p.ready.Close() // bubblewrap's child reads that, and goes on
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		spec.watch(open, init.PID, g, end)
	}()
	stop := init.EndWith(ctx)
	err := cmd.Wait()
	stop()
	init.WaitGone()
	shut()
	p.close()
	<-served
	<-watched
	if err != nil && ctx.Err() == nil && g.over() { // it ended before it was looked at again
		end(spec.tooMuchMemory())
	}
	if ctx.Err() != nil {
		return fmt.Errorf("the sandbox was ended: %w", context.Cause(ctx))
	}
	// A process that kept the output open beyond its parent's end has been
	// killed with the namespace: that is no failure of the command.
	if errors.Is(err, exec.ErrWaitDelay) {
		return nil
	}
	return err
}

// group makes the control group of a command and puts its first process there, which waits. Without one, what its
// processes take is counted.
func (s *Sandbox) group(spec Spec, pid int) *group {
	if s.groups == nil || spec.Memory == 0 || pid == 0 {
		return nil
	}
	g, err := s.groups.make(spec.Memory, walls.MostProcesses())
	if err != nil {
		return nil
	}
	if g.add(pid) != nil {
		g.remove()
		return nil
	}
	return g
}

// pipes are the host's and the sandbox's ends of what connects them.
type pipes struct {
	control                   *net.UnixConn
	status, ready             *os.File
	controlIn, statusIn, goIn *os.File
}

func newPipes() (*pipes, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "control"), os.NewFile(uintptr(fds[1]), "control")
	defer ours.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		theirs.Close()
		return nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		conn.Close()
		theirs.Close()
		return nil, err
	}
	goIn, ready, err := os.Pipe()
	if err != nil {
		conn.Close()
		theirs.Close()
		return nil, errors.Join(err, r.Close(), w.Close())
	}
	return &pipes{control: conn.(*net.UnixConn), status: r, ready: ready, controlIn: theirs, statusIn: w, goIn: goIn}, nil
}

// close may be called twice.
func (p *pipes) close() {
	p.control.Close()
	for _, f := range []*os.File{p.status, p.ready, p.controlIn, p.statusIn, p.goIn} {
		f.Close()
	}
}

// serveEgress waits for the listener from inside and answers on it until ctx
// ends. The end of the control socket says nothing: nobody inside keeps it.
func (p *pipes) serveEgress(ctx context.Context, h http.Handler) {
	if h == nil {
		return
	}
	l, err := receiveListener(p.control)
	if err != nil {
		return // the command never started; its exit says why
	}
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: time.Minute,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	stop := context.AfterFunc(ctx, func() { srv.Close() })
	defer stop()
	srv.Serve(netutil.LimitListener(l, maxConns)) //nolint:errcheck // always the close above
}

func receiveListener(c *net.UnixConn) (net.Listener, error) {
	buf, oob := make([]byte, 1), make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := c.ReadMsgUnix(buf, oob)
	if err != nil {
		return nil, err
	}
	msgs, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil {
		return nil, err
	}
	if len(msgs) != 1 {
		return nil, errors.New("no listener came out of the sandbox")
	}
	fds, err := unix.ParseUnixRights(&msgs[0])
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fds[0]), "egress")
	defer f.Close()
	return net.FileListener(f)
}
