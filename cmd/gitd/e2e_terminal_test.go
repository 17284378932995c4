package main

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/creack/pty"
	"github.com/rogpeppe/go-internal/testscript"
)

type followKey struct{}

// follower is a command that runs beside a script. The script waits for its output, and types keys into it if it has a
// terminal.
type follower struct {
	cmd   *exec.Cmd
	keys  io.Writer
	ended chan struct{}

	mu   sync.Mutex
	text strings.Builder
	more chan struct{} // closed and replaced at each new output
}

func followerOf(ts *testscript.TestScript) *follower {
	f, ok := ts.Value(followKey{}).(*holder)
	if !ok || f.follower == nil {
		ts.Fatalf("nothing is followed; begin with `follow COMMAND...` or `terminal COMMAND...`")
	}
	return f.follower
}

// holder holds the follower in a script's values, which cannot be replaced.
type holder struct{ *follower }

// end leaves no process behind, whatever the script did.
func (h *holder) end() {
	if h.follower != nil {
		h.cmd.Process.Kill() //nolint:errcheck // it may have ended
		<-h.ended
	}
}

// Write takes the command's output.
func (f *follower) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.text.Write(p)
	close(f.more)
	f.more = make(chan struct{})
	return len(p), nil
}

func (f *follower) now() (string, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.text.String(), f.more
}

// until waits for output that matches.
func (f *follower) until(ts *testscript.TestScript, pattern string) {
	re, err := regexp.Compile(pattern)
	ts.Check(err)
	limit := time.After(eventLimit)
	for {
		text, more := f.now()
		if re.MatchString(text) {
			return
		}
		select {
		case <-more:
		case <-f.ended:
			if text, _ := f.now(); !re.MatchString(text) {
				ts.Fatalf("it ended before %q:\n%q", pattern, text)
			}
			return
		case <-limit:
			ts.Fatalf("no %q within %s:\n%q", pattern, eventLimit, text)
		}
	}
}

func newFollower(ts *testscript.TestScript, args []string) *follower {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"PATH", "HOME", "WORK", "SSH_PORT", "HTTP_PORT", "GITD_STATE", "KEYS"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	cmd.Env = append(cmd.Env, "TERM=xterm-256color")
	path, err := exec.LookPath(args[0])
	if err != nil {
		for dir := range strings.SplitSeq(ts.Getenv("PATH"), ":") {
			if p, err := exec.LookPath(dir + "/" + args[0]); err == nil {
				path = p
				break
			}
		}
	}
	cmd.Path, cmd.Err = path, nil
	return &follower{cmd: cmd, ended: make(chan struct{}), more: make(chan struct{})}
}

// cmdFollow starts a command beside the script: follow COMMAND...
func cmdFollow(ts *testscript.TestScript, neg bool, args []string) {
	f := newFollower(ts, args)
	f.cmd.Stdout, f.cmd.Stderr = f, f
	ts.Check(f.cmd.Start())
	go func() {
		f.cmd.Wait() //nolint:errcheck // `left` looks at the exit code
		close(f.ended)
	}()
	ts.Value(followKey{}).(*holder).follower = f
}

// cmdTerminal starts a command in a terminal of its own.
func cmdTerminal(ts *testscript.TestScript, neg bool, args []string) {
	f := newFollower(ts, args)
	tty, err := pty.StartWithSize(f.cmd, &pty.Winsize{Rows: 24, Cols: 100})
	ts.Check(err)
	f.keys = tty
	go func() {
		io.Copy(f, tty) //nolint:errcheck // EIO is how a terminal ends
		f.cmd.Wait()    //nolint:errcheck // `left` looks at the exit code
		tty.Close()
		close(f.ended)
	}()
	ts.Value(followKey{}).(*holder).follower = f
}

// cmdShows waits for output of the follower: shows REGEXP.
func cmdShows(ts *testscript.TestScript, neg bool, args []string) {
	followerOf(ts).until(ts, strings.Join(args, " "))
}

// cmdType types into the terminal: type down enter q.
func cmdType(ts *testscript.TestScript, neg bool, args []string) {
	keys := map[string]string{"up": "\x1b[A", "down": "\x1b[B", "enter": "\r", "esc": "\x1b", "^C": "\x03"}
	f := followerOf(ts)
	for _, k := range args {
		if named, ok := keys[k]; ok {
			k = named
		}
		_, err := io.WriteString(f.keys, k)
		ts.Check(err)
	}
}

// cmdResize changes the size of the terminal: resize WIDTH HEIGHT.
func cmdResize(ts *testscript.TestScript, neg bool, args []string) {
	width, err := strconv.ParseUint(args[0], 10, 16)
	ts.Check(err)
	height, err := strconv.ParseUint(args[1], 10, 16)
	ts.Check(err)
	tty, ok := followerOf(ts).keys.(*os.File)
	if !ok {
		ts.Fatalf("what is followed has no terminal")
	}
	ts.Check(pty.Setsize(tty, &pty.Winsize{Rows: uint16(height), Cols: uint16(width)}))
}

// cmdLeft waits for the end of the follower: left EXITCODE. `left killed` kills it.
func cmdLeft(ts *testscript.TestScript, neg bool, args []string) {
	f := followerOf(ts)
	if args[0] == "killed" {
		ts.Check(f.cmd.Process.Kill())
		<-f.ended
		return
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	select {
	case <-f.ended:
	case <-time.After(eventLimit):
		text, _ := f.now()
		ts.Fatalf("it does not end:\n%q", text)
	}
	if got := f.cmd.ProcessState.ExitCode(); got != want {
		text, _ := f.now()
		ts.Fatalf("exit code %d, want %d:\n%q", got, want, text)
	}
}

// cmdJSON checks that the last standard output is JSON, and what it has at a path: json 0.name shop. A number in a path
// is a place in a list; `#` at its end is the length of a list.
func cmdJSON(ts *testscript.TestScript, neg bool, args []string) {
	var v any
	if err := json.Unmarshal([]byte(ts.ReadFile("stdout")), &v); err != nil {
		ts.Fatalf("not JSON: %v\n%s", err, ts.ReadFile("stdout"))
	}
	if len(args) == 0 {
		return
	}
	for part := range strings.SplitSeq(args[0], ".") {
		v = jsonAt(ts, v, part)
	}
	got, ok := v.(string)
	if !ok {
		b, err := json.Marshal(v)
		ts.Check(err)
		got = string(b)
	}
	if len(args) > 1 && (got == args[1]) == neg {
		ts.Fatalf("%s is %q, want %q (%v):\n%s", args[0], got, args[1], !neg, ts.ReadFile("stdout"))
	}
}

func jsonAt(ts *testscript.TestScript, v any, part string) any {
	switch at := v.(type) {
	case map[string]any:
		if inner, ok := at[part]; ok {
			return inner
		}
	case []any:
		if part == "#" {
			return len(at)
		}
		if i, err := strconv.Atoi(part); err == nil && i < len(at) {
			return at[i]
		}
	}
	ts.Fatalf("there is no %s in\n%s", part, ts.ReadFile("stdout"))
	return nil
}
