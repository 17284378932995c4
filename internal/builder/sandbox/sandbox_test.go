package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestMain lets the test binary be what gitd is: the program that runs inside
// the sandbox first.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "sandbox" {
		os.Exit(Main(os.Args[2:]))
	}
	if len(os.Args) > 1 && os.Args[1] == "sockets" {
		os.Exit(openSockets())
	}
	os.Exit(m.Run())
}

// shell makes a sandbox with a writable /app and returns how to run a script
// of the host's sh in it.
func shell(t *testing.T) (app string, run func(ctx context.Context, egress http.Handler, script string) (string, error)) {
	t.Helper()
	return shellWith(t, []string{"PATH=/usr/bin:/bin"})
}

// shellWith is shell with an environment.
func shellWith(t *testing.T, env []string) (app string, run func(ctx context.Context, egress http.Handler, script string) (string, error)) {
	t.Helper()
	s, app, shm := probed(t)
	return app, func(ctx context.Context, egress http.Handler, script string) (string, error) {
		var out bytes.Buffer
		err := s.Run(ctx, Spec{
			Args: []string{"/bin/sh", "-c", script}, Env: env, Dir: "/app",
			Mounts: []Mount{{Host: app, Inside: "/app", Writable: true}},
			Shm:    shm, Output: &out, Egress: egress,
		})
		return out.String(), err
	}
}

// probed makes a sandbox that this host can run, or skips the test.
func probed(t *testing.T) (s *Sandbox, app, shm string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s, err = New([]string{self, "sandbox"})
	if err != nil {
		t.Skip(err)
	}
	app, shm = reachable(t, s, "app"), reachable(t, s, "shm")
	if err := s.Probe(t.Context(), app); err != nil {
		t.Skip(err)
	}
	return s, app, shm
}

// reachable makes a folder that belongs to the build's user.
func reachable(t *testing.T, s *Sandbox, name string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	uid, gid := s.Owner()
	if err := os.Chown(path, uid, gid); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestExitCode(t *testing.T) {
	_, run := shell(t)
	out, err := run(t.Context(), nil, "echo hello; exit 7")
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 7 || out != "hello\n" {
		t.Fatalf("got %q, %v; want hello and exit status 7", out, err)
	}
}

// TestWalls holds what a build may not do. Each script must print nothing but
// its last word. What lists open files ends before the next command begins, whose libraries would be among them.
func TestWalls(t *testing.T) {
	_, run := shell(t)
	t.Setenv("GITD_SECRET", "hunter2")
	// libvirt opens the channels of machines so: every child has them.
	channel, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(channel)
	for name, script := range map[string]string{
		"is an ordinary user":           `test "$(id -u)" = 1000`,
		"has no capabilities":           `grep -q "^CapEff:.*0000000000000000$" /proc/self/status`,
		"cannot gain any":               `grep -q "^NoNewPrivs:.*1$" /proc/self/status && ! unshare -Ur true 2>/dev/null`,
		"sees no file of the daemon":    `all=$(ls -l /proc/*/fd 2>/dev/null); ! echo "$all" | grep -v " fd\| /proc/\|pipe:\|/dev/\|eventfd" | grep -- "->"`,
		"sees none of its environment":  `! cat /proc/*/environ 2>/dev/null | grep -q hunter2`,
		"sees no home, root or state":   `! ls /root /home /var /srv /run 2>/dev/null`,
		"sees no password file":         `! cat /etc/shadow /etc/passwd 2>/dev/null`,
		"cannot write to the system":    `! touch /usr/x /etc/x /x /dev/x 2>/dev/null`,
		"cannot set kernel parameters":  `! echo x 2>/dev/null > /proc/sys/kernel/core_pattern`,
		"has only lo":                   `test "$(grep -c : /proc/net/dev)" = 1`,
		"has no terminal":               `! cat 2>/dev/null < /dev/tty`,
		"has a file size limit":         `test "$(ulimit -f)" != unlimited`,
		"has a process limit":           `test "$(ulimit -u 2>/dev/null || grep processes /proc/self/limits | tr -s ' ' | cut -d' ' -f3)" != unlimited`,
		"can write where it should":     `touch /app/x && touch /dev/shm/x && rm /app/x /dev/shm/x`,
		"has a system call filter":      `grep -q "^Seccomp:.*2$" /proc/self/status`,
		"has no socket of the daemon's": `! ls -l /proc/self/fd | grep socket`,
	} {
		t.Run(name, func(t *testing.T) {
			out, err := run(t.Context(), http.NotFoundHandler(), script)
			if err != nil || out != "" {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// TestProcIsItsOwn: where nothing of /proc is covered, a build sees its own processes only.
func TestProcIsItsOwn(t *testing.T) {
	s, _, _ := probed(t)
	if s.SharesProc() {
		t.Skip("this is a container: the kernel allows builds no /proc of their own")
	}
	_, run := shell(t)
	if out, err := run(t.Context(), nil, `test "$(ls /proc | grep -c '^[0-9]*$')" -lt 8`); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestOthersOfItsUser: all builds run as one user of the host. What one of them has in its environment and in its files
// is closed to the others, also where they see its number.
func TestOthersOfItsUser(t *testing.T) {
	s, app, _ := probed(t)
	_, run := shell(t)
	other := exec.CommandContext(t.Context(), "/bin/sleep", "1000")
	other.Env = []string{"SECRET=hunter3"}
	other.Dir = app
	other.SysProcAttr = &syscall.SysProcAttr{Credential: s.cred}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		other.Process.Kill() //nolint:errcheck // its end is waited for
		other.Wait()         //nolint:errcheck // it was killed
	}()
	script := fmt.Sprintf(`! cat /proc/%[1]d/environ 2>/dev/null && ! ls /proc/%[1]d/cwd/ /proc/%[1]d/root/ 2>/dev/null`, other.Process.Pid)
	if out, err := run(t.Context(), nil, script); err != nil || out != "" {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestWallsInContainer: in a container, parts of /proc are covered, and the kernel allows a build no new one. Docker's
// option systempaths=unconfined uncovers them, but docker-compose before version 2 refuses it, and then nothing could
// be built. The walls hold with the /proc that is there.
func TestWallsInContainer(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("/proc can be covered by root only")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// As Docker covers it, and a container's processes are of a user namespace other than a build's.
	const covered = `mount -t tmpfs -o ro covered /proc/acpi 2>/dev/null || mount -t tmpfs -o ro covered /proc/fs
		mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys && exec "$0" "$@"`
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-euc", covered, self, "-test.v", "-test.run", "^Test(Walls|ProcIsItsOwn|OthersOfItsUser|SocketFamilies)$")
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestWalls ") || !strings.Contains(string(out), "--- SKIP: TestProcIsItsOwn ") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestEgressIsTheOnlyWayOut(t *testing.T) {
	_, run := shell(t)
	secret := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "secret") }))
	defer secret.Close()
	proxy := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "asked for "+r.URL.String()) })

	// The proxy answers as long as the build runs, not only at its start.
	out, err := run(t.Context(), proxy, "sleep 0.2; "+getScript(proxyAddr, "http://example.com/"))
	if err != nil || !strings.Contains(out, "asked for http://example.com/") {
		t.Errorf("through the proxy: %q, %v", out, err)
	}
	out, err = run(t.Context(), proxy, getScript(secret.Listener.Addr().String(), "/"))
	if err == nil || strings.Contains(out, "secret") {
		t.Errorf("the host's loopback answered: %q", out)
	}
	out, err = run(t.Context(), nil, getScript(proxyAddr, "http://example.com/"))
	if err == nil {
		t.Errorf("offline, the proxy answered: %q", out)
	}
}

// getScript is an HTTP client in bash, which is on every host that builds.
func getScript(addr, url string) string {
	host, port, _ := net.SplitHostPort(addr)
	return fmt.Sprintf(`bash -c 'exec 9<>/dev/tcp/%s/%s || exit 1; printf "GET %s HTTP/1.0\r\nHost: x\r\n\r\n" >&9; cat <&9'`, host, port, url)
}

// TestNothingOutlivesTheBuild: a process that detaches itself in every way is
// dead when Run returns.
func TestNothingOutlivesTheBuild(t *testing.T) {
	app, run := shell(t)
	const daemon = `setsid sh -c 'while :; do echo x >> /app/alive; done' >/dev/null 2>&1 </dev/null &
		while ! test -s /app/alive; do :; done`
	if out, err := run(t.Context(), nil, daemon); err != nil {
		t.Fatal(err, out)
	}
	before := size(t, app)
	if after := size(t, app); after != before {
		t.Errorf("a process of the build still writes: %d, then %d bytes", before, after)
	}
	if err := os.RemoveAll(app); err != nil {
		t.Error(err)
	}
}

func size(t *testing.T, app string) int64 {
	t.Helper()
	info, err := os.Stat(filepath.Join(app, "alive"))
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func TestCancelKills(t *testing.T) {
	_, run := shell(t)
	proxied := make(chan struct{})
	proxy := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(proxied)
		<-r.Context().Done()
	})
	why := errors.New("took too long")
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := run(ctx, proxy, `trap "" TERM INT HUP; `+getScript(proxyAddr, "/")+`; while :; do sleep 1; done`)
		done <- err
	}()
	<-proxied // the script runs
	cancel(why)
	if err := <-done; !errors.Is(err, why) {
		t.Errorf("got %v, want the cause", err)
	}
}

// TestCancelledAtItsBeginning: bubblewrap's second process waits for the first one to write to it, which never happens
// if that was killed before, and it is not told of its death yet either. It kept the build's output open for ten
// seconds, in which gitd could not say why the push had ended, and stayed for ever.
func TestCancelledAtItsBeginning(t *testing.T) {
	app, run := shell(t)
	for i := range 60 {
		ctx, cancel := context.WithCancel(t.Context())
		stop := time.AfterFunc(time.Duration(i)*500*time.Microsecond, cancel)
		run(ctx, nil, "sleep 60") //nolint:errcheck // it was ended
		stop.Stop()
		cancel()
		if left := naming(t, app); left != "" {
			t.Fatalf("cancelled after %d half milliseconds, this is left: %s", i, left)
		}
	}
}

// naming is the command line of a process that names path; "": there is none.
func naming(t *testing.T, path string) string {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		if b, err := os.ReadFile(line); err == nil && bytes.Contains(b, []byte(path)) {
			return string(bytes.ReplaceAll(b, []byte{0}, []byte{' '}))
		}
	}
	return ""
}

// openSockets runs inside, as this test binary: it fails unless the filter
// lets ordinary sockets through and no others.
func openSockets() int {
	code := 0
	for family, want := range map[int]error{
		unix.AF_UNIX: nil, unix.AF_INET: nil, unix.AF_INET6: nil, unix.AF_NETLINK: nil,
		unix.AF_VSOCK: unix.EAFNOSUPPORT, unix.AF_ALG: unix.EAFNOSUPPORT, unix.AF_PACKET: unix.EAFNOSUPPORT,
	} {
		fd, err := unix.Socket(family, unix.SOCK_DGRAM, 0)
		if !errors.Is(err, want) {
			fmt.Printf("family %d: %v, want %v\n", family, err, want)
			code = 1
		}
		if err == nil {
			unix.Close(fd)
		}
	}
	if _, _, err := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, 0, 0); err != unix.ENOSYS {
		fmt.Println("io_uring:", err)
		code = 1
	}
	// A thread of Go's may not unshare its user namespace; a new process may, if nothing forbids it.
	if pid, _, err := unix.RawSyscall6(unix.SYS_CLONE, unix.CLONE_NEWUSER|uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0); err == 0 {
		if pid == 0 {
			unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0) //nolint:errcheck // it does not return
		}
		fmt.Println("a nested user namespace")
		code = 1
	}
	if _, _, err := unix.Syscall(unix.SYS_CLONE3, 0, 0, 0); err != unix.ENOSYS {
		fmt.Println("clone3:", err)
		code = 1
	}
	return code
}

func TestSocketFamilies(t *testing.T) {
	app, run := shell(t)
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(app, "test"), self, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := run(t.Context(), nil, "./test sockets"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
