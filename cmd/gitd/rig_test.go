package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// rig is a gitd with a warm base, a key that may push, and what tests in Go need to use it as people do.
type rig struct {
	t       *testing.T
	program string   // the gitd to run
	state   string   // its state folder
	work    string   // repositories, keys
	args    []string // further flags of serve
	daemon  []string // further environment variables of serve
	env     []string // the environment of git and ssh
	journal
	observer  observer // gets nothing unless observed was called
	cmd       *exec.Cmd
	ended     chan struct{}
	ssh, http string // addresses; they stay the same from one start to the next
}

// newRig makes a state folder and starts nothing. The folder is made below parent; empty: /tmp. The path must be short
// because of the sockets below it.
func newRig(t *testing.T, program, parent string, args ...string) *rig {
	t.Helper()
	return newRigOf(t, t, program, parent, args...)
}

// newRigOf makes a rig that lasts as long as owner, for the test t inside of owner.
func newRigOf(t, owner *testing.T, program, parent string, args ...string) *rig {
	t.Helper()
	warm, base := warmBase(t)
	state, err := os.MkdirTemp(cmp.Or(parent, "/tmp"), "gr")
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, program: program, state: state, work: owner.TempDir(), args: args, journal: journal{newFeed[string]()}, observer: observer{newFeed[core.Transition]()}, ssh: "127.0.0.1:0", http: "127.0.0.1:0"}
	owner.Cleanup(r.cleanup)
	if err := os.Chmod(state, 0o711); err != nil {
		t.Fatal(err)
	}
	r.warm(warm, base, parent != "")
	if err := keygen(r.work, "id"); err != nil {
		t.Fatal(err)
	}
	r.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + r.work, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.org",
		"GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.org",
		"GIT_SSH_COMMAND=ssh " + sshOptions(r.work) + " -i " + r.work + "/id",
	}
	return r
}

// warm takes a base, Node and npm from another state folder: as links, or as copies if this state is on a file system
// of its own.
func (r *rig) warm(from, base string, copies bool) {
	r.t.Helper()
	how := "-al"
	if copies {
		how = "-a"
	}
	if err := os.Mkdir(filepath.Join(r.state, "bases"), 0o711); err != nil {
		r.t.Fatal(err)
	}
	r.must(exec.Command("cp", how, filepath.Join(from, "bases", base), filepath.Join(r.state, "bases")))
	// A libvirtd gives the kernel to its QEMU's user and notes that on the file: it cannot be that of another rig too.
	kernel := filepath.Join("bases", base, "kernel")
	r.must(exec.Command("cp", "--remove-destination", filepath.Join(from, kernel), filepath.Join(r.state, kernel)))
	r.must(exec.Command("cp", how, filepath.Join(from, "cache"), r.state))
}

// must runs a short command and returns what it printed.
func (r *rig) must(cmd *exec.Cmd) string {
	r.t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return string(out)
}

// nothingReady has tests count the machines that serve alone, and leaves these the processors. A test of others gives
// --spares or --keep-warm.
var nothingReady = []string{"GITD_SPARES=0", "GITD_KEEP_WARM=0"}

// serve starts gitd and waits until it is ready.
func (r *rig) serve() {
	r.t.Helper()
	// A boot may take long on a busy machine that emulates.
	args := append([]string{"serve", "--log-level", "debug", "--boot-timeout", "5m", "--ssh", r.ssh, "--http", r.http}, r.args...)
	cmd := exec.Command(r.program, args...)
	cmd.Env = slices.Concat([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + r.state, "GITD_STATE=" + r.state}, nothingReady, r.daemon)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	mark := r.mark()
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.cmd, r.ended = cmd, make(chan struct{})
	ended := r.ended
	go func() {
		r.read(stderr)
		cmd.Wait() //nolint:errcheck // it may be killed
		close(ended)
	}()
	ready, err := r.journal.ready(mark, r.ended)
	if err != nil {
		r.t.Fatalf("%v\n%s", err, r.tail(50))
	}
	var fields struct{ SSH, HTTP string }
	if err := json.Unmarshal([]byte(ready), &fields); err != nil {
		r.t.Fatal(err)
	}
	r.ssh, r.http = fields.SSH, fields.HTTP
}

// observed sends gitd's transitions to the test, for as long as owner lasts. The program must be that of pausingGitd.
func (r *rig) observed(owner *testing.T) {
	socket := r.state + ".observer"
	r.observer.listen(owner, socket)
	r.daemon = append(r.daemon, "GITD_TEST_OBSERVER="+socket)
}

// kill kills gitd, as a power cut would.
func (r *rig) kill() {
	r.t.Helper()
	if err := r.cmd.Process.Kill(); err != nil {
		r.t.Fatal(err)
	}
	<-r.ended
}

// alive reports whether gitd runs.
func (r *rig) alive() bool {
	select {
	case <-r.ended:
		return false
	default:
		return true
	}
}

// halt stops the machines and gitd.
func (r *rig) halt() {
	r.t.Helper()
	r.gitd("halt")
	<-r.ended
}

// gitd runs a command on the host.
func (r *rig) gitd(args ...string) string {
	r.t.Helper()
	out, err := r.try(args...)
	if err != nil {
		r.t.Fatalf("%v\n%s", err, r.tail(30))
	}
	return out
}

func (r *rig) try(args ...string) (string, error) {
	cmd := exec.Command(r.program, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "GITD_STATE=" + r.state}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("gitd %s: %w: %s", strings.Join(args, " "), err, stderr.String())
	}
	return stdout.String(), nil
}

// admit lets the rig's key in.
func (r *rig) admit() {
	r.t.Helper()
	cmd := exec.Command(r.program, "keys:add", "ada", "--admin")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "GITD_STATE=" + r.state}
	key, err := os.Open(filepath.Join(r.work, "id.pub"))
	if err != nil {
		r.t.Fatal(err)
	}
	defer key.Close()
	cmd.Stdin = key
	r.must(cmd)
}

// repo makes the working copy app from a folder of files, with one commit.
func (r *rig) repo(app, from string) {
	r.t.Helper()
	dir := filepath.Join(r.work, app)
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		r.t.Fatal(err)
	}
	r.git(app, "init", "-q", "-b", "main")
	r.git(app, "remote", "add", "nodeos", "ssh://nodeos@"+r.ssh+"/"+app)
	r.git(app, "add", ".")
	r.git(app, "commit", "-qm", "first")
}

// git runs git in a working copy.
func (r *rig) git(app string, args ...string) string {
	r.t.Helper()
	return r.must(r.gitCommand(app, args...))
}

func (r *rig) gitCommand(app string, args ...string) *exec.Cmd {
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env = filepath.Join(r.work, app), slices.Clone(r.env)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that a kill reaches its ssh too
	return cmd
}

// edit writes files of a working copy and commits them.
func (r *rig) edit(app, message string, files map[string]string) {
	r.t.Helper()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(r.work, app, name), []byte(text), 0o644); err != nil {
			r.t.Fatal(err)
		}
	}
	r.git(app, "add", ".")
	r.git(app, "commit", "-qm", message)
}

// client returns a client for HTTP requests to apps. Its connections are kept, or each is for one request only.
func (r *rig) client(keep bool) *http.Client {
	tr := &http.Transport{DisableKeepAlives: !keep, MaxIdleConnsPerHost: 64}
	r.t.Cleanup(tr.CloseIdleConnections)
	tr.DialContext = (&net.Dialer{Timeout: 10 * time.Second}).DialContext
	return &http.Client{Transport: tr, Timeout: eventLimit}
}

// request makes a request for an app, by its name, at the front door.
func (r *rig) request(method, app, path string, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequest(method, "http://"+r.http+path, body)
	if err == nil {
		req.Host = app + ".localhost"
	}
	return req, err
}

// get returns the status and the body of an answer.
func (r *rig) get(c *http.Client, app, path string) (int, string, error) {
	req, err := r.request(http.MethodGet, app, path, nil)
	if err != nil {
		return 0, "", err
	}
	res, err := c.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), err
}

// pid is the number of the gitd that has the state folder: the one that was started, or one that took its place; 0 if
// that is not known.
func (r *rig) pid() int {
	text, err := os.ReadFile(lockFile(core.StateDir(r.state)))
	if err != nil {
		return 0
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return pid
}

// process is one process of the host.
type process struct {
	pid  int
	name string
	line string // its arguments
}

// processes returns the processes that have this gitd's state folder in their arguments or work in it: QEMU, git and
// builds, but not gitd itself.
func (r *rig) processes() []process {
	var found []process
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range all {
		pid, _ := strconv.Atoi(filepath.Base(dir))
		if pid == r.cmd.Process.Pid || pid == r.pid() || pid == os.Getpid() {
			continue
		}
		text, err := os.ReadFile(dir + "/cmdline")
		if err != nil || len(text) == 0 {
			continue // it has ended
		}
		cwd, _ := os.Readlink(dir + "/cwd")
		line := strings.ReplaceAll(string(text), "\x00", " ")
		if strings.Contains(line, r.state+"/") || strings.HasPrefix(cwd, r.state+"/") {
			name, _, _ := strings.Cut(string(text), "\x00")
			found = append(found, process{pid, filepath.Base(name), line})
		}
	}
	return found
}

// qemus returns the machines that run: the processes of QEMU, whatever gitd believes.
func (r *rig) qemus() []process {
	var found []process
	for _, p := range r.processes() {
		if strings.HasPrefix(p.name, "qemu-system") {
			found = append(found, p)
		}
	}
	return found
}

// eventually waits until check returns nil. It checks after each line of the log, and every 20 ms, because the end of a
// process writes no line.
func (r *rig) eventually(check func() error) error {
	limit := time.After(eventLimit)
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-r.journal.next():
		case <-time.After(20 * time.Millisecond):
		case <-limit:
			return fmt.Errorf("for %s: %w", eventLimit, err)
		}
	}
}

// cleanup leaves no process and no file behind, whatever the test did.
func (r *rig) cleanup() {
	r.observer.freeAll()
	if r.cmd != nil {
		r.cmd.Process.Kill() //nolint:errcheck // it may have ended
		if pid := r.pid(); pid != 0 && pid != r.cmd.Process.Pid {
			syscall.Kill(pid, syscall.SIGKILL) //nolint:errcheck // the gitd that took its place may have ended
		}
		<-r.ended
		for _, p := range r.processes() {
			syscall.Kill(p.pid, syscall.SIGKILL) //nolint:errcheck // it may have ended
		}
	}
	os.RemoveAll(r.state)
	os.RemoveAll(r.state + "-image")
}

// push is a git push that was started.
type push struct {
	cmd  *exec.Cmd
	out  *lines
	done chan struct{}
	err  error // set when done is closed
}

// lines collects output. What has come so far can be read at any time.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// push starts a git push of refs.
func (r *rig) push(app string, refs ...string) *push {
	r.t.Helper()
	return r.start(r.gitCommand(app, append([]string{"push", "nodeos"}, refs...)...))
}

// start starts a git command, which runs beside the test.
func (r *rig) start(cmd *exec.Cmd) *push {
	r.t.Helper()
	p := &push{cmd: cmd, out: &lines{}, done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if err := p.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p
}

// kill kills the client with its ssh.
func (p *push) kill() {
	syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) //nolint:errcheck // it may have ended
	<-p.done
}
