package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// command is a program to start.
type command struct {
	args     []string
	env      []string
	dir      string
	input    *os.File // nil: none
	terminal *os.File // in the place of input and outputs; nil: none
}

// process is a started program. Its output ends when every process that holds it has ended.
type process struct {
	pid     int
	started time.Duration // since the kernel's start
	output  []*os.File    // read ends: stdout, stderr; of a program on a terminal, none
	code    *firstOpen    // of the app's own files
}

// launcher starts programs from a thread of its own, which has given up all privileges that a process can pass on. A
// program cannot regain what it did not inherit.
type launcher struct {
	requests chan func()
}

// newLauncher returns a launcher after its thread is confined.
func newLauncher() (*launcher, error) {
	l := &launcher{requests: make(chan func())}
	ready := make(chan error)
	go func() {
		// The runtime does not make other threads from a locked one, so the
		// confinement stays here and in the children.
		runtime.LockOSThread()
		ready <- errors.Join(confineThread(), filterCalls())
		for f := range l.requests {
			f()
		}
	}()
	return l, <-ready
}

// confineThread sets no_new_privs and empties the bounding set: a set-user-ID bit or a capability in an image then has
// no effect.
func confineThread() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	for c := uintptr(0); ; c++ {
		err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0)
		if errors.Is(err, unix.EINVAL) && c > unix.CAP_CHOWN {
			return nil // past the last capability that this kernel knows
		}
		if err != nil {
			return fmt.Errorf("drop capability %d: %w", c, err)
		}
	}
}

// start starts c in a session of its own. id is both its user and its group.
func (l *launcher) start(c command, id uint32) (*process, error) {
	path, args, err := resolve(c.args, c.env, c.dir)
	if err != nil {
		return nil, err
	}
	files, own, output, err := c.files(int(id))
	defer closeAll(own)
	if err != nil {
		return nil, err
	}
	p := &process{code: watchFirstOpen(c.dir), started: sinceBoot(), output: output}
	done := make(chan struct{})
	l.requests <- func() {
		defer close(done)
		p.pid, err = syscall.ForkExec(path, args, &syscall.ProcAttr{
			Dir: c.dir, Env: c.env, Files: []uintptr{files[0].Fd(), files[1].Fd(), files[2].Fd()},
			Sys: &syscall.SysProcAttr{
				Setsid: true, Setctty: c.terminal != nil, Credential: &syscall.Credential{Uid: id, Gid: id},
			},
		})
	}
	<-done
	if err != nil {
		p.code.close()
		closeAll(p.output)
		return nil, fmt.Errorf("%s: %w", args[0], err)
	}
	return p, nil
}

// files are the standard streams of a program, those of them that are its own, and what its outputs are read from.
func (c command) files(id int) (files, own, output []*os.File, err error) {
	if t := c.terminal; t != nil {
		return []*os.File{t, t, t}, nil, nil, nil
	}
	if files = []*os.File{c.input}; c.input == nil {
		if files[0], err = os.Open(os.DevNull); err != nil {
			return nil, nil, nil, err
		}
		own = append(own, files[0])
	}
	for range 2 {
		r, w, pipeErr := os.Pipe()
		if pipeErr != nil {
			return nil, own, output, errors.Join(err, pipeErr)
		}
		// A pipe belongs to who made it, and /dev/stdout opens the pipe anew.
		err = errors.Join(err, w.Chown(id, id))
		files, own, output = append(files, w), append(own, w), append(output, r)
	}
	return files, own, output, err
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// resolve finds the program that args name, as a shell would, in the PATH of env. Programs from npm name their
// interpreter as "/usr/bin/env node". Node is started with the script, by its path, as it is for any other file.
func resolve(args, env []string, dir string) (path string, argv []string, err error) {
	if len(args) == 0 || args[0] == "" {
		return "", nil, errors.New("no program to start")
	}
	path, err = lookPath(args[0], env, dir)
	if err != nil {
		return "", nil, err
	}
	if !isNodeScript(path) {
		return path, args, nil
	}
	node, err := lookPath("node", env, dir)
	if err != nil {
		return "", nil, fmt.Errorf("%s is a script for node: %w", args[0], err)
	}
	return node, append([]string{node, path}, args[1:]...), nil
}

func lookPath(name string, env []string, dir string) (string, error) {
	if strings.Contains(name, "/") {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		return name, checkExecutable(name)
	}
	for _, folder := range filepath.SplitList(lookup(env, "PATH")) {
		path := filepath.Join(folder, name)
		if filepath.IsAbs(path) && checkExecutable(path) == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s: not found in PATH (%s)", name, lookup(env, "PATH"))
}

func checkExecutable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
		return fmt.Errorf("%s: is not executable", path)
	}
	return nil
}

func lookup(env []string, name string) string {
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			return v
		}
	}
	return ""
}

// isNodeScript reports whether the file begins with "#!/usr/bin/env node".
func isNodeScript(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	var head [64]byte
	n, err := f.Read(head[:])
	if err != nil {
		return false
	}
	line, _, _ := strings.Cut(string(head[:n]), "\n")
	interpreter, ok := strings.CutPrefix(strings.TrimSpace(line), "#!")
	return ok && strings.Join(strings.Fields(interpreter), " ") == "/usr/bin/env node"
}
