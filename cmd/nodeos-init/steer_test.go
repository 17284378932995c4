package main

import (
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// inNetwork runs the test f in a process with a network of its own, where steering disturbs nobody.
func inNetwork(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs root, and a kernel with BPF")
	}
	const inside = "NODEOS_INIT_TEST_NETWORK"
	if os.Getenv(inside) != "" {
		links, err := netlink.LinkList()
		if err != nil || len(links) == 0 {
			t.Fatal(links, err)
		}
		if err := netlink.LinkSetUp(links[0]); err != nil {
			t.Fatal(err)
		}
		f(t)
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+regexp.QuoteMeta(t.Name())+"$", "-test.v", "-test.timeout=1m")
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()+" ") {
		t.Errorf("%v\n%s", err, out)
	}
}

func listen(t *testing.T, address string, options ...func(fd int) error) net.Listener {
	t.Helper()
	at := netip.MustParseAddrPort(address)
	family, sa := unix.AF_INET, unix.Sockaddr(&unix.SockaddrInet4{Port: int(at.Port())})
	if at.Addr().Is4() {
		sa.(*unix.SockaddrInet4).Addr = at.Addr().As4()
	} else {
		family, sa = unix.AF_INET6, &unix.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	// As libuv has it.
	reuse := func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) }
	for _, set := range append([]func(fd int) error{reuse}, append(options, func(fd int) error { return unix.Bind(fd, sa) }, func(fd int) error { return unix.Listen(fd, 8) })...) {
		if err := set(fd); err != nil {
			t.Fatalf("%s: %v", address, err)
		}
	}
	f := os.NewFile(uintptr(fd), address)
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.SetDeadline(time.Now().Add(10 * time.Second)) //nolint:errcheck // a test's
			io.WriteString(c, address)                      //nolint:errcheck // a client may not read it
			c.Close()
		}
	}()
	return l
}

// ask connects to an address of this machine and returns what its server says; empty: nobody listens.
func ask(t *testing.T, address string) string {
	t.Helper()
	c, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return ""
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(5 * time.Second)) //nolint:errcheck // a test's
	b, err := io.ReadAll(c)
	if err != nil {
		t.Error(err)
	}
	return string(b)
}

// inode is that of the socket that listens at an address.
func inode(t *testing.T, address string) string {
	t.Helper()
	for _, s := range listeningSockets() {
		if s.String() == address {
			return s.inode
		}
	}
	t.Fatalf("nobody listens at %s: %v", address, listeningSockets())
	return ""
}

// TestSteering: connections for a port go to a socket that listens on another port or address, by what it can take.
func TestSteering(t *testing.T) {
	inNetwork(t, steers)
}

func steers(t *testing.T) {
	for _, tt := range []struct{ at, four, six string }{
		{at: "127.0.0.1:3000", four: "127.0.0.1:3000"},
		{at: "0.0.0.0:3000", four: "0.0.0.0:3000"},
		{at: "[::1]:3000", six: "[::1]:3000"},
		{at: "[::]:3000", four: "[::]:3000", six: "[::]:3000"},
		{at: "127.0.0.1:8080", four: "127.0.0.1:8080"},
	} {
		t.Run(tt.at, func(t *testing.T) {
			l := listen(t, tt.at)
			s, err := newSteering(8080)
			if err != nil {
				t.Fatal(err)
			}
			fd, err := takeSocket(inode(t, tt.at))
			if err != nil {
				t.Fatal(err)
			}
			if err := s.to(fd); err != nil {
				t.Fatal(err)
			}
			unix.Close(fd)
			// 127.0.0.2 stands for the machine's address on the network: nothing is bound to it.
			for address, want := range map[string]string{"127.0.0.2:8080": tt.four, "[::1]:8080": tt.six, "127.0.0.2:8081": ""} {
				if got := ask(t, address); got != want {
					t.Errorf("%s: answered by %q, want %q", address, got, want)
				}
			}
			l.Close()
			if got := ask(t, "127.0.0.2:8080"); got != "" {
				t.Errorf("a closed socket answers: %q", got)
			}
			s.close()
		})
	}
}

// TestSteeringEnds: without its steering, a port belongs to who listens there.
func TestSteeringEnds(t *testing.T) {
	inNetwork(t, func(t *testing.T) {
		listen(t, "0.0.0.0:3000")
		s, err := newSteering(8080)
		if err != nil {
			t.Fatal(err)
		}
		fd, err := takeSocket(inode(t, "0.0.0.0:3000"))
		if err == nil {
			err = s.to(fd)
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := ask(t, "127.0.0.1:8080"); got != "0.0.0.0:3000" {
			t.Fatalf("not led: %q", got)
		}
		listen(t, "0.0.0.0:8080")
		s.close()
		if got := ask(t, "127.0.0.1:8080"); got != "0.0.0.0:8080" {
			t.Errorf("answered by %q", got)
		}
	})
}

// TestSteeringToMany: of sockets that share a port, as cluster workers' with reusePort do, each gets its part; and when
// one has gone, the others get all.
func TestSteeringToMany(t *testing.T) {
	inNetwork(t, func(t *testing.T) {
		share := func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) }
		first := listen(t, "0.0.0.0:3000", share)
		listen(t, "0.0.0.0:3000", share)
		var led netip.AddrPort
		v := &visit{door: &door{port: 8080}, settling: newSettling(8080), tell: listenNews{
			listening: func(where netip.AddrPort) { led = where }, say: func(text string) { t.Log(text) },
			misplaced: func(where netip.AddrPort) { t.Error(where) },
		}}
		defer v.stop()
		v.served.Store(3000)
		v.look(time.Now(), listeningSockets())
		if led.String() != "0.0.0.0:3000" {
			t.Fatalf("led to %s", led)
		}
		for range 20 {
			if got := ask(t, "127.0.0.1:8080"); got != "0.0.0.0:3000" {
				t.Fatalf("answered by %q", got)
			}
		}
		first.Close()
		v.look(time.Now(), listeningSockets())
		if got := ask(t, "127.0.0.1:8080"); got != "0.0.0.0:3000" {
			t.Errorf("after the end of one: %q", got)
		}
	})
}

// TestRelay: a socket that is bound to ::1 cannot take what comes over IPv4, and gets it nevertheless. The app can open
// its own port beside it.
func TestRelay(t *testing.T) {
	inNetwork(t, func(t *testing.T) {
		listen(t, "[::1]:3000")
		var said []string
		v := &visit{door: &door{port: 8080}, settling: newSettling(8080), tell: listenNews{
			listening: func(netip.AddrPort) {}, say: func(text string) { said = append(said, text) },
			misplaced: func(where netip.AddrPort) { t.Error(where) },
		}}
		v.served.Store(3000)
		for range 3 {
			v.look(time.Now(), listeningSockets())
		}
		if got := ask(t, "127.0.0.2:8080"); got != "[::1]:3000" {
			t.Errorf("answered by %q", got)
		}
		listen(t, "[::]:8080")
		if !v.look(time.Now(), listeningSockets()) || v.relay != nil || len(listeningSockets()) != 2 {
			t.Errorf("the relay is left: %v", listeningSockets())
		}
		if got := ask(t, "127.0.0.2:8080"); got != "[::]:8080" {
			t.Errorf("answered by %q", got)
		}
		if want := "the app listens on port 8080 now: connections go there"; len(said) != 1 || said[0] != want {
			t.Errorf("said %q", said)
		}
	})
}
