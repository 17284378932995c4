package walls

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// Limits are what each process of a program may take. Zero is no limit.
type Limits struct {
	Memory int64         // of its own, in bytes; files that it maps are not counted
	File   int64         // the largest that it may write, in bytes
	CPU    time.Duration // all threads together
}

// set gives a process its limits; those that it starts inherit them. Processes are counted in its user namespace, where
// all of them are its own.
func (l Limits) set(pid int, walled bool) error {
	var processes uint64
	if walled {
		processes = MostProcesses()
	}
	for _, one := range []struct {
		resource int
		max      uint64
	}{
		{unix.RLIMIT_NPROC, processes},
		{unix.RLIMIT_DATA, uint64(l.Memory)},
		{unix.RLIMIT_FSIZE, uint64(l.File)},
		{unix.RLIMIT_CPU, uint64(l.CPU / time.Second)},
	} {
		if one.max == 0 {
			continue
		}
		if err := limit(pid, one.resource, one.max); err != nil {
			return err
		}
	}
	return limit(pid, unix.RLIMIT_CORE, 0)
}

// limit lowers one limit of a process.
func limit(pid, resource int, most uint64) error {
	var now unix.Rlimit
	if err := unix.Prlimit(pid, resource, nil, &now); err != nil {
		return fmt.Errorf("read limit %d: %w", resource, err)
	}
	most = min(most, now.Max)
	if err := unix.Prlimit(pid, resource, &unix.Rlimit{Cur: most, Max: most}, nil); err != nil {
		return fmt.Errorf("set limit %d: %w", resource, err)
	}
	return nil
}

// Process is a program that runs. Wait must be called.
type Process struct {
	cmd  *exec.Cmd
	init Init
	reap chan struct{} // closed by Wait
	done chan struct{} // closed when err is set
	err  error
}

// Run starts a program and waits until it ends.
func (w *Walls) Run(cmd *exec.Cmd, r Room) error {
	p, err := w.Start(cmd, r)
	if err != nil {
		return err
	}
	return p.Wait()
}

// Start starts cmd in r. cmd is as it would be without walls; it is changed. The program ends with this process: to the
// kernel its parent is a thread, so one is kept for it.
func (w *Walls) Start(cmd *exec.Cmd, r Room) (*Process, error) {
	if w.refused != nil {
		return nil, w.refused
	}
	p := &Process{cmd: cmd, init: Init{fd: -1}, reap: make(chan struct{}), done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.start(w.bwrap, r)
		started <- err
		if err != nil {
			return
		}
		<-p.reap
		p.err = cmd.Wait()
		p.init.WaitGone()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// Wait waits until all processes of the program have ended. Its error is that of exec.Cmd's Wait.
func (p *Process) Wait() error {
	close(p.reap)
	<-p.done
	return p.err
}

// start starts the program. Behind walls, it waits at its beginning until it has its limits.
func (p *Process) start(bwrap string, r Room) error {
	if bwrap == "" {
		if err := p.cmd.Start(); err != nil {
			return err
		}
		return p.limited(p.cmd.Process.Pid, r.Limits)
	}
	info, infoIn, infoErr := os.Pipe()
	blockOut, block, blockErr := os.Pipe()
	filter, filterErr := filterFile()
	files := []*os.File{info, infoIn, blockOut, block, filter}
	defer func() {
		for _, f := range files {
			f.Close() // of a nil *os.File it is an error, and no more
		}
	}()
	if err := errors.Join(infoErr, blockErr, filterErr); err != nil {
		return fmt.Errorf("prepare walls: %w", err)
	}
	p.enclose(bwrap, r, infoIn, blockOut, filter)
	if err := p.cmd.Start(); err != nil {
		return err
	}
	infoIn.Close() // so that its end is seen
	if p.init = OpenInit(info); p.init.PID == 0 {
		return nil // bubblewrap has failed, and says why
	}
	return p.limited(p.init.PID, r.Limits)
}

// limited sets limits of a process that has started, or ends it.
func (p *Process) limited(pid int, l Limits) error {
	err := l.set(pid, p.init.PID > 0)
	if err == nil || errors.Is(err, unix.ESRCH) { // it has ended already
		return nil
	}
	err = errors.Join(err, p.cmd.Process.Kill(), p.cmd.Wait())
	p.init.WaitGone()
	return err
}

// enclose makes the command one of bubblewrap.
func (p *Process) enclose(bwrap string, r Room, info, block, filter *os.File) {
	first := 3 + len(p.cmd.ExtraFiles)
	p.cmd.ExtraFiles = append(p.cmd.ExtraFiles, info, block, filter)
	args := append([]string{bwrap}, r.args(first, first+1, first+2)...)
	if p.cmd.Dir != "" {
		args = append(args, "--chdir", p.cmd.Dir)
	}
	args = append(append(args, "--", p.cmd.Path), p.cmd.Args[1:]...)
	p.cmd.Path, p.cmd.Args, p.cmd.Dir = bwrap, args, "/"
}
