package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/nodeos-dev/gitd/internal/libvirt/libvirtdtest"
)

var hostTests = flag.Bool("host", false, "run the tests of make test-host")

// TestNetwork pushes an app to a gitd whose machines are on a network of libvirt, restarts gitd, and asks for what
// there is not.
func TestNetwork(t *testing.T) {
	if !*hostTests {
		t.Skip("make test-host pushes to machines on a network of libvirt")
	}
	if !libvirtdtest.InNetwork(t, fmt.Sprintf("-host=%t", *hostTests)) {
		return
	}
	lo, err := netlink.LinkByName("lo")
	if err == nil {
		err = netlink.LinkSetUp(lo)
	}
	if err != nil {
		t.Fatal(err)
	}
	l := libvirtdtest.New(t, "network", "nwfilter")
	l.Start()
	r := newRig(t, filepath.Join(bin, "gitd"), "", "--libvirt", l.URI(), "--network", "10.77.0.0/16", "--network-dns", "9.9.9.9", "--spares", "1")
	r.serve()
	r.admit()
	r.repo("shop", filepath.Join("..", "..", "templates", "apps", "hello"))
	pushed(t, r, "shop")
	hello(t, r)
	if out := r.gitd("run", "shop", "--", "node", "-p", "dns.getServers().join()"); strings.TrimSpace(out) != "9.9.9.9" {
		t.Errorf("a command beside the app: %s", out)
	}
	r.kill()
	r.serve()
	hello(t, r)
	r.edit("shop", "again", map[string]string{"note": "again"})
	pushed(t, r, "shop")
	hello(t, r)
	r.gitd("apps:create", "blog")
	for line, want := range map[string]string{
		"links:add shop blog": "links:remove takes a link away", "network:rate shop 5M": "serve without --network", "network:allow shop 127.0.0.1:80": "have the service listen",
	} {
		if _, err := r.try(strings.Fields(line)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", line, err)
		}
	}
	r.halt()
}

// TestHostNames: the name servers of the host, but not those that only the host reaches.
func TestHostNames(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	stub := write("stub", "nameserver 127.0.0.53\noptions edns0\n")
	real := write("real", "# real\nnameserver 10.0.0.2\nnameserver fd00::2\nnameserver 9.9.9.9\n")
	if got := hostNames(filepath.Join(dir, "none"), stub, real); len(got) != 2 || got[0].String() != "10.0.0.2" || got[1].String() != "9.9.9.9" {
		t.Errorf("%v", got)
	}
	if got := hostNames(stub); got != nil {
		t.Errorf("%v", got)
	}
}
