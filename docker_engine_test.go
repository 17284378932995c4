package gitd_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// engine is the Docker engine of the room, and what is done with it.
type engine struct {
	t     *testing.T
	begun time.Time
}

func contextUntil(t *testing.T, deadline time.Time) (context.Context, context.CancelFunc) {
	return context.WithDeadline(t.Context(), deadline)
}

// startEngine starts dockerd, which nobody but this room can reach. There is no systemd that would make control groups
// for it, so it makes them itself.
func startEngine(t *testing.T) *engine {
	t.Helper()
	e := &engine{t, time.Now()}
	log, err := os.Create("/run/dockerd.log")
	if err != nil {
		t.Fatal(err)
	}
	ready, notify := listenNotify(t)
	cmd := exec.Command("dockerd", "--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", "/"+os.Getenv("GITD_DOCKER_GROUP"))
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+notify)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt) //nolint:errcheck // its end is waited for
		cmd.Wait()                       //nolint:errcheck // it was told to end
		if t.Failed() {
			e.tell("the engine's last lines", exec.Command("tail", "-n", "20", log.Name()))
		}
	})
	ready()
	e.step(strings.TrimSpace(e.run(nil, "docker", "info", "--format",
		"Docker {{.ServerVersion}}, {{.Driver}}, control groups v{{.CgroupVersion}}")))
	e.step("docker-compose " + strings.TrimSpace(e.compose("version", "--short")))
	return e
}

// listenNotify makes a socket as systemd has it for services, and returns how to wait for READY=1 on it.
func listenNotify(t *testing.T) (wait func(), path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		defer conn.Close()
		conn.SetReadDeadline(time.Now().Add(time.Minute)) //nolint:errcheck // the read says it
		for buf := make([]byte, 4096); ; {
			n, err := conn.Read(buf)
			if err != nil {
				t.Fatal("dockerd did not get ready: ", err)
			}
			if bytes.Contains(buf[:n], []byte("READY=1")) {
				return
			}
		}
	}, path
}

// step says what comes next, and when.
func (e *engine) step(what string) {
	e.t.Helper()
	e.t.Logf("%4.0f s  %s", time.Since(e.begun).Seconds(), what)
}

// run runs a command to its end and returns what it printed.
func (e *engine) run(stdin io.Reader, name string, args ...string) string {
	e.t.Helper()
	cmd := exec.CommandContext(e.t.Context(), name, args...)
	cmd.Stdin = stdin
	var stdout, all bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.MultiWriter(&stdout, &all), &all
	if err := cmd.Run(); err != nil {
		e.t.Fatalf("%s %q: %v\n%s", name, args, err, all.Bytes())
	}
	return stdout.String()
}

func (e *engine) tell(what string, cmd *exec.Cmd) {
	out, err := cmd.CombinedOutput()
	e.t.Logf("%s (%v):\n%s", what, err, out)
}

func (e *engine) compose(args ...string) string {
	e.t.Helper()
	return e.run(nil, "docker-compose", args...)
}

func (e *engine) composeInput(stdin string, args ...string) {
	e.t.Helper()
	e.run(strings.NewReader(stdin), "docker-compose", args...)
}

// container returns the id of gitd's container, also of one that has ended.
func (e *engine) container() string {
	e.t.Helper()
	return strings.TrimSpace(e.run(nil, "docker", "ps", "--all", "--quiet", "--latest"))
}

// makeBases makes the images that the Dockerfile begins with, under the names of the originals: no registry is asked.
// The original golang image has a bookworm with gcc, git and make, too.
func (e *engine) makeBases() {
	e.t.Helper()
	e.step("the images debian:bookworm-slim and golang:1.26-bookworm")
	dockerfile, err := os.ReadFile("Dockerfile")
	if err != nil {
		e.t.Fatal(err)
	}
	from := regexp.MustCompile(`(?m)^FROM (\S+)`).FindAllStringSubmatch(string(dockerfile), -1)
	if len(from) != 2 || from[0][1] != "golang:1.26-bookworm" || from[1][1] != "debian:bookworm-slim" {
		e.t.Fatalf("this test makes other images than those that the Dockerfile begins with: %q", from)
	}
	e.run(nil, "docker", "import", "/bases/debian.tar", "minimal")
	// A company's own certificate authority belongs to the network, not to what somebody installed.
	e.image("debian:bookworm-slim", "/bases/certificates", "FROM minimal\nCOPY . /usr/local/share/ca-certificates/\nCMD [\"bash\"]\n")
	// As one file: Docker reads thousands of them slowly.
	goTar := e.t.TempDir()
	e.run(nil, "tar", "-c", "--exclude=./test", "-f", filepath.Join(goTar, "go.tar"), "-C", "/go", ".")
	e.image("golang:1.26-bookworm", goTar, `FROM debian:bookworm-slim
RUN apt-get -qq update && apt-get -qq install -y --no-install-recommends ca-certificates gcc git libc6-dev make
ADD go.tar /usr/local/go/
ENV PATH=/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin GOTOOLCHAIN=local GOPROXY=`+os.Getenv("GOPROXY")+"\n")
}

// image builds an image from a folder and the text of a Dockerfile.
func (e *engine) image(name, folder, text string) {
	e.t.Helper()
	file := filepath.Join(e.t.TempDir(), "Dockerfile")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		e.t.Fatal(err)
	}
	e.run(nil, "docker", "build", "--quiet", "--tag", name, "--file", file, folder)
}

// waitLine waits for a line of a command that goes on, and then ends the command.
func (e *engine) waitLine(want string, name string, args ...string) {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	pipe, theirs := io.Pipe()
	cmd.Stdout, cmd.Stderr = theirs, theirs
	if err := cmd.Start(); err != nil {
		e.t.Fatal(err)
	}
	go func() { theirs.CloseWithError(cmd.Wait()) }()
	re := regexp.MustCompile(want)
	lines := bufio.NewScanner(pipe)
	for lines.Scan() {
		if re.MatchString(lines.Text()) {
			pipe.Close()
			return
		}
	}
	e.tell("the container's log", exec.Command("docker", "logs", "--tail", "30", e.container()))
	e.t.Fatalf("%s %q ended without %q: %v", name, args, want, lines.Err())
}

// waitHealthy waits until Docker calls the container healthy.
func (e *engine) waitHealthy() {
	e.t.Helper()
	e.waitLine(`health_status: ?healthy`, "docker", "events", "--since", e.begun.Format(time.RFC3339Nano),
		"--filter", "event=health_status", "--filter", "container="+e.container())
}

// waitStarted waits until the machine of an app has been booted after a moment.
func (e *engine) waitStarted(app string, since time.Time) {
	e.t.Helper()
	e.waitLine(`"app":"`+app+`".*"message":"machine started"`, "docker", "logs", "--follow",
		"--since", since.Format(time.RFC3339Nano), e.container())
}

func (e *engine) wantVersion(want string) {
	e.t.Helper()
	if got := e.compose("exec", "-T", "gitd", "gitd", "version"); !strings.Contains(got, want) {
		e.t.Errorf("gitd version says %q, want %s", got, want)
	}
}

// wantCleanEnd: gitd ended by itself, and was not killed after Docker's patience.
func (e *engine) wantCleanEnd() {
	e.t.Helper()
	if code := strings.TrimSpace(e.run(nil, "docker", "inspect", "--format", "{{.State.ExitCode}}", e.container())); code != "0" {
		e.t.Errorf("the container ended with %s", code)
	}
}

// get asks the app, on a connection of its own.
func get(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:8080/", nil)
	if err != nil {
		return "", err
	}
	req.Host = "shop.localhost"
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %.200s", res.Status, body)
	}
	return strings.TrimSpace(string(body)), err
}

func (e *engine) wantAnswer(want string) {
	e.t.Helper()
	if got, err := get(e.t.Context()); err != nil || got != want {
		e.t.Errorf("the app says %q, %v; want %q", got, err, want)
	}
}

// burst sends n requests, of which so many are under way at a time, and wants an answer to each.
func (e *engine) burst(n, atOnce int) {
	e.t.Helper()
	var work sync.WaitGroup
	begun, failed, turn := time.Now(), make(chan error, n), make(chan bool, atOnce)
	for range n {
		work.Go(func() {
			turn <- true
			defer func() { <-turn }()
			if _, err := get(e.t.Context()); err != nil {
				failed <- err
			}
		})
	}
	work.Wait()
	e.t.Logf("        %d of %d failed, in %.1f s", len(failed), n, time.Since(begun).Seconds())
	if len(failed) > 0 {
		e.t.Errorf("%d of %d requests failed, one with: %v", len(failed), n, <-failed)
	}
}

// asking is somebody who asks the app five times a second.
type asking struct {
	e       *engine
	answers chan error
	end     context.CancelFunc
}

func (e *engine) ask() *asking {
	ctx, cancel := context.WithCancel(e.t.Context())
	a := &asking{e, make(chan error), cancel}
	pace := time.NewTicker(200 * time.Millisecond)
	go func() {
		defer pace.Stop()
		for {
			_, err := get(ctx)
			select {
			case a.answers <- err:
			default: // nobody wants to know yet
			}
			select {
			case <-pace.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return a
}

// mustAnswerFromNowOn: the next n requests are answered.
func (a *asking) mustAnswerFromNowOn(n int) {
	a.e.t.Helper()
	defer a.end()
	for i := range n + 1 {
		if err := <-a.answers; err != nil && i > 0 { // the first may have begun earlier
			a.e.t.Errorf("request %d after the start: %v", i, err)
		}
	}
}
