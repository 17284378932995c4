package handover

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeos-dev/gitd/internal/fds"
)

// firstFD is the first descriptor of a child that it was started with, beside the standard ones.
const firstFD = 3

// FirstDoor is the descriptor in the next gitd of the first of Start.Doors.
const FirstDoor = firstFD + 2

// Next is the gitd that takes this one's place, as this one sees it.
type Next struct {
	line
	cmd   *exec.Cmd
	ended chan struct{}
	err   error // of its end, when ended is closed
}

// Start is how the next gitd is started. What it logs goes where this one's log goes.
type Start struct {
	Program string
	Args    []string   // without the program's name
	Env     []string   // all of it
	Lock    *os.File   // of the state folder; it stays the caller's
	Doors   []*os.File // they stay the caller's
}

// Begin starts the next gitd.
func Begin(s Start) (*Next, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	theirs := os.NewFile(uintptr(pair[1]), "handover")
	defer theirs.Close()
	l, err := newLine(os.NewFile(uintptr(pair[0]), "handover"))
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(descriptors{Line: firstFD, Lock: firstFD + 1})
	if err != nil {
		return nil, err
	}
	n := &Next{line: *l, ended: make(chan struct{})}
	n.cmd = exec.Command(s.Program, s.Args...)
	n.cmd.Args[0] = "gitd"
	n.cmd.Env = append(s.Env, Var+"="+string(text))
	n.cmd.Stdin, n.cmd.Stdout, n.cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	n.cmd.ExtraFiles = append([]*os.File{theirs, s.Lock}, s.Doors...)
	fds.Keep()
	if err := n.cmd.Start(); err != nil {
		l.conn.Close()
		return nil, err
	}
	go func() {
		n.err = n.cmd.Wait()
		close(n.ended)
	}()
	return n, nil
}

// Prepared waits until the next gitd can begin, and returns its version.
func (n *Next) Prepared(ctx context.Context) (version string, err error) {
	m, err := n.await(ctx.Done(), prepared)
	return m.Version, n.explain(err)
}

// Serving lets the next gitd begin, and waits until it serves.
func (n *Next) Serving(ctx context.Context) error {
	if err := n.enc.Encode(message{Step: begin}); err != nil {
		return n.explain(ErrGone)
	}
	_, err := n.await(ctx.Done(), serving)
	return n.explain(err)
}

// endLimit is how long the end of a process may follow that of its line.
const endLimit = 5 * time.Second

// explain says how the next gitd ended, if it did.
func (n *Next) explain(err error) error {
	if !errors.Is(err, ErrGone) {
		return err
	}
	select {
	case <-n.ended:
		if n.err != nil {
			return fmt.Errorf("it ended with %w; its log says why", n.err)
		}
		return errors.New("it ended by itself; its log says why")
	case <-time.After(endLimit):
		return err
	}
}

// Main says to the next gitd that it is the service.
func (n *Next) Main() error { return n.enc.Encode(message{Step: main}) }

// PID is its number.
func (n *Next) PID() int { return n.cmd.Process.Pid }

// End ends it, whatever it does.
func (n *Next) End() {
	n.cmd.Process.Kill() //nolint:errcheck // it has ended
	<-n.ended
	n.conn.Close()
}

// own is a descriptor that this process was started with, and that nothing which it starts gets.
func own(fd int) *os.File {
	unix.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), "lock")
}
