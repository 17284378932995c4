package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// eventLimit bounds every wait for something that must happen.
const eventLimit = 3 * time.Minute

type daemonKey struct{}

// testDaemon is the gitd of one script. Scripts wait for lines in its log.
type testDaemon struct {
	state string
	home  string // of the ordinary user, if there is one
	cmd   *exec.Cmd
	ended chan struct{}

	mu    sync.Mutex
	lines []string
	more  chan struct{} // closed and replaced at each new line
}

func daemonOf(ts *testscript.TestScript) *testDaemon {
	return ts.Value(daemonKey{}).(*testDaemon)
}

// cmdServe starts gitd and waits until it is ready. A second serve uses the addresses of the first. `serve -user` runs
// gitd as an ordinary user, and `serve -container` as the one program of a container.
func cmdServe(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("unsupported: ! serve")
	}
	d := daemonOf(ts)
	addr := func(name string) string {
		if port := ts.Getenv(name); port != "" {
			return "127.0.0.1:" + port
		}
		return "127.0.0.1:0"
	}
	asUser := len(args) > 0 && args[0] == "-user"
	contained := len(args) > 0 && args[0] == "-container"
	if asUser || contained {
		args = args[1:]
	}
	args = append([]string{"serve", "--log-level", "debug", "--ssh", addr("SSH_PORT"), "--http", addr("HTTP_PORT")}, args...)
	cmd := exec.Command(filepath.Join(bin, "gitd"), args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + d.state, "GITD_STATE=" + d.state}, nothingReady...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if asUser {
		ts.Check(d.becomeUser(cmd))
	}
	if contained {
		inContainer(cmd)
	}
	ts.Setenv("GITD_STATE", d.state)
	ts.Check(d.start(cmd))
	ready := d.wait(ts, `"message":"ready"`)
	var fields struct{ SSH, HTTP string }
	ts.Check(json.Unmarshal([]byte(ready), &fields))
	for name, addr := range map[string]string{"SSH_PORT": fields.SSH, "HTTP_PORT": fields.HTTP} {
		_, port, err := net.SplitHostPort(addr)
		ts.Check(err)
		ts.Setenv(name, port)
	}
	ts.Setenv("REMOTE", "ssh://nodeos@127.0.0.1:"+ts.Getenv("SSH_PORT"))
}

func (d *testDaemon) start(cmd *exec.Cmd) error {
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	d.cmd, d.ended = cmd, make(chan struct{})
	d.mu.Lock()
	d.lines, d.more = nil, make(chan struct{})
	d.mu.Unlock()
	if err := cmd.Start(); err != nil {
		return err
	}
	go d.read(stderr)
	return nil
}

func (d *testDaemon) read(r io.Reader) {
	scan := bufio.NewScanner(r)
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		d.mu.Lock()
		d.lines = append(d.lines, scan.Text())
		close(d.more)
		d.more = make(chan struct{})
		d.mu.Unlock()
	}
	d.cmd.Wait() //nolint:errcheck // scripts look at the log and the exit
	close(d.ended)
}

// find returns the first line that matches, and a channel for the next line.
func (d *testDaemon) find(re *regexp.Regexp) (string, <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range d.lines {
		if re.MatchString(l) {
			return l, nil
		}
	}
	return "", d.more
}

func (d *testDaemon) wait(ts *testscript.TestScript, text string) string {
	re, err := regexp.Compile(text)
	ts.Check(err)
	limit := time.After(eventLimit)
	for {
		line, more := d.find(re)
		if line != "" {
			return line
		}
		select {
		case <-more:
		case <-d.ended:
			if line, _ := d.find(re); line != "" {
				return line
			}
			ts.Fatalf("gitd ended before %q:\n%s", text, d.log())
		case <-limit:
			ts.Fatalf("no %q within %s:\n%s", text, eventLimit, d.log())
		}
	}
}

func (d *testDaemon) log() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.lines, "\n")
}

// becomeUser makes cmd run as an ordinary user with the default state folder. If the tests are not run by root, their
// user is an ordinary one already.
func (d *testDaemon) becomeUser(cmd *exec.Cmd) error {
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + d.state, "XDG_STATE_HOME=" + filepath.Dir(d.state)}
	if os.Geteuid() != 0 {
		return nil
	}
	const nobody = 65534
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody, NoSetGroups: false}
	// The warm files are hard links that other scripts share, so the user gets copies.
	home, err := os.MkdirTemp("/tmp", "gu")
	if err != nil {
		return err
	}
	d.home = home
	state := filepath.Join(home, "gitd")
	if out, err := exec.Command("cp", "-r", d.state, state).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	if out, err := exec.Command("chown", "-R", strconv.Itoa(nobody), home).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	if err := os.RemoveAll(d.state); err != nil {
		return err
	}
	d.state = state
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "XDG_STATE_HOME=" + home}
	return nil
}

// cmdKill9 kills the daemon at once, as a power cut would.
func cmdKill9(ts *testscript.TestScript, neg bool, _ []string) {
	d := daemonOf(ts)
	ts.Check(d.cmd.Process.Kill())
	<-d.ended
}

// cmdHalt stops the machines and the daemon, and waits for its end.
func cmdHalt(ts *testscript.TestScript, neg bool, _ []string) {
	d := daemonOf(ts)
	ts.Check(ts.Exec("gitd", "halt"))
	d.awaitEnd(ts)
}

// cmdWaitLog waits until the daemon has logged a text.
func cmdWaitLog(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: waitlog TEXT")
	}
	daemonOf(ts).wait(ts, args[0])
}

// cmdLogged waits for a line in the log and stores what the group of the expression matched in a variable: logged NAME
// REGEXP.
func cmdLogged(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: logged NAME REGEXP")
	}
	line := daemonOf(ts).wait(ts, args[1])
	ts.Setenv(args[0], regexp.MustCompile(args[1]).FindStringSubmatch(line)[1])
}

// cmdKillPush starts a command, waits for a line in the log, and kills the
// command with everything it started: killpush REGEXP COMMAND...
func cmdKillPush(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: killpush REGEXP COMMAND...")
	}
	cmd := exec.Command(args[1], args[2:]...)
	cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"PATH", "HOME", "GIT_SSH_COMMAND", "GIT_CONFIG_NOSYSTEM"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	ts.Check(cmd.Start())
	daemonOf(ts).wait(ts, args[0])
	ts.Check(syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL))
	cmd.Wait() //nolint:errcheck // it was killed
}

// cmdCopyApp makes a git repository from a starter app: copyapp hello DIR.
func cmdCopyApp(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: copyapp STARTER DIR")
	}
	from, err := filepath.Abs(filepath.Join("..", "..", "templates", "apps", args[0]))
	ts.Check(err)
	dir := ts.MkAbs(args[1])
	ts.Check(os.CopyFS(dir, os.DirFS(from)))
	for _, line := range []string{"init -q -b main", "add .", "commit -q -m first"} {
		ts.Check(ts.Exec("git", append([]string{"-C", dir}, strings.Fields(line)...)...))
	}
}

// cmdMachines waits until so many machines of this script's gitd run. It counts QEMU processes and does not ask the
// ledger. It waits, because the machine that a deployment has replaced is stopped after the client has its answer.
func cmdMachines(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	d := daemonOf(ts)
	for limit := time.Now().Add(eventLimit); ; {
		got := d.qemus()
		if len(got) == want {
			return
		}
		if time.Now().After(limit) {
			ts.Fatalf("for %s, %d machines have run, want %d: %v", eventLimit, len(got), want, got)
		}
		time.Sleep(20 * time.Millisecond) // the end of a process writes no line
	}
}

// qemus finds the QEMU processes whose files are in this state folder.
func (d *testDaemon) qemus() []int {
	var pids []int
	dirs, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range dirs {
		text, err := os.ReadFile(f)
		if err == nil && strings.Contains(string(text), "qemu-system") && strings.Contains(string(text), d.state+"/") {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(f)))
			pids = append(pids, pid)
		}
	}
	return pids
}

// cleanup leaves no process and no file behind, whatever the script did.
func (d *testDaemon) cleanup() {
	if d.cmd != nil {
		d.cmd.Process.Kill() //nolint:errcheck // it may have ended
		<-d.ended
	}
	for _, pid := range d.qemus() {
		syscall.Kill(pid, syscall.SIGKILL) //nolint:errcheck // it may have ended
	}
	os.RemoveAll(d.state)
	if d.home != "" {
		os.RemoveAll(d.home)
	}
}
