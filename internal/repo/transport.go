package repo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"sync"
)

// Service is a git transport command that a client may ask for.
type Service string

// The services. Any other is refused, upload-archive included: it reads any path of any commit, and no deployment needs
// it.
const (
	ReceivePack Service = "receive-pack"
	UploadPack  Service = "upload-pack"
)

// protocol matches the values of GIT_PROTOCOL that a client may send.
var protocol = regexp.MustCompile(`^version=[0-2](:[a-z0-9=.-]{1,64}){0,4}$`)

// Call is one run of a service for a client.
type Call struct {
	App      string
	Service  Service
	Protocol string   // the client's GIT_PROTOCOL; dropped unless it is well-formed
	Env      []string // for the hooks

	Quarantine *Quarantine // what a receive-pack fills; of the same app

	In       io.Reader
	Out, Err io.Writer
}

// Serve runs the service and returns its exit status. It does not end with the client: when Out fails because the
// client is gone, the rest of git's output is read and thrown away. Otherwise a receive-pack that is cut off in its
// hook would leave a deployment whose ref never moves.
func (r *Repos) Serve(c Call) (code int, err error) {
	t := task{dir: r.state.Repo(c.App), may: reads, args: []string{string(c.Service), r.state.Repo(c.App)}}
	if c.Service == ReceivePack {
		t.may, t.quarantine = receives, c.Quarantine.dir
	}
	cmd := r.command(context.Background(), t)
	cmd.Env = append(cmd.Env, c.Env...)
	if protocol.MatchString(c.Protocol) {
		cmd.Env = append(cmd.Env, "GIT_PROTOCOL="+c.Protocol)
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return 1, err
	}
	out := &lenient{w: c.Out}
	cmd.Stdout = out
	if c.Service == ReceivePack {
		cmd.Stdout = &unseen{w: out}
	}
	cmd.Stderr = &lenient{w: c.Err}
	git, err := r.walls.Start(cmd, r.room(t))
	if err != nil {
		return 1, fmt.Errorf("git %s: %w", c.Service, err)
	}
	opened := make(chan *opening, 1)
	go func() {
		defer stdin.Close()
		io.Copy(stdin, c.input(opened)) //nolint:errcheck // git sees the end of its input either way
	}()
	code, err = status(git.Wait())
	select {
	case o := <-opened:
		if o.refused() != nil {
			return 1, errors.Join(err, o.refuse(out))
		}
	default: // nothing was pushed, or the client has gone
	}
	return code, err
}

// input is what git reads of the client. For a push, opened gets its opening
// before any of it is read.
func (c Call) input(opened chan<- *opening) io.Reader {
	if c.Service != ReceivePack {
		return c.In
	}
	in := bufio.NewReader(c.In)
	o := readOpening(in)
	opened <- o
	return o.input(in)
}

func status(err error) (int, error) {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return max(exit.ExitCode(), 1), nil
	}
	if err != nil {
		return 1, err
	}
	return 0, nil
}

// lenient is a writer that never fails: after its first error it discards.
type lenient struct {
	mu   sync.Mutex
	w    io.Writer
	gone bool
}

func (l *lenient) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.gone {
		if _, err := l.w.Write(p); err != nil {
			l.gone = true
		}
	}
	return len(p), nil
}
