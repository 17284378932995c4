package libvirt

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/fleet/drivertest"
	"github.com/nodeos-dev/gitd/internal/gateway/wire"
)

// guestLimit bounds each wait for a guest.
const guestLimit = 3 * time.Minute

// probe is a machine under test, and the events that the driver has reported of it.
type probe struct {
	t      *testing.T
	m      core.Machine
	mu     sync.Mutex
	events []core.Event
	more   chan struct{}
}

func (p *probe) watch(e core.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = append(p.events, e)
	close(p.more)
	p.more = make(chan struct{})
}

// await waits for the nth event that ok accepts.
func (p *probe) await(what string, nth int, ok func(core.Event) bool) core.Event {
	p.t.Helper()
	late := time.After(guestLimit)
	for {
		p.mu.Lock()
		events, more, n := p.events, p.more, nth
		p.mu.Unlock()
		for _, e := range events {
			if ok(e) {
				if n--; n == 0 {
					return e
				}
			}
		}
		if last := len(events) - 1; last >= 0 && events[last].Kind == core.EventGone {
			p.t.Fatalf("the machine is gone before %s: %+v", what, events)
		}
		select {
		case <-more:
		case <-late:
			p.t.Fatalf("no %s within %s: %+v", what, guestLimit, events)
		}
	}
}

func (p *probe) kind(k core.EventKind, nth int) core.Event {
	p.t.Helper()
	return p.await(string(k), nth, func(e core.Event) bool { return e.Kind == k })
}

func (p *probe) has(k core.EventKind) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.events, func(e core.Event) bool { return e.Kind == k })
}

func (p *probe) line(stream, text string) {
	p.t.Helper()
	p.await(stream+" line "+text, 1, func(e core.Event) bool {
		return e.Kind == core.EventLog && e.Stream == stream && strings.Contains(e.Line, text)
	})
}

func (p *probe) get(path, query string) string {
	p.t.Helper()
	client := http.Client{Timeout: guestLimit, Transport: drivertest.Transport(p.m)}
	res, err := client.Get("http://machine" + path + "?" + query)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(b)
}

// end asks for something that the app does not survive.
func (p *probe) end(path string) {
	client := http.Client{Timeout: guestLimit, Transport: drivertest.Transport(p.m)}
	if res, err := client.Get("http://machine" + path); err == nil {
		res.Body.Close()
	}
}

func (p *probe) file(name string) string { return p.get("/file", "name="+url.QueryEscape(name)) }

func boot(t *testing.T, d *Driver, spec core.MachineSpec) *probe {
	t.Helper()
	p := &probe{t: t, more: make(chan struct{})}
	m, err := d.Boot(t.Context(), spec, p.watch)
	if err != nil {
		t.Fatal(err)
	}
	p.m = m
	t.Cleanup(func() {
		// This runs after the test's own drivers are closed.
		d := openDriver(t)
		if err := d.Stop(context.Background(), m.ID, 0); err != nil {
			t.Error(err)
		}
		closeDriver(t, d)
	})
	return p
}

// TestGuest looks at a machine from the inside.
func TestGuest(t *testing.T) { onKernels(t, inside) }

func inside(t *testing.T, img image) {
	d := openDriver(t)
	defer func() { closeDriver(t, d) }()
	p := boot(t, d, img.spec("inside"))
	p.kind(core.EventListening, 1)
	t.Run("Privileges", func(t *testing.T) { privileges(t, p) })
	t.Run("Files", func(t *testing.T) { files(t, p) })
	t.Run("HostIsClosed", func(t *testing.T) { hostIsClosed(t, p) })
	t.Run("OutOfMemory", func(t *testing.T) { outOfMemory(t, p) })
	t.Run("PowerButton", func(t *testing.T) { powerButton(t, d, p) })
}

func privileges(t *testing.T, p *probe) {
	status := p.get("/status", "")
	for _, want := range []string{
		"Uid:\t1000\t1000\t1000\t1000", "Gid:\t1000\t1000\t1000\t1000", "NoNewPrivs:\t1",
		"CapPrm:\t0000000000000000", "CapBnd:\t0000000000000000", "SigBlk:\t0000000000000000",
	} {
		if !strings.Contains(status, want+"\n") {
			t.Errorf("status lacks %q:\n%s", want, status)
		}
	}
	if got := p.get("/env", ""); got != "PATH=/usr/bin\nPORT=8080\nSECRET=hush" {
		t.Errorf("environment %q", got)
	}
	if got := p.file("/proc/self/limits"); !strings.Contains(got, "Max open files            1048576              1048576") {
		t.Errorf("limits:\n%s", got)
	}
	if got := p.file("/proc/sys/kernel/hostname"); got != "shop\n" {
		t.Errorf("host name %q", got)
	}
	for _, name := range []string{"/proc/1/environ", "/dev/vda", "/dev/mem", "/layers/app/package.json"} {
		if got := p.file(name); !strings.Contains(got, "permission denied") && !strings.Contains(got, "no such file") {
			t.Errorf("the app reads %s: %.60q", name, got)
		}
	}
	if cmdline := p.file("/proc/cmdline"); strings.Contains(cmdline, "hush") {
		t.Errorf("a secret is on the command line: %s", cmdline)
	}
}

func files(t *testing.T, p *probe) {
	hosts := "127.0.0.1 localhost\n::1 ip6-localhost ip6-loopback\n10.0.2.15 shop\n"
	if wire.Network().Address6 != "" { // as this host has the internet of IPv6
		hosts += wire.Guest6.String() + " shop\n"
	}
	for name, want := range map[string]string{
		"/app/package.json":              "{}",
		"/app/node_modules/own/index.js": "the app's",
		"/app/node_modules/dep/index.js": "a dependency's",
		"/etc/resolv.conf":               "nameserver 10.0.2.3\n",
		"/etc/hosts":                     hosts,
	} {
		if got := p.file(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]string{
		"/app/new": "<nil>", "/app/package.json": "<nil>", "/tmp/x": "<nil>", "/dev/shm/x": "<nil>",
		"/etc/x": "read-only", "/usr/bin/server": "read-only", "/run/x": "permission denied", "/dev/x": "read-only",
	} {
		if got := p.get("/write", "name="+url.QueryEscape(name)); !strings.Contains(got, want) {
			t.Errorf("write %s: %q, want %q", name, got, want)
		}
	}
	if got := p.file("/app/new"); got != "written" {
		t.Errorf("what was written reads %q", got)
	}
}

// hostIsClosed: the guest cannot reach services on the host's loopback, by any address that QEMU's network has for it,
// and is told at once. It can reach its own port.
func hostIsClosed(t *testing.T, p *probe) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	for _, ip := range []string{"10.0.2.2", "10.0.2.3", "10.0.2.4", "255.255.255.255"} {
		if got := p.get("/connect", fmt.Sprintf("addr=%s:%d", ip, port)); !strings.Contains(got, "connection refused") && !strings.Contains(got, "network is unreachable") {
			t.Errorf("the guest connects to the host's loopback as %s: %s", ip, got)
		}
	}
	for _, addr := range []string{"127.0.0.1:8080", "10.0.2.15:8080"} {
		if got := p.get("/connect", "addr="+addr); got != "connected\n" {
			t.Errorf("the guest does not reach itself as %s: %s", addr, got)
		}
	}
}

// outOfMemory: the app is killed, and the reason is reported; the machine goes on.
func outOfMemory(t *testing.T, p *probe) {
	p.end("/eat")
	if e := p.kind(core.EventExited, 1); !strings.Contains(e.Detail, "the machine ran out of memory") {
		t.Errorf("exited: %q", e.Detail)
	}
	p.kind(core.EventListening, 2)
}

// powerButton: a host that shuts its guests down presses their power buttons. The app is asked to stop, and the machine
// powers off.
func powerButton(t *testing.T, d *Driver, p *probe) {
	dom, _, err := d.owner.find(linkOf(t, d), p.m.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer free(dom)
	if err := dom.ShutdownFlags(libvirt.DOMAIN_SHUTDOWN_ACPI_POWER_BTN); err != nil {
		t.Fatal(err)
	}
	p.line("stdout", "asked to stop")
	if e := p.kind(core.EventGone, 1); e.Detail != "it powered off" {
		t.Errorf("gone: %q", e.Detail)
	}
}

// TestGuestOutlivesDriver: while no gitd runs, the app is not held up by its own output, and the next gitd is told what
// matters.
func TestGuestOutlivesDriver(t *testing.T) {
	if testing.Short() {
		t.Skip("boots a virtual machine")
	}
	img, d := newImage(t), openDriver(t)
	p := boot(t, d, img.spec("outlives"))
	p.kind(core.EventListening, 1)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	p.get("/flood", "") // 20,000 lines

	d = openDriver(t)
	defer func() { closeDriver(t, d) }()
	p.mu.Lock()
	p.events = nil
	p.mu.Unlock()
	if _, err := d.Adopt(t.Context(), p.m.ID, p.watch); err != nil {
		t.Fatal(err)
	}
	p.kind(core.EventListening, 1)
	p.line("init", "lines of output were lost")
	if s := p.kind(core.EventStats, 1).Stats; s.Dropped == 0 {
		t.Errorf("the lost lines are not counted: %+v", s)
	}
	p.line("stdout", "flood 19999")

	p.end("/crash") // init starts the app again
	if e := p.kind(core.EventExited, 1); !strings.Contains(e.Detail, "exit code 7") {
		t.Errorf("exited: %q", e.Detail)
	}
	p.kind(core.EventListening, 2)
	signalQEMU(t, p.m.ID, syscall.SIGKILL)
	if e := p.kind(core.EventGone, 1); !strings.Contains(e.Detail, "QEMU ended unexpectedly") {
		t.Errorf("gone: %q", e.Detail)
	}
	if err := d.Stop(t.Context(), p.m.ID, 0); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(state.Machine(p.m.ID)); !os.IsNotExist(err) {
		t.Errorf("the machine's folder is left: %v", err)
	}
}

// TestGuestThatCannotBoot: the last event says in words what went wrong.
func TestGuestThatCannotBoot(t *testing.T) {
	if testing.Short() {
		t.Skip("boots virtual machines")
	}
	img, d := newImage(t), openDriver(t)
	defer func() { closeDriver(t, d) }()

	noApp := img.spec("no-app")
	noApp.Disks = noApp.Disks[:1]
	noInit := img.spec("no-init")
	noInit.Initrd, noInit.Disks = img.app, noInit.Disks[:1] // no initramfs, so no root
	for _, tt := range []struct {
		spec core.MachineSpec
		want string
	}{
		{noApp, `the guest cannot go on: disk "app": no such device; there are ["base"]`},
		{noInit, "the guest's kernel panicked: VFS: Unable to mount root fs"},
	} {
		p := boot(t, d, tt.spec)
		if e := p.kind(core.EventGone, 1); !strings.Contains(e.Detail, tt.want) {
			t.Errorf("gone: %q, want %q", e.Detail, tt.want)
		}
	}
}
