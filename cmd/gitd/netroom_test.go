package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/nodeos-dev/gitd/internal/builder/egress"
)

// roomAddress is what the room's host is called in documentation networks (RFC 5737): an address of its own that is not
// its loopback, as each server has one.
const roomAddress = "198.51.100.1"

// netRoom is a network with one host in it, where a front door listens on an address that machines may reach. Nothing
// of it is seen in the host's own network, and it ends with the test.
type netRoom struct {
	name string // path of the namespace
	fd   int
}

func newNetRoom(t *testing.T) *netRoom {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("makes a network of its own, which needs root: sudo make test-balancer")
	}
	r := &netRoom{fd: -1}
	err := onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		var err error
		if r.fd, err = unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
			return err
		}
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		address, err := netlink.ParseAddr(roomAddress + "/32")
		if err != nil {
			return err
		}
		if err := netlink.AddrAdd(lo, address); err != nil {
			return err
		}
		return netlink.LinkSetUp(lo)
	})
	if r.fd >= 0 {
		t.Cleanup(func() { unix.Close(r.fd) })
	}
	if err != nil {
		t.Fatalf("a network for the test: %v", err)
	}
	r.name = fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), r.fd)
	return r
}

// onThread runs f on a thread that nobody uses afterwards: it ends with its goroutine, because it stays locked.
func onThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- f()
	}()
	return <-done
}

func (r *netRoom) inside(f func() error) error {
	return onThread(func() error {
		if err := unix.Setns(r.fd, unix.CLONE_NEWNET); err != nil {
			return err
		}
		return f()
	})
}

// dial connects to an address in the room. The connection belongs to it, wherever it is used.
func (r *netRoom) dial(ctx context.Context, network, addr string) (conn net.Conn, err error) {
	inside := r.inside(func() error {
		d := net.Dialer{Timeout: 10 * time.Second}
		conn, err = d.DialContext(ctx, network, addr)
		return err
	})
	return conn, inside
}

// registryProxy gives builds in the room a way to npm's registry, as a host has one that is behind a proxy. It returns
// the variable that says so.
func (r *netRoom) registryProxy(t *testing.T) string {
	t.Helper()
	var ln net.Listener
	err := r.inside(func() (err error) {
		ln, err = net.Listen("tcp4", "127.0.0.1:0")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	registry, err := url.Parse("https://registry.npmjs.org")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: egress.New(registry), ReadHeaderTimeout: time.Minute}
	go server.Serve(ln) //nolint:errcheck // it ends when it is closed
	t.Cleanup(func() { server.Close() })
	return "HTTPS_PROXY=http://" + ln.Addr().String()
}

// program makes a command that runs another one in the room.
func (r *netRoom) program(t *testing.T, path string) string {
	t.Helper()
	script := filepath.Join(t.TempDir(), filepath.Base(path))
	text := fmt.Sprintf("#!/bin/sh\nexec nsenter --net=%s %s \"$@\"\n", r.name, path)
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return script
}

func (r *netRoom) client(t *testing.T, keep bool) *http.Client {
	t.Helper()
	tr := &http.Transport{DisableKeepAlives: !keep, DialContext: r.dial}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: eventLimit}
}
