package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/pkg/sftp"

	"github.com/nodeos-dev/gitd/internal/core"
)

// conn is one SSH connection: OpenSSH's client as a child, with SFTP on its input and output. Further clients come in
// by its control socket, and tell it which doors to carry.
//
// It ends by itself when its input does, also with a gitd that was killed; but what it carries is let end first, so
// that an upgrade cuts no request.
type conn struct {
	*sftp.Client

	target  *Target
	control string
	in      io.Closer // the input of ssh
	stderr  *tail
	done    chan struct{} // closed when the client has ended
}

// options bind the connection to a key that is known, ask nobody, and notice a host that is gone in the time in which
// libvirt's connections do.
var options = []string{
	"-T", "-e", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=20",
	"-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=4", "-o", "ForwardAgent=no", "-o", "ForwardX11=no",
	"-o", "PermitLocalCommand=no", "-o", "ControlPersist=no",
	"-o", "StreamLocalBindUnlink=yes", "-o", "StreamLocalBindMask=0177",
}

// connect logs in. control is the path of the control socket.
func connect(ctx context.Context, t *Target, control string) (*conn, error) {
	c := &conn{target: t, control: control, stderr: &tail{}, done: make(chan struct{})}
	if err := os.Remove(control); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	// ClearAllForwardings: a port that the configuration forwards from there would lead into this host.
	args := append(append([]string{"-o", "ControlMaster=yes", "-o", "ClearAllForwardings=yes", "-S", control}, options...), t.login...)
	cmd := exec.Command(t.program, append(args, "-s", "--", t.Host, "sftp")...)
	cmd.Stderr, cmd.Env = c.stderr, environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a signal of the terminal is for gitd, which ends it
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("ssh: %w; scripts/setup installs it", err)
	}
	kill := context.AfterFunc(ctx, func() { cmd.Process.Kill() }) //nolint:errcheck // it may have ended
	defer kill()
	client, err := sftp.NewClientPipe(out, in, sftp.UseConcurrentWrites(true))
	go func() {
		cmd.Wait() //nolint:errcheck // what it said is in stderr
		close(c.done)
	}()
	if err != nil {
		in.Close()
		<-c.done
		return nil, c.refused(err)
	}
	c.Client, c.in = client, in
	return c, nil
}

// environment is ssh's: what it needs to find its user's configuration and agent, and nothing else of gitd's.
func environment() (env []string) {
	for _, name := range []string{"PATH", "HOME", "USER", "LOGNAME", "SSH_AUTH_SOCK"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// refused says why there is no connection.
func (c *conn) refused(err error) error {
	said := c.stderr.String()
	if said == "" {
		said = err.Error()
	}
	hint := "see whether `ssh " + c.target.Host + " true`, typed as the user that gitd runs as, works without a question"
	switch {
	case strings.Contains(said, "REMOTE HOST IDENTIFICATION HAS CHANGED"):
		said = "its host key is not the one that is known"
		hint = "find out why: another host may answer in its place. Only if the key was changed on purpose: ssh-keygen -R " + c.target.Host + ", then `ssh " + c.target.Host + "` once"
	case strings.Contains(said, "Host key verification failed"):
		said = "its host key is not known"
		hint = "as the user that gitd runs as, type `ssh " + c.target.Host + "` once, and compare the key that it shows"
	case strings.Contains(said, "subsystem request failed"):
		hint = "gitd needs SFTP there: apt install openssh-sftp-server"
	}
	return &core.Rejection{Reason: fmt.Sprintf("no way to the host %s: %s", c.target.Host, said), Hint: hint, Err: errors.Join(ErrAway, err)}
}

// carry opens unix sockets here for those of the other host, by their paths.
func (c *conn) carry(ctx context.Context, doors map[string]string) error {
	return c.tell(ctx, "forward", doors)
}

// uncarry is the opposite of carry.
func (c *conn) uncarry(ctx context.Context, doors map[string]string) error {
	return c.tell(ctx, "cancel", doors)
}

func (c *conn) tell(ctx context.Context, what string, doors map[string]string) error {
	args := append([]string{"-S", c.control, "-O", what}, options...)
	for here, there := range doors {
		args = append(args, "-L", here+":"+there)
	}
	cmd := exec.CommandContext(ctx, c.target.program, append(args, "--", c.target.Host)...)
	cmd.Env = environment()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("the way to a machine on %s: ssh -O %s: %w: %s", c.target.Host, what, err, bytes.TrimSpace(out))
	}
	return nil
}

// close lets the client end, once what it carries has.
func (c *conn) close() { c.in.Close() }

// put copies a file, whole or not at all.
func (c *conn) put(ctx context.Context, to string, from io.Reader, size int64, mode os.FileMode) error {
	part := filepath.Join(filepath.Dir(to), ".new-"+filepath.Base(to))
	f, err := c.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { f.Close() })()
	n, err := f.ReadFromWithConcurrency(from, 0)
	if err == nil && n != size {
		err = fmt.Errorf("%d of %d bytes were copied", n, size)
	}
	if err == nil {
		err = errors.Join(f.Chmod(mode), f.Sync(), f.Close())
	} else {
		f.Close()
	}
	if err != nil {
		return errors.Join(err, context.Cause(ctx))
	}
	return c.PosixRename(part, to)
}

// tail keeps the last of what ssh says.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const mostSaid = 4 << 10

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	t.text = t.text[max(0, len(t.text)-mostSaid):]
	return len(p), nil
}

// String is one line.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(strings.Fields(string(t.text)), " ")
}
