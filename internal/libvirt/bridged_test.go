package libvirt

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
	"libvirt.org/go/libvirt"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/libvirt/bridge"
	"github.com/nodeos-dev/gitd/internal/libvirt/libvirtdtest"
)

var hostTests = flag.Bool("host", false, "run the tests of make test-host")

// inNet runs a test in a network of its own. It returns whether this is the process there.
func inNet(t *testing.T) bool {
	t.Helper()
	if testing.Short() {
		t.Skip("boots virtual machines")
	}
	return libvirtdtest.InNetwork(t, fmt.Sprintf("-host=%t", *hostTests))
}

// The world of the tests: a host behind which there are one of the internet, and one of a private network.
const (
	hostAddr    = "172.20.0.1"
	publicHost  = "93.184.216.34"
	privateHost = "10.9.9.9"
)

// newWorld makes the network around this one, where the two hosts take connections at port 80.
func newWorld(t *testing.T) {
	t.Helper()
	ns := make(chan int)
	failed := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // the thread ends with this goroutine
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			failed <- err
			return
		}
		fd, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			failed <- err
			return
		}
		ns <- fd
		ns <- 0 // until the cable is there
		err = configure("world", "172.20.0.2/24", publicHost+"/32", privateHost+"/32")
		for _, addr := range []string{publicHost, privateHost} {
			l, e := net.Listen("tcp", addr+":80")
			err = errors.Join(err, e)
			if e == nil {
				go take(l)
			}
		}
		failed <- err
	}()
	var fd int
	select {
	case fd = <-ns:
	case err := <-failed:
		t.Fatal(err)
	}
	cable := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "out"}, PeerName: "world", PeerNamespace: netlink.NsFd(fd)}
	if err := netlink.LinkAdd(cable); err != nil {
		t.Fatal(err)
	}
	<-ns
	err := errors.Join(<-failed, configure("out", hostAddr+"/24"))
	gateway := net.ParseIP("172.20.0.2")
	if err := errors.Join(err, netlink.RouteAdd(&netlink.Route{Gw: gateway})); err != nil {
		t.Fatal(err)
	}
}

func configure(name string, addrs ...string) error {
	var errs []error
	for _, link := range []string{"lo", name} {
		l, err := netlink.LinkByName(link)
		if err != nil {
			return err
		}
		for _, text := range addrs {
			addr, err := netlink.ParseAddr(text)
			if link == name && err == nil {
				err = netlink.AddrAdd(l, addr)
			}
			errs = append(errs, err)
		}
		errs = append(errs, netlink.LinkSetUp(l))
	}
	return errors.Join(errs...)
}

// take takes connections, and ends them.
func take(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		c.Close()
	}
}

func openBridged(t *testing.T, l *libvirtdtest.Daemon) *Driver {
	t.Helper()
	d, err := New(t.Context(), Config{
		URI: l.URI(), State: state, Machine: program, Log: zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.InfoLevel),
		Bridge: bridge.Config{Range: netip.MustParsePrefix("10.77.0.0/16"), DNS: []netip.Addr{netip.MustParseAddr("10.9.9.53")}, Log: zerolog.New(zerolog.NewTestWriter(t))},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func bootBridged(t *testing.T, d *Driver, spec core.MachineSpec) *probe {
	t.Helper()
	p := &probe{t: t, more: make(chan struct{})}
	m, err := d.Boot(t.Context(), spec, p.watch)
	if err != nil {
		t.Fatal(err)
	}
	p.m = m
	t.Cleanup(func() {
		if err := d.Stop(context.Background(), m.ID, 0); err != nil {
			t.Error(err)
		}
	})
	return p
}

func (p *probe) connects(addr string) string {
	p.t.Helper()
	return strings.TrimSpace(p.get("/connect", "addr="+url.QueryEscape(addr)))
}

// bridged is what each test of the network begins with: a world, a service of the host, libvirt, and two machines.
func bridged(t *testing.T) (l *libvirtdtest.Daemon, d *Driver, a, b *probe) {
	t.Helper()
	newWorld(t)
	host, err := net.Listen("tcp", ":2200")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { host.Close() })
	go take(host)
	img := newImage(t)
	l = libvirtdtest.New(t, "network", "nwfilter")
	l.Start()
	d = openBridged(t, l)
	a, b = bootBridged(t, d, img.spec("shop-v1-aa")), bootBridged(t, d, img.spec("blog-v1-bb"))
	for _, p := range []*probe{a, b} {
		p.kind(core.EventListening, 1)
	}
	return l, d, a, b
}

// walls sees what a machine reaches, and that the host reaches it.
func (p *probe) walls(neighbour *probe) {
	p.t.Helper()
	if got := p.get("/", ""); got != "hello from the machine\n" {
		p.t.Errorf("%s answers %q", p.m.Addr, got)
	}
	for addr, want := range map[string]string{
		publicHost + ":80": "connected", privateHost + ":80": "refused", hostAddr + ":2200": "refused", "10.77.0.1:2200": "refused",
	} {
		if got := p.connects(addr); !strings.Contains(got, want) {
			p.t.Errorf("%s to %s: %q, want %q", p.m.Addr, addr, got, want)
		}
	}
	if got := p.connects(neighbour.m.Addr); got == "connected" {
		p.t.Errorf("%s reaches %s", p.m.Addr, neighbour.m.Addr)
	}
}

// TestAttackBridge: on a network of libvirt, a machine reaches the internet, and neither the host's services, nor other
// machines, nor private networks. Whoever has taken over its QEMU sends frames with the addresses of others, and of
// other protocols: none gets as far as the bridge.
func TestAttackBridge(t *testing.T) {
	if !inNet(t) {
		return
	}
	_, _, a, b := bridged(t)
	a.walls(b)
	forged(t, a, b)
}

// TestBridgeComesBack: libvirt's daemon may restart; and a network that somebody destroys is made again, with the
// machines on it. The walls are the same after each.
func TestBridgeComesBack(t *testing.T) {
	if !*hostTests {
		t.Skip("make test-host destroys the network of machines, and restarts libvirt")
	}
	if !inNet(t) {
		return
	}
	l, d, a, b := bridged(t)
	restarted(t, l, a)
	changed(t, d, a, b)
	a.walls(b)
	b.walls(a)
	destroyed(t, l, a)
	a.walls(b)
	b.walls(a)
	restarted(t, l, a)
	changed(t, d, a, b)
	a.walls(b)
}

// restarted ends libvirt's daemon and starts it again, which the machine does not notice.
func restarted(t *testing.T, l *libvirtdtest.Daemon, a *probe) {
	t.Helper()
	l.End(syscall.SIGTERM)
	if got := a.get("/", ""); got != "hello from the machine\n" {
		t.Errorf("without libvirt, it answers %q", got)
	}
	l.Start()
}

// changed opens an address to one machine, and closes it again.
func changed(t *testing.T, d *Driver, a, b *probe) {
	t.Helper()
	rule, err := core.ParseEgressRule(privateHost + ":80")
	if err == nil {
		err = d.Restrict(t.Context(), a.m.ID, core.Egress{Rules: []core.EgressRule{rule}})
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := a.connects(privateHost + ":80"); got != "connected" {
		t.Errorf("what it may reach: %s", got)
	}
	if got := b.connects(privateHost + ":80"); !strings.Contains(got, "refused") {
		t.Errorf("what another machine may reach: %s", got)
	}
	if err := d.Restrict(t.Context(), a.m.ID, core.Egress{}); err != nil {
		t.Fatal(err)
	}
}

// destroyed destroys the network, and waits until the machine is reached again.
func destroyed(t *testing.T, l *libvirtdtest.Daemon, a *probe) {
	t.Helper()
	conn, err := libvirt.NewConnect(l.URI())
	if err != nil {
		t.Fatal(err)
	}
	network, err := conn.LookupNetworkByName(a.network())
	if err == nil {
		err = errors.Join(network.Destroy(), network.Free())
	}
	if _, e := conn.Close(); err != nil || e != nil {
		t.Fatal(err, e)
	}
	a.back()
}

// network is libvirt's name of the network of the tests.
func (p *probe) network() string {
	p.t.Helper()
	links, err := filepath.Glob("/sys/class/net/gitd*")
	if err != nil || len(links) != 1 {
		p.t.Fatalf("bridges: %v, %v", links, err)
	}
	return strings.TrimSuffix(filepath.Base(links[0]), "b")
}

// back waits until the machine is reached.
func (p *probe) back() {
	p.t.Helper()
	for limit := time.Now().Add(time.Minute); ; { // nobody tells when a cable is in
		c, err := net.DialTimeout("tcp", p.m.Addr, time.Second)
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(limit) {
			p.t.Fatal(err)
		}
	}
}
