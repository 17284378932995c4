package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	answerLimit = 2 * time.Minute
	askPause    = 10 * time.Millisecond // between two questions whether the new release answers
	endLimit    = 20 * time.Second
)

// bench is what all parts share.
type bench struct {
	settings
	run    string // folder of this run
	table  table
	gitd   *gitd // the one that the parts push to; growth has others
	spares *gitd
	pushed int // to spares
	plain  *plain
	clones map[string]*clone // by app
	floor  floor             // of hello
	ends   []func() error
}

func prepare(ctx context.Context, s settings) (b *bench, err error) {
	if s.bin, err = filepath.Abs(s.bin); err != nil {
		return nil, err
	}
	b = &bench{settings: s, run: filepath.Join(s.work, "run"), clones: map[string]*clone{}}
	if err := errors.Join(os.RemoveAll(b.run), os.MkdirAll(b.run, 0o755)); err != nil {
		return nil, err
	}
	if err := b.command(ctx, "", "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "bench", "-f", filepath.Join(b.run, "id")); err != nil {
		return nil, err
	}
	return b, nil
}

// stop ends what was started, the last first.
func (b *bench) stop() (err error) {
	for i := range b.ends {
		err = errors.Join(err, b.ends[len(b.ends)-1-i]())
	}
	return err
}

// environment is that of everything that is started: nothing of the caller's but the programs.
func (b *bench) environment() []string {
	ssh := "ssh -F none -o IdentitiesOnly=yes -o IdentityAgent=none -o StrictHostKeyChecking=no -o LogLevel=ERROR" +
		" -o UserKnownHostsFile=/dev/null -i " + filepath.Join(b.run, "id")
	return []string{
		"PATH=" + b.bin + ":/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + b.run, "GIT_SSH_COMMAND=" + ssh, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.org", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.org",
	}
}

// command runs a program in dir, and returns what it said if it fails.
func (b *bench) command(ctx context.Context, dir string, args ...string) error {
	_, err := b.output(ctx, dir, args...)
	return err
}

// output runs a program in dir, and returns its standard output.
func (b *bench) output(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := b.prepared(ctx, dir, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s%s", strings.Join(args, " "), err, out, stderr.String())
	}
	return string(out), nil
}

// prepared is a command with the environment of all. gitd is the one of bin, whatever else the caller has.
func (b *bench) prepared(ctx context.Context, dir string, args ...string) *exec.Cmd {
	program := args[0]
	if program == "gitd" {
		program = filepath.Join(b.bin, program)
	}
	cmd := exec.CommandContext(ctx, program, args[1:]...)
	cmd.Dir, cmd.Env = dir, b.environment()
	return cmd
}

// process is a program that runs until it is told to end.
type process struct {
	*exec.Cmd
	log    string
	exited chan struct{}
}

// start starts a program; what it says goes to a file.
func (b *bench) start(name string, args ...string) (*process, error) {
	p := &process{Cmd: exec.Command(args[0], args[1:]...), log: filepath.Join(b.run, name+".log"), exited: make(chan struct{})}
	log, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p.Stdout, p.Stderr, p.Env = log, log, b.environment()
	p.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.Wait() //nolint:errcheck // how it ended is in its log
		close(p.exited)
	}()
	return p, nil
}

// end ends p and what it has started.
func (p *process) end() error {
	syscall.Kill(-p.Process.Pid, syscall.SIGTERM) //nolint:errcheck // it may have ended
	select {
	case <-p.exited:
		return nil
	case <-time.After(endLimit):
		return errors.Join(fmt.Errorf("%s did not end: %s has what it said", p.Args[0], p.log), syscall.Kill(-p.Process.Pid, syscall.SIGKILL))
	}
}

// freePort is a port of the loopback where nobody listens now.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	at, err := netip.ParseAddrPort(l.Addr().String())
	return int(at.Port()), err
}

// target is where an app answers.
type target struct {
	addr, host string
	// switched waits for the moment from which it is worth asking; nil: from the beginning. Each question before that
	// is answered by the old machine, and on an emulated processor takes time from the new one.
	switched func(ctx context.Context) error
}

var client = http.Client{Timeout: answerLimit, Transport: &http.Transport{DisableKeepAlives: true}}

// get asks once, and returns the body of a good answer.
func (t target) get(ctx context.Context) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+t.addr+"/", nil)
	if err != nil {
		return "", err
	}
	req.Host = t.host
	res, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", res.Status, body)
	}
	return string(body), err
}

// await asks until an answer has text in it.
func (t target) await(ctx context.Context, text string) error {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	if t.switched != nil {
		if err := t.switched(ctx); err != nil {
			return err
		}
	}
	for {
		body, err := t.get(ctx)
		if err == nil && strings.Contains(body, text) {
			return nil
		}
		select {
		case <-time.After(askPause): // there is no event to wait for: this is what a visitor sees
		case <-ctx.Done():
			return fmt.Errorf("no answer with %q: %w; the last was %q", text, errors.Join(ctx.Err(), err), body)
		}
	}
}
