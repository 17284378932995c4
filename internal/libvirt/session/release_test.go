package session

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"libvirt.org/go/libvirt"
)

const (
	releaseRoot = "GITD_TEST_RELEASE_ROOT"
	releaseWho  = "GITD_TEST_RELEASE_WHO"

	hurried = "one that ends as soon as it has begun" // releaseWho
)

// TestRelease: the event loop was in the middle of something when the driver ended. What had been closed just before
// was freed when it came to that: a stream, with it the connection, and with that a driver that was gone. gitd crashed
// in the middle of an upgrade, once in fifteen. The machine goes on, and another process can have it.
func TestRelease(t *testing.T) {
	if root := os.Getenv(releaseRoot); root != "" {
		if os.Getenv(releaseWho) == hurried {
			hurry(t, root)
		} else {
			release(t, root)
		}
		return
	}
	if testing.Short() {
		t.Skip("starts QEMU")
	}
	root, err := os.MkdirTemp("/tmp", "gr") // QEMU's sockets have short names only
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(root)
	if err := os.MkdirAll(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	me := strconv.Itoa(os.Geteuid())
	conf := "stdio_handler = \"file\"\ncgroup_controllers = []\nuser = \"+" + me + "\"\ngroup = \"+" + me + "\"\n"
	if err := os.WriteFile(filepath.Join(root, "etc/qemu.conf"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	var first int
	for _, who := range []string{"the first", hurried, "its successor"} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestRelease$", "-test.timeout=60s")
		cmd.Env = append(os.Environ(), releaseRoot+"="+root, releaseWho+"="+who)
		cmd.Env = append(cmd.Env, "MALLOC_PERTURB_=165") // freed memory is not what it was
		out, err := cmd.CombinedOutput()
		pid := machine(t, root)
		if err != nil {
			t.Fatalf("%s: %v\n%s", who, err, out)
		}
		if first == 0 {
			first = pid
			defer syscall.Kill(pid, syscall.SIGKILL) //nolint:errcheck // it may have ended
		}
		if pid != first {
			t.Errorf("%s has another machine: %d, not %d", who, pid, first)
		}
		if err := syscall.Kill(pid, 0); err != nil {
			t.Errorf("the machine of %s: %v", who, err)
		}
	}
}

// machine is the process of the machine.
func machine(t *testing.T, root string) int {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, "run/qemu/m.pid"))
	if err != nil {
		t.Log(err)
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// hurry lets go while the driver is still finding the machine again, whose QEMU stands still. Without Found, a thread
// of the driver kept QEMU's monitor, and the next gitd waited for it for ever.
func hurry(t *testing.T, root string) {
	qemu := machine(t, root)
	if err := syscall.Kill(qemu, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer syscall.Kill(qemu, syscall.SIGCONT) //nolint:errcheck // it goes on already
	s := connected(t, root)
	found := make(chan error, 1)
	go func() { found <- s.With(context.Background(), Found) }()
	select {
	case err := <-found:
		t.Errorf("the machine is found, though its QEMU does not answer: %v", err)
		found <- err
	case <-time.After(time.Second): // as long as it takes to see that something does not happen
	}
	if err := syscall.Kill(qemu, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	for _, f := range []func() error{func() error { return <-found }, s.Close, Release} {
		if err := f(); err != nil {
			t.Fatal(err)
		}
	}
	threads, err := filepath.Glob("/proc/self/task/*/comm")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range threads {
		if name, _ := os.ReadFile(file); strings.HasPrefix(string(name), "init-") {
			t.Errorf("a thread of the driver is left: %s", name)
		}
	}
}

// connected begins a session, and libvirt's event loop.
func connected(t *testing.T, root string) *Session {
	t.Helper()
	if err := StartEventLoop(zerolog.Nop(), filepath.Join(root, "libvirt.log")); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), Config{
		URI: "qemu:///embed?root=" + root, Log: zerolog.Nop(),
		Lifecycle: func(string, *libvirt.DomainEventLifecycle) {},
		Resume:    func(*Link) error { return nil },
		Lost:      func(string) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// release has a machine with an open channel, and lets go of everything while the event loop is busy.
func release(t *testing.T, root string) {
	s := connected(t, root)
	var stream *libvirt.Stream
	if err := s.With(t.Context(), func(l *Link) (err error) {
		stream, err = open(l)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	busy, free := make(chan struct{}), make(chan struct{})
	begun := false
	if _, err := libvirt.EventAddTimeout(0, func(timer int) {
		if !begun {
			begun = true
			libvirt.EventUpdateTimeout(timer, -1)
			close(busy)
			<-free
		}
	}); err != nil {
		t.Fatal(err)
	}
	<-busy
	for _, f := range []func() error{stream.EventRemoveCallback, stream.Abort, stream.Free, s.Close} {
		if err := f(); err != nil {
			t.Fatal(err)
		}
	}
	released := make(chan error, 1)
	go func() { released <- Release() }()
	select {
	case err := <-released:
		t.Errorf("the driver ended before the loop: %v", err)
		released <- err
	case <-time.After(time.Second): // as long as it takes to see that something does not happen
	}
	close(free)
	if err := <-released; err != nil {
		t.Fatal(err)
	}
	<-loop.ended
}

// open starts the machine unless it runs, and opens its channel.
func open(l *Link) (*libvirt.Stream, error) {
	const port = "org.gitd.test"
	dom, err := l.Conn.LookupDomainByName("m")
	if err != nil {
		dom, err = l.Conn.DomainCreateXML(`<domain type='qemu'><name>m</name><memory unit='MiB'>16</memory>
			<os><type machine='q35'>hvm</type></os><devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
			<channel type='unix'><target type='virtio' name='`+port+`'/></channel>
			<memballoon model='none'/></devices></domain>`, libvirt.DOMAIN_START_PAUSED)
	}
	if err != nil {
		return nil, err
	}
	defer dom.Free() //nolint:errcheck // it is only a handle
	stream, err := l.Stream()
	if err != nil {
		return nil, err
	}
	if err := dom.OpenChannel(port, stream, libvirt.DOMAIN_CHANNEL_FORCE); err != nil {
		return nil, err
	}
	return stream, stream.EventAddCallback(libvirt.STREAM_EVENT_READABLE, func(*libvirt.Stream, libvirt.StreamEventType) {})
}
